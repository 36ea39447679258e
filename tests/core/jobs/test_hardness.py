"""Which task to add first: the one with the largest error of a new head alone; the file is not changed."""

import threading

import numpy as np
import pytest

from packnet_core.errors import RequestError
from packnet_core.jobs import run_job
from packnet_core.jobs.hardness import measure
from packnet_core.jobs.history import read_history
from packnet_core.packfile.paths import Paths
from packnet_core.planning.order import hardest_first
from packnet_core.schema.commands import Order
from packnet_core.schema.document import Error
from packnet_core.schema.events import Epoch, Evaluated, Hardness, JobFinished, JobStarted, PhaseStarted, Progress
from packnet_core.schema.recipes import Recipe
from tests.worlds import add, images, pack_file, work

RECIPE = Recipe(lr=0.05, epochs=3, batch_size=16)


def hardness(name, validation, test):
    error = Error(top1=test, top5=None, images=9)
    return Hardness(name=name, data="", classes=2, validation_error=validation, error=error, chance=50.0)


@pytest.fixture
def path(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    work(path, add("one", images(tmp_path / "one.npz")))
    return path


@pytest.fixture
def hard(tmp_path):
    """Images with random labels."""
    path = images(tmp_path / "hard.npz", seed=5, train=120, test=60)
    arrays = dict(np.load(path))
    for part in ("train_labels", "test_labels"):
        arrays[part] = np.random.default_rng(0).permutation(arrays[part])
    np.savez(path, **arrays)
    return path


def found(*arguments, **options) -> list[Hardness]:
    return [event for event in measure(*arguments, **options) if isinstance(event, Hardness)]


def test_the_hardest_comes_first_and_nothing_is_written(tmp_path, path, hard):
    before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    data = {"easy": str(images(tmp_path / "easy.npz", train=120, test=60, seed=2)), "hard": str(hard)}
    before[tmp_path / "easy.npz"] = (tmp_path / "easy.npz").read_bytes()
    events = list(measure(path, data, RECIPE))
    easy, difficult = (event for event in events if isinstance(event, Hardness))
    assert (easy.name, difficult.name) == ("easy", "hard")
    assert easy.error.top1 < 10 < 40 < difficult.error.top1
    assert [h.name for h in hardest_first([easy, difficult])] == ["hard", "easy"]
    tested = [event.error for event in events if isinstance(event, Evaluated)]
    assert [easy.error, difficult.error] == tested
    epochs = [e.validation_error for e in events if isinstance(e, Epoch) and e.task == "hard"]
    assert difficult.validation_error == min(epochs)
    assert {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()} == before


def test_the_order_is_by_validation_error_and_by_test_error_without_validation_images():
    given = [hardness("a", 10.0, 90.0), hardness("b", 20.0, 1.0), hardness("c", None, 15.0)]
    assert [h.name for h in hardest_first(given)] == ["b", "c", "a"]


def test_the_features_are_those_of_the_named_task(tmp_path, path, hard):
    work(path, add("two", hard))
    data = {"x": str(images(tmp_path / "x.npz", seed=9, train=90, test=90))}

    def losses(**options) -> list[float]:
        return [event.loss for event in measure(path, data, RECIPE, **options) if isinstance(event, Epoch)]

    assert losses() == losses(features="two")
    assert losses() != losses(features="one")
    with pytest.raises(RequestError, match="no task 'three'"):
        losses(features="three")


def test_a_file_without_tasks_has_features_too(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    (only,) = found(path, {"x": str(images(tmp_path / "x.npz"))}, RECIPE, limit=30)
    assert only.classes == 3
    assert only.chance == pytest.approx(200 / 3)


def test_an_engine_measures_them_as_a_job_of_which_the_journal_keeps_the_results_alone(tmp_path, path, hard):
    easy = images(tmp_path / "easy.npz", train=120, test=60, seed=2)
    before, known = path.read_bytes(), read_history(Paths(path).journal)
    command = Order(data={"easy": str(easy), "hard": str(hard)}, recipe=RECIPE, limit=100)
    entries = work(path, command)
    assert path.read_bytes() == before
    measured = [entry.event for entry in entries if isinstance(entry.event, Hardness)]
    assert measured == found(path, command.data, RECIPE, limit=100)
    history = read_history(Paths(path).journal)
    assert [h.name for h in hardest_first(history.hardness.values())] == ["hard", "easy"]
    assert (history.evaluations, history.comparisons) == (known.evaluations, known.comparisons)
    kinds = {type(entry.event) for entry in entries}
    assert kinds == {JobStarted, PhaseStarted, Progress, Hardness, JobFinished}
    assert {entry.event.phase for entry in entries if isinstance(entry.event, PhaseStarted)} == {"order"}


def test_a_measurement_that_is_stopped_ends_and_keeps_what_it_has(tmp_path, path):
    data = {name: str(images(tmp_path / f"{name}.npz")) for name in ("one", "two")}
    stop, seen = threading.Event(), []
    for entry in run_job.run(path, Order(data=data, recipe=RECIPE), stop):
        seen.append(entry.event)
        if isinstance(entry.event, Hardness):
            stop.set()
    assert [event.name for event in seen if isinstance(event, Hardness)] == ["one"]
    assert (seen[-1].outcome, seen[-1].message) == ("stopped", "forecast --order one two: stopped; nothing changed")
    assert list(read_history(Paths(path).journal).hardness) == ["one"]
