"""Tasks that train chosen layers alone (§5.4)."""

import pytest
import torch

from packnet_core.errors import RequestError
from packnet_core.jobs import job
from packnet_core.jobs.session import Session
from packnet_core.packfile import storage
from packnet_core.packfile.header import read_header
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Prune
from tests.worlds import add, pack_file, same, used, work


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (("conv",), ["conv.weight"]),
        (("fc",), ["hidden.weight"]),
        (("classifier",), []),
        (("hid*",), ["hidden.weight"]),
        (("conv", "hidden"), ["conv.weight", "hidden.weight"]),
        (("all",), ["conv.weight", "hidden.weight"]),
    ],
    ids=str,
)
def test_a_later_task_owns_and_trains_the_chosen_layers_alone(path, others, chosen, names):
    one = used(path, 1)
    work(path, add("two", others, layers=chosen))
    document, two = read_header(path).document, used(path, 2)
    for layer in document.layers:
        assert (layer.owned[1] > 0) == (layer.name in names)
        assert torch.equal(one[layer.name], two[layer.name]) == (layer.name not in names)
    assert same(one, used(path, 1))
    assert all(check.ok for check in verify(path))


def test_dense_in_chosen_layers_alone_until_it_is_pruned(path, others, data):
    work(path, add("two", others, layers=("conv",), prune=None))
    conv, hidden = read_header(path).document.layers
    assert conv.free == 0
    assert hidden.owned[1] == 0
    with pytest.raises(RequestError, match="prune it first"):
        list(job.events(Session(path), add("three", data)))
    work(path, Prune(ratio=0.5))
    work(path, add("three", data, layers=("fc",)))
    conv, hidden = read_header(path).document.layers
    assert conv.owned[2] == 0
    assert hidden.owned[2] > 0


def test_after_a_head_alone_the_next_task_needs_no_pruning(path, others, data):
    work(path, add("two", others, layers=("classifier",), prune=None))
    work(path, add("three", data))
    assert [task.phase for task in read_header(path).document.tasks] == ["sealed", "sealed", "retrained"]


def test_the_first_task_owns_all_and_trains_what_was_chosen(tmp_path, data):
    path = pack_file(tmp_path / "net.safetensors", "tests.networks:with_biases", size=16, channels=3)
    given = {n: t.clone() for n, t in storage.load(path)[0].weights.items()}
    rest = {n: t.clone() for n, t in storage.load(path)[0].rest.items()}
    work(path, add("one", data, layers=("classifier",), prune=None))
    network, document = storage.load(path)
    assert document.free == 0
    assert all(torch.equal(given[name], weight) for name, weight in network.weights.items())
    assert same(rest, network.rest)


def test_layers_that_nothing_fits_or_that_are_full_are_refused(path, data):
    with pytest.raises(RequestError, match="no layer fits 'features"):
        list(job.events(Session(path), add("two", data, layers=("features.*",))))
    work(path, add("two", data, layers=("conv",), prune=0.0))
    with pytest.raises(RequestError, match="no weight is free in the layers conv"):
        list(job.events(Session(path), add("three", data, layers=("conv",))))
