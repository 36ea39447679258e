"""The paper's variants: own biases (§5.3) and normalisation, pruning in steps (§4, end), chosen layers (§5.4)."""

import pytest
import torch
from msgspec.structs import replace

from packnet_core.errors import FileError, RequestError, WorkError
from packnet_core.files.safetensors_writer import write_safetensors
from packnet_core.jobs import job
from packnet_core.jobs.ratio_search import best, next_ratio
from packnet_core.jobs.rules import step_ratio
from packnet_core.jobs.session import Session
from packnet_core.network import layers
from packnet_core.packfile import storage, trust
from packnet_core.packfile.export import export
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Drop, Evaluate, Prune, Train
from packnet_core.schema.events import Epoch, Evaluated, Note, PhaseStarted, Pruned, TrainStep
from tests.worlds import add, images, pack_file, work

OWN = [(), ("biases",), ("norms",), ("biases", "norms")]


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz", size=16, channels=3)


@pytest.fixture
def others(tmp_path):
    return images(tmp_path / "others.npz", size=16, channels=3, seed=1)


@pytest.fixture
def path(tmp_path, data):
    """A network with convolutions, batch normalisation and linear layers that has one task, pruned by half."""
    path = pack_file(tmp_path / "net.safetensors", "tests.networks:with_biases", size=16, channels=3)
    work(path, add("one", data))
    return path


def used(path, index):
    """All that a task uses, as it uses it."""
    network, _ = storage.load(path)
    with network.viewing(index) as model:
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


# -- own biases and normalisation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("own", OWN, ids="+".join)
def test_a_task_trains_what_it_has_of_its_own_and_nothing_else_of_the_rest(path, others, own):
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


def copied(path):
    """A copy beside a pack file, which may name the same code."""
    reference = path.with_name("reference.safetensors")
    reference.write_bytes(path.read_bytes())
    trust.allow(reference, read_header(path).document.architecture.name)
    return reference


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


def stop_after(events, kind, count):
    """Stop a job after `count` events of a kind."""
    for event in events:
        count -= isinstance(event, kind)
        if not count:
            events.close()
            return event
    raise AssertionError(f"there were {count} too few")


# -- chosen layers --------------------------------------------------------------------------------------------------


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


# -- pruning in steps, and by what it may cost ----------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_steps_free_exactly_what_one_step_would(path, others, steps):
    work(path, add("two", others, prune=None))
    before = read_header(path).document
    entries = work(path, Prune(ratio=0.7, layers={"hidden": 0.9}, steps=steps))
    pruned = [e.event for e in entries if isinstance(e.event, Pruned)]
    assert [event.ratio for event in pruned] == [pytest.approx(1 - 0.3 ** (k / steps)) for k in range(1, steps + 1)]
    assert [e.event.phase for e in entries if isinstance(e.event, PhaseStarted)] == ["retrain"] * steps
    after = read_header(path).document
    assert after.tasks[-1].prune_ratio == 0.7
    for old, new in zip(before.layers, after.layers, strict=True):
        assert new.owned[1] == old.owned[1] - round((0.9 if old.name == "hidden.weight" else 0.7) * old.owned[1])


def test_the_last_step_is_the_ratio_itself():
    assert step_ratio(0.75, 3, 3) == 0.75
    assert step_ratio(0.75, 1, 2) == pytest.approx(0.5)


@pytest.mark.parametrize("stop", [1, 3, 5], ids="after {} epochs".format)
def test_a_stopped_pruning_in_steps_resumes_at_its_step(path, others, stop):
    work(path, add("two", others, prune=None))
    reference = copied(path)
    before = path.read_bytes()
    command = Prune(ratio=0.8, steps=3, recipe={"retrain_epochs": 2})
    work(reference, command)
    stop_after(job.events(Session(path), command), Epoch, stop)
    assert path.read_bytes() == before
    work(path, Train())
    assert same(used(path, 2), used(reference, 2))


