"""Commands on a file, in this process: what they change, what they leave, and how they fail."""

import os
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from packnet_core.errors import WorkError
from packnet_core.jobs import job, journal, run_job
from packnet_core.jobs.history import read_history
from packnet_core.jobs.session import Session
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Drop, Evaluate, Prune, Train
from packnet_core.schema.events import (
    Checked,
    Epoch,
    Evaluated,
    GivenUp,
    JobFinished,
    Note,
    Occupancy,
    PhaseStarted,
    Progress,
    Pruned,
    TrainStep,
)
from tests.worlds import QUICK, add, images, pack_file, stop_after, work


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz")


@pytest.fixture
def path(tmp_path, data):
    """A file with one task, pruned by half."""
    path = pack_file(tmp_path / "net.safetensors")
    work(path, add("one", data))
    return path


def fail(path, command):
    entries = list(run_job.run(path, command))
    assert entries[-1].event.outcome == "failed"
    return entries[-1].event


def test_training_yields_typed_events_in_order(path, data):
    entries = work(path, add("two", data))
    kinds = [type(entry.event) for entry in entries]
    assert kinds.count(TrainStep) == 3 * 4  # two epochs and one of retraining, 54 images in batches of 16
    assert kinds.count(Epoch) == 3
    assert [e.event.phase for e in entries if isinstance(e.event, PhaseStarted)] == ["train", "retrain"]
    steps = [e.event for e in entries if isinstance(e.event, TrainStep)]
    assert [s.step for s in steps] == [*range(1, 9), *range(1, 5)]
    assert [s.lr for s in steps] == [pytest.approx(lr) for lr in [0.05] * 4 + [0.005] * 4 + [0.005] * 4]
    assert steps[-1].seconds_left == 0
    assert all(s.images_per_second > 0 for s in steps)
    pruned = next(e.event for e in entries if isinstance(e.event, Pruned))
    assert pruned.freed + pruned.kept == sum(round(0.5 * n.weights) for n in read_header(path).document.layers)
    assert isinstance(entries[-1].event, JobFinished)


def test_pruning_frees_exactly_the_share_asked_for_in_every_layer(path, data):
    work(path, add("two", data, prune=None))
    before = read_header(path).document
    work(path, Prune(ratio=0.3, layers={"hidden": 0.9}, recipe={"retrain_epochs": 0}))
    after = read_header(path).document
    assert after.tasks[-1].phase == "pruned"
    for old, new in zip(before.layers, after.layers, strict=True):
        ratio = 0.9 if old.name == "hidden.weight" else 0.3
        assert new.owned[0] == old.owned[0]
        assert new.owned[1] == old.owned[1] - round(ratio * old.owned[1])


def test_a_diverged_training_is_never_kept(path, data):
    before = path.read_bytes()
    failed = fail(path, add("two", data, recipe=replace(QUICK, lr=1e30, epochs=5)))
    assert failed.status == 1
    assert "at step" in failed.message
    assert "smaller learning rate" in failed.message
    assert path.read_bytes() == before
    assert not Paths(path).checkpoint.exists()


def test_a_diverged_retraining_leaves_the_trained_task(path, data):
    work(path, add("two", data, prune=None))
    before = path.read_bytes()
    fail(path, Prune(ratio=0.5, recipe={"retrain_lr": 1e30, "retrain_epochs": 5}))
    assert path.read_bytes() == before


def test_a_file_that_another_program_changed_is_left_unchanged(path, data):
    """Even if it changed: the job's result belongs to the file that it began with, and gets one of its own."""
    events = job.events(Session(path), add("two", data))
    next(events)
    os.utime(path, ns=(0, 0))  # as if another program had written it
    with pytest.raises(WorkError, match="was changed by something else while this job ran") as told:
        list(events)
    assert [task.name for task in read_header(path).document.tasks] == ["one"]
    own = Path(str(told.value).split()[-1])
    assert [task.name for task in read_header(own).document.tasks] == ["one", "two"]
    assert all(checked.ok for checked in verify(own))
    assert all(checked.ok for checked in verify(path))


