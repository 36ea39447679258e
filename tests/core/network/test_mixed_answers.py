"""Images of several tasks in one pass: logits and errors equal those of one task at a time, to the bit."""

import numpy as np
import pytest
import torch

from packnet_core.errors import RequestError
from packnet_core.jobs import run_job
from packnet_core.packfile import storage
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.events import Evaluated, Note, PhaseStarted
from tests.worlds import add, images, pack_file, work

NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A file with three tasks of 3, 7 and 2 classes, and the data of each."""
    folder = tmp_path_factory.mktemp("mixed")
    path, data = pack_file(folder / "net.safetensors"), {}
    for seed, (name, classes) in enumerate(zip(NAMES, (3, 7, 2), strict=True)):
        data[name] = images(folder / f"{name}.npz", classes=classes, train=60, test=300, seed=seed)
        work(path, add(name, data[name], yes=True))
    return path, data


def mixture(world, path, names=NAMES):
    """The test images of some tasks in random order, as a file."""
    parts = [(name, dict(np.load(world[1][name]))) for name in names]
    pixels = np.concatenate([arrays["test_images"] for _, arrays in parts])
    labels = np.concatenate([arrays["test_labels"] for _, arrays in parts])
    tasks = np.array([name for name, arrays in parts for _ in arrays["test_labels"]])
    order = np.random.default_rng(0).permutation(len(labels))
    np.savez(path, images=pixels[order], labels=labels[order], tasks=tasks[order])
    return path


def test_logits_equal_those_of_one_task_at_a_time_to_the_bit(world):
    network, _ = storage.load(world[0])
    pictures = torch.randn(90, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    tasks = torch.randint(1, 4, (90,), generator=torch.Generator().manual_seed(1))
    made = []
    model_of = network.model_of
    network.model_of = lambda task: made.append(task) or model_of(task)
    answers = network.answer(pictures, tasks)
    assert made == [1, 2, 3]  # each view once
    for task, classes in ((1, 3), (2, 7), (3, 2)):
        mine = tasks == task
        with network.viewing(task) as model, torch.inference_mode():
            alone = model(pictures[mine])
        assert torch.equal(torch.stack([a for a, own in zip(answers, mine, strict=True) if own]), alone)
        assert alone.shape[1] == classes
    assert network.answer(pictures[:0], []) == []
    for wrong in ([1, 2], [0] * 90, [4] * 90):
        with pytest.raises(RequestError, match="needs a task from 1 to 3"):
            network.answer(pictures, wrong)


def results(entries):
    return {e.event.task: (e.event.error, e.event.loss) for e in entries if isinstance(e.event, Evaluated)}


def test_errors_on_mixed_data_equal_those_of_one_task_at_a_time(world, tmp_path):
    path, data = world
    alone = {name: results(work(path, Evaluate(tasks=(name,))))[name] for name in NAMES}
    sources = {name: str(source) for name, source in data.items()}
    assert results(work(path, Evaluate(tasks=NAMES, sources=sources))) == alone
    mixed = mixture(world, tmp_path / "mixed.npz")
    entries = work(path, Evaluate(mixed=str(mixed)))
    found = results(entries)
    assert {name: error for name, (error, _) in found.items()} == {name: error for name, (error, _) in alone.items()}
    assert [e.event.task for e in entries if isinstance(e.event, PhaseStarted)] == list(NAMES)
    together = sum(error.top1 * error.images for error, _ in found.values()) / 900
    assert any(isinstance(e.event, Note) and f"together: {together:.2f} % of 900" in e.event.text for e in entries)
    assert set(results(work(path, Evaluate(tasks=("two",), mixed=str(mixed))))) == {"two"}
    assert set(results(work(path, Evaluate(sources={"three": sources["three"]})))) == {"three"}


def test_data_with_the_wrong_number_of_classes_is_refused(world):
    path, data = world
    swapped = Evaluate(tasks=("one", "two"), sources={"two": str(data["one"])})
    assert "classes" in failure(path, swapped)


def failure(path, command) -> str:
    entry = list(run_job.run(path, command))[-1]
    assert entry.event.outcome == "failed"
    return entry.event.message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tasks": np.array(["one", "four"])}, "images of task 'four'; the pack file has one, two, three"),
        ({"labels": np.array([0, 3])}, "label 3 at index 1 is out of range; labels of task 'one' go from 0 to 2"),
        ({"labels": np.array([0, -1])}, "label -1 at index 1 is out of range"),
        ({"labels": np.array([0])}, "has 2 images, 1 labels and 2 tasks"),
        ({"images": np.zeros((2, 8, 8), np.float32)}, "images are uint8"),
        ({"images": np.zeros((2, 8, 8, 4), np.uint8)}, "channel"),
        ({"tasks": np.array(["one", object()], object)}, "would have to be unpickled"),
        ({"tasks": None}, "has no tasks; it needs images, labels, tasks"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_error_names_what_is_wrong_with_mixed_data(world, tmp_path, changes, says):
    arrays = {"images": np.zeros((2, 8, 8), np.uint8), "labels": np.array([0, 1]), "tasks": np.array(["one", "one"])}
    arrays |= changes
    np.savez(tmp_path / "mixed.npz", **{key: value for key, value in arrays.items() if value is not None})
    assert says in failure(world[0], Evaluate(mixed=str(tmp_path / "mixed.npz")))


def test_the_error_names_a_task_without_images_in_mixed_data(world, tmp_path):
    mixed = mixture(world, tmp_path / "mixed.npz", ("one", "three"))
    assert "has no images of task 'two'; of one, three" in failure(world[0], Evaluate(tasks=("two",), mixed=str(mixed)))