def test_add_prunes_in_steps_too(path, others):
    entries = work(path, add("two", others, steps=2))
    assert len([e for e in entries if isinstance(e.event, Pruned)]) == 2


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([], 0.8),
        ([(0.8, 10.0)], None),  # the largest fits
        ([(0.8, 20.0)], 0.4),
        ([(0.8, 20.0), (0.4, 10.0)], 0.6),
        ([(0.8, 20.0), (0.4, 20.0)], 0.2),
        ([(0.8, 20.0), (0.4, 10.0), (0.6, 20.0)], None),  # as many as were allowed
        ([(0.8, 20.0), (0.7999, 10.0)], None),  # nothing between
    ],
)
def test_bisection(trials, expected):
    assert next_ratio(0.8, trials, allowed=15.0, most=3) == expected


def test_the_best_is_the_largest_that_fits():
    assert best([(0.8, 20.0), (0.4, 10.0), (0.6, 15.0)], 15.0) == (0.6, 15.0)
    assert best([(0.8, 20.0)], 15.0) is None


SEARCH = Prune(ratio=0.99, max_drop=5.0, trials=4, recipe={"retrain_epochs": 1})


def test_the_largest_ratio_within_the_points_is_taken(path, others):
    work(path, add("two", others, prune=None))
    entries = work(path, SEARCH)
    notes = [e.event.text for e in entries if isinstance(e.event, Note)]
    tried = [text for text in notes if text.startswith("pruned at")]
    taken = float(next(text for text in notes if "is taken" in text).split()[0])
    task = read_header(path).document.tasks[-1]
    assert task.prune_ratio == taken
    assert 2 <= len(tried) <= 4
    fitting = [float(text.split()[2].rstrip(":")) for text in tried if text.endswith(": fits")]
    assert taken == max(fitting)
    assert sum(isinstance(e.event, Evaluated) for e in entries) == 1  # the test set is read once
    assert all(check.ok for check in verify(path))
    assert not Paths(path).best.exists()
    for old in read_header(path).document.layers:
        assert old.owned[1] > 0


def test_where_nothing_fits_the_file_stays(path, others):
    work(path, add("two", others, prune=None))
    before = path.read_bytes()
    hopeless = replace(SEARCH, max_drop=0.0, trials=1, recipe={"retrain_epochs": 0})
    with pytest.raises(WorkError, match="the file is as it was"):
        list(job.events(Session(path), hopeless))
    assert path.read_bytes() == before


@pytest.mark.parametrize(("kind", "count"), [(TrainStep, 2), (Epoch, 2), (Note, 2), (Note, 3), (Evaluated, 1)])
def test_a_stopped_search_resumes_and_finds_the_same_ratio(path, others, kind, count):
    work(path, add("two", others, prune=None))
    reference = copied(path)
    before = path.read_bytes()
    work(reference, SEARCH)
    stop_after(job.events(Session(path), SEARCH), kind, count)
    if kind is not Evaluated:
        assert path.read_bytes() == before
    work(path, Train())
    assert same(used(path, 2), used(reference, 2))
    assert read_header(path).document.tasks[-1].prune_ratio == read_header(reference).document.tasks[-1].prune_ratio


def test_without_validation_images_a_search_is_refused(path, tmp_path):
    few = images(tmp_path / "few.npz", train=3, size=16, channels=3)
    work(path, add("two", few, prune=None))
    with pytest.raises(RequestError, match="no validation images"):
        list(job.events(Session(path), SEARCH))


def test_results_can_be_evaluated_afterwards(path, others):
    work(path, add("two", others, own=("norms", "biases"), layers=("fc",), steps=2))
    entries = work(path, Evaluate())
    errors = {e.event.task: e.event.error for e in entries if isinstance(e.event, Evaluated)}
    assert errors == {task.name: task.error for task in read_header(path).document.tasks}