def test_evaluating_changes_nothing_and_goes_to_the_journal(path):
    before = path.read_bytes()
    work(path, Evaluate())
    assert path.read_bytes() == before
    last = [e.event for e in journal.read(Paths(path).journal) if isinstance(e.event, Evaluated)][-1]
    assert last.error == read_header(path).document.tasks[0].error


def test_an_evaluation_on_some_images_says_how_many_and_counts_for_no_drift(path, tmp_path):
    def measured(**where) -> tuple[int, int | None]:
        (found,) = [e.event for e in work(path, Evaluate(limit=6, **where)) if isinstance(e.event, Evaluated)]
        return found.error.images, found.of

    work(path, Evaluate())
    whole = read_history(Paths(path).journal).evaluations["one"]
    assert measured() == (6, 30)
    history = read_history(Paths(path).journal)
    assert history.evaluations["one"] == whole
    assert (history.samples["one"].error.images, history.samples["one"].of) == (6, 30)
    mixture = dict(np.load(read_header(path).document.tasks[0].data.source))
    mixed = {"images": mixture["test_images"][:9], "labels": mixture["test_labels"][:9], "tasks": np.array(["one"] * 9)}
    np.savez(tmp_path / "mixed.npz", **mixed)
    assert measured(mixed=str(tmp_path / "mixed.npz")) == (6, 9)
    assert read_history(Paths(path).journal).samples == history.samples
    work(path, Evaluate(limit=30))  # as many as there are
    assert read_history(Paths(path).journal).samples == {}


def test_dropping_frees_the_newest_and_the_older_stay_sealed(path, data):
    before = read_header(path).document
    work(path, add("two", data))
    work(path, Drop(task="two"))
    after = read_header(path).document
    assert [(task.name, task.phase) for task in after.tasks] == [("one", "sealed")]
    assert after.tasks[0].digest == before.tasks[0].digest
    assert after.free == before.free
    assert all(checked.ok for checked in verify(path))
    assert fail(path, Prune(ratio=0.5)).status == 2
    work(path, add("three", data))


def test_further_training_keeps_the_phase(path):
    work(path, Train(recipe={"epochs": 1}))
    document = read_header(path).document
    assert document.tasks[0].phase == "retrained"
    assert [step.what for step in document.history][-1] == "train"


def test_the_same_seed_gives_the_same_file(tmp_path, data):
    digests = set()
    for name in ("a", "b"):
        path = pack_file(tmp_path / f"{name}.safetensors")
        work(path, add("one", data))
        digests.add(read_header(path).document.tasks[0].digest)
    assert len(digests) == 1


def test_a_damaged_file_is_not_trained_on(path, data):
    header = read_header(path)
    name = header.document.layers[0].name
    raw = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(raw[:8], "little") + header.tensors[name].data_offsets[0]
    at = next(i for i in range(start, len(raw), 4) if any(raw[i : i + 4]))
    raw[at] ^= 1
    path.write_bytes(raw)
    assert "digest" in fail(path, add("two", data)).message


def test_a_file_replaced_between_two_jobs_is_read_again(path, data, tmp_path):
    session = Session(path)
    other = pack_file(tmp_path / "other.safetensors")
    work(other, add("another", data))
    path.write_bytes(other.read_bytes())
    events = list(job.events(session, Evaluate()))
    assert [e.task for e in events if isinstance(e, Evaluated)] == ["another"]


def test_missing_data_names_the_path_and_other_data_may_be_given(path, data, tmp_path):
    moved = tmp_path / "moved.npz"
    data.rename(moved)
    assert "data.npz" in fail(path, Evaluate()).message
    work(path, Evaluate(data=str(moved)))


def test_data_with_other_classes_is_refused(path, tmp_path):
    other = images(tmp_path / "other.npz", classes=4)
    assert "classes" in fail(path, Evaluate(data=str(other))).message


