"""Tasks with their own biases (§5.3) and normalisation."""

import pytest
import torch
from msgspec.structs import replace

from packnet_core.errors import FileError, RequestError, WorkError
from packnet_core.files.safetensors_writer import write_safetensors
from packnet_core.jobs import job
from packnet_core.jobs.session import Session
from packnet_core.network import layers
from packnet_core.packfile import storage
from packnet_core.packfile.export import export
from packnet_core.packfile.header import read_header
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Drop, Evaluate, Train
from packnet_core.schema.events import Evaluated, TrainStep
from tests.worlds import add, copied, pack_file, same, stop_after, used, work

OWN = [(), ("biases",), ("norms",), ("biases", "norms")]


@pytest.mark.parametrize("own", OWN, ids="+".join)
def test_a_task_trains_its_own_tensors_and_no_other_of_the_shared_rest(path, others, own):
    one = used(path, 1)
    work(path, add("two", others, own=own))
    two, network = used(path, 2), storage.load(path)[0]
    assert same(one, used(path, 1))
    mine = set(layers.own_names(network.model, network.rest, own))
    for name in network.rest:
        assert torch.equal(one[name], two[name]) == (name not in mine), name
    biases = ["conv.bias", "bn.bias", "hidden.bias"] if "biases" in own else []
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked") if "norms" in own else ()
    assert mine == {*biases, *(f"bn.{part}" for part in parts)}


@pytest.mark.parametrize("own", OWN[1:], ids="+".join)
def test_own_tensors_are_kept_in_the_file_counted_and_sealed(path, data, others, own):
    before = read_header(path).bytes_by_kind()["rest"]
    work(path, add("two", others, own=own))
    header = read_header(path)
    names = [name for name in header.tensors if name.startswith("packnet.rest.2.")]
    assert names
    kept = sum(header.tensors[name].bytes for name in names)
    assert header.bytes_by_kind()["rest"] == before + kept
    assert header.document.tasks[1].own == own
    two = used(path, 2)
    work(path, add("three", data, own=("norms",)))
    assert same(two, used(path, 2))
    assert all(check.ok for check in verify(path))
    work(path, Drop(task="three"))
    assert not [name for name in read_header(path).tensors if name.startswith("packnet.rest.3.")]
    assert same(two, used(path, 2))


def test_a_sealed_tasks_own_tensor_that_would_change_is_refused(path, data, others):
    work(path, add("two", others, own=("norms",)))
    work(path, add("three", data))
    before = path.read_bytes()
    network, document = storage.load(path)
    network.own[1]["bn.weight"].add_(1)
    with pytest.raises(WorkError, match=r"'bn\.weight' of task 'two'"):
        storage.save(path, network, document)
    assert path.read_bytes() == before
    network.restore_view()
    assert network.task_digest(2, [t.weights_digest for t in document.tasks]) != document.tasks[1].digest


def test_an_export_has_the_tasks_own_tensors(path, others, tmp_path):
    work(path, add("two", others, own=("norms",)))
    export(path, "two", tmp_path / "two.safetensors")
    from safetensors.torch import load_file

    assert same(load_file(tmp_path / "two.safetensors"), used(path, 2))


def test_a_missing_own_tensor_and_one_of_no_task_are_named(path, others):
    work(path, add("two", others, own=("norms",)))
    network, document = storage.load(path)
    del network.own[1]["bn.bias"]
    write_safetensors(path, *storage.contents(network, document))
    with pytest.raises(FileError, match=r"'packnet\.rest\.2\.bn\.bias' is missing"):
        storage.load(path)
    tasks = (document.tasks[0], replace(document.tasks[1], own=()))
    write_safetensors(path, *storage.contents(network, replace(document, tasks=tasks)))
    with pytest.raises(FileError, match="belongs to nothing"):
        read_header(path)


def test_the_first_task_has_no_rest_of_its_own(tmp_path, data):
    path = pack_file(tmp_path / "empty.safetensors")
    with pytest.raises(RequestError, match="first task"):
        list(job.events(Session(path), add("one", data, own=("norms",))))


def test_a_stopped_job_resumes_with_its_own_normalisation(path, others):
    reference = copied(path)
    command = add("two", others, own=("norms",))
    work(reference, command)
    stop_after(job.events(Session(path), command), TrainStep, 3)
    work(path, Train())
    assert same(used(path, 2), used(reference, 2))


def test_results_can_be_evaluated_afterwards(path, others):
    work(path, add("two", others, own=("norms", "biases"), layers=("fc",), steps=2))
    entries = work(path, Evaluate())
    errors = {e.event.task: e.event.error for e in entries if isinstance(e.event, Evaluated)}
    assert errors == {task.name: task.error for task in read_header(path).document.tasks}
