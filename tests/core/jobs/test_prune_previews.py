"""Previews of pruning: they measure what pruning would do, and change nothing."""

import pytest
import torch

from packnet_core.jobs import job, run_job
from packnet_core.jobs.session import Session
from packnet_core.schema.commands import Preview, Prune
from packnet_core.schema.events import PhaseStarted, Previewed, Progress, Pruned, TrainStep
from tests.worlds import add, images, pack_file, stop_after, work


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz")


@pytest.fixture
def path(tmp_path, data):
    """A file with one task, pruned by half."""
    path = pack_file(tmp_path / "net.safetensors")
    work(path, add("one", data))
    return path


def everything(path) -> list[bytes]:
    """All that a file and its network are: the file's bytes, and those in memory."""
    return [path.read_bytes(), *(file.read_bytes() for file in sorted(path.parent.glob("*.packnet/checkpoint*")))]


def test_a_preview_measures_what_pruning_would_and_changes_nothing(path, data):
    work(path, add("two", data, prune=None))
    before = everything(path)
    entries = work(path, Preview(ratios=(0.75, 0.0, 1.0)))
    seen = {e.event.ratio: e.event for e in entries if isinstance(e.event, Previewed)}
    assert everything(path) == before
    assert list(seen) == [0.75, 0.0, 1.0]
    assert {event.images for event in seen.values()} == {6}  # a tenth of the training images
    pruned = {}
    for ratio in seen:
        path.write_bytes(before[0])
        entries = work(path, Prune(ratio=ratio, recipe={"retrain_epochs": 0}, yes=True))
        pruned[ratio] = next(e.event.after for e in entries if isinstance(e.event, Pruned))
    assert {ratio: event.error for ratio, event in seen.items()} == pruned


def test_a_preview_that_is_stopped_leaves_the_network_as_it_was(path, data):
    session = Session(path)
    weights = {name: weight.detach().clone() for name, weight in session.network.weights.items()}
    owners = {name: owner.clone() for name, owner in session.network.owners.items()}
    events = job.events(session, Preview(ratios=(0.9, 0.5)))
    assert isinstance(next(event for event in events if not isinstance(event, PhaseStarted)), Progress)
    assert all(torch.equal(weights[n], w) for n, w in session.network.weights.items())  # also during a job
    events.close()
    assert all(torch.equal(weights[n], w) for n, w in session.network.weights.items())
    assert all(torch.equal(owners[n], o) for n, o in session.network.owners.items())


def test_a_preview_needs_an_open_task_and_leaves_a_stopped_job_alone(tmp_path, path, data):
    empty = pack_file(tmp_path / "empty.safetensors")
    assert "there is no task to be pruned yet" in list(run_job.run(empty, Preview()))[-1].event.message
    stop_after(job.events(Session(path), add("two", data)), TrainStep, 1)
    kept = everything(path)
    assert len(kept) == 2
    work(path, Preview(ratios=(0.5,)))
    assert everything(path) == kept