def test_occupancy_is_reported_when_it_changes(path, data):
    entries = work(path, add("two", data))
    found = [e.event for e in entries if isinstance(e.event, Occupancy)]
    assert [o.phase for o in found] == ["trained", "trained", "pruned", "retrained"]
    document = read_header(path).document
    assert found[-1].layers == {layer.name: list(layer.owned) for layer in document.layers}


def test_giving_up_an_interrupted_job_is_reported(path, data):
    stop = run_job.threading.Event()
    for entry in run_job.run(path, add("two", data), stop):
        if isinstance(entry.event, TrainStep):
            stop.set()
    entries = work(path, Prune(ratio=0.1, yes=True))
    assert any(isinstance(e.event, GivenUp) and e.event.task == "two" for e in entries)
    assert not Paths(path).checkpoint.exists()


def test_a_stopped_evaluation_says_that_nothing_changed_also_beside_an_interrupted_job(path, data):
    for command, expected in ((add("two", data), "packnet train"), (Evaluate(), "nothing changed")):
        stop = run_job.threading.Event()
        for entry in run_job.run(path, command, stop):
            if isinstance(entry.event, TrainStep | Progress):
                stop.set()
            finished = entry.event
        assert finished.outcome == "stopped"
        assert expected in finished.message


def test_further_training_that_is_stopped_can_be_resumed(path):
    session = Session(path)
    stop_after(job.events(session, Train(recipe={"epochs": 1})), TrainStep, 1)
    assert session.paths.checkpoint.exists()
    for _ in job.events(session, Train()):
        pass
    assert read_header(path).document.history[-1].what == "train"
    assert not session.paths.checkpoint.exists()


def test_after_further_training_was_stopped_the_next_job_starts_from_the_file(path, data):
    session = Session(path)
    first = [e.error for e in job.events(session, Evaluate()) if isinstance(e, Evaluated)]
    stop_after(job.events(session, Train(recipe={"epochs": 1, "lr": 1.0})), TrainStep, 1)
    again = list(job.events(session, Evaluate()))
    assert [e.error for e in again if isinstance(e, Evaluated)] == first
    assert all(e.ok for e in again if isinstance(e, Checked))
    for _ in job.events(session, add("two", data, yes=True)):
        pass
    assert all(checked.ok for checked in verify(path))


def test_evaluating_checks_the_digest_of_each_task_evaluated_after_its_results(path, data):
    work(path, add("two", data))
    entries = work(path, Evaluate(tasks=("two",)))
    assert [e.event for e in entries if isinstance(e.event, Checked)] == [Checked(task="two", ok=True)]
    kinds = [type(e.event) for e in entries]
    assert kinds.index(Evaluated) < kinds.index(Checked)


def test_training_checks_the_digest_of_every_task_first(path, data):
    entries = work(path, add("two", data))
    kinds = [type(e.event) for e in entries]
    assert [e.event for e in entries if isinstance(e.event, Checked)] == [Checked(task="one", ok=True)]
    assert kinds.index(Checked) < kinds.index(TrainStep)


def test_an_evaluation_reports_weights_that_do_not_fit_their_digest(path):
    session = Session(path)
    weight = next(iter(session.network.weights.values()))
    weight.data.view(-1)[weight.data.view(-1) != 0] *= 2
    events = list(job.events(session, Evaluate()))
    assert Checked(task="one", ok=False) in events
    assert any(isinstance(e, Note) and e.level == "warning" and "packnet verify" in e.text for e in events)


def test_a_session_reads_the_same_data_again_only_if_it_changed(path, data, tmp_path):
    session = Session(path)
    list(job.events(session, Evaluate()))
    first = session._loaded
    kept = {read: loaded for read, (_, loaded) in first.items()}
    list(job.events(session, Evaluate()))
    assert {read: loaded for read, (_, loaded) in session._loaded.items()} == kept
    images(data, seed=1)
    list(job.events(session, Evaluate()))
    assert all(loaded is not kept[read] for read, (_, loaded) in session._loaded.items())
