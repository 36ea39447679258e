"""Jobs keep the best epoch of each phase, also when they are stopped and resumed."""

import shutil

import pytest
from msgspec.structs import replace

from packnet_core.jobs import job, run_job
from packnet_core.jobs.session import Session
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Prune, Train
from packnet_core.schema.events import Epoch, Note, TrainStep
from packnet_core.schema.recipes import Recipe
from tests.worlds import add, copied, same, stop_after, used, work

STEEP = Recipe(lr=0.2, momentum=0.5, epochs=4, decay_epoch=4, retrain_epochs=4, retrain_lr=0.2, batch_size=16)


def notes(events) -> list[str]:
    return [e.text for e in events if isinstance(e, Note) and "is taken" in e.text]


def test_a_job_keeps_the_best_epoch_of_each_phase_and_removes_its_file(path, noise):
    last = copied(path, "last.safetensors")
    entries = work(path, add("two", noise, recipe=STEEP))
    taken = notes(entry.event for entry in entries)
    assert len(taken) == 2  # otherwise this test needs other noise
    work(last, add("two", noise, recipe=replace(STEEP, pick="last")))
    assert not same(used(path, 2), used(last, 2))
    assert read_header(last).document.tasks[-1].recipe.pick == "last"
    assert not list(Paths(path).folder.glob("epoch-*"))


@pytest.mark.parametrize("command", [
    {"prune": 0.5}, {"prune": 0.5, "steps": 2, "own": ("norms",)}
], ids=["at once", "in steps"])  # fmt: skip
def test_a_job_stopped_anywhere_resumes_to_the_same_best_epochs(path, noise, command):
    whole = copied(path, "whole.safetensors")
    order = add("two", noise, recipe=STEEP, **command)
    entries = work(whole, order)
    assert len(notes(e.event for e in entries)) >= 2  # otherwise this test needs other noise
    one, steps = used(path, 1), sum(isinstance(e.event, (TrainStep, Epoch)) for e in entries)
    for count in range(3, steps + 1, 7):
        trial = copied(path, "trial.safetensors")
        shutil.rmtree(Paths(trial).folder, ignore_errors=True)
        Paths(trial).folder.mkdir()
        stop_after(job.events(Session(trial), order), (TrainStep, Epoch), count)
        work(trial, Train())
        assert same(used(whole, 2), used(trial, 2)), count
        assert same(one, used(trial, 1))
        assert not list(Paths(trial).folder.glob("epoch-*"))
    assert all(check.ok for check in verify(whole))


def test_a_checkpoint_older_than_the_best_epoch_resumes_to_the_same_bits(path, noise):
    """As after a power cut: the checkpoint is from the first retraining, and the second had begun."""
    whole, folder = copied(path, "whole.safetensors"), Paths(path).folder
    order = add("two", noise, recipe=replace(STEEP, epochs=2, retrain_epochs=4), steps=2)
    entries = work(whole, order)
    for old, new in ((11, 13), (20, 34), (40, 60), (40, 69)):  # steps, 7 per epoch: 2 epochs, then twice 4
        trial = copied(path, "trial.safetensors")
        paths = Paths(trial)
        shutil.rmtree(paths.folder, ignore_errors=True)
        paths.folder.mkdir()
        session = Session(trial, checkpoint_seconds=1e9)
        done, events = 0, job.events(session, order)
        for event in events:
            done += isinstance(event, TrainStep)
            session.checkpoint_seconds = -1.0 if done == old else 1e9
            if done == new:
                break
        kept = {file.name: file.read_bytes() for file in paths.folder.iterdir()}
        events.close()  # writes a checkpoint, which a power cut does not
        for file in paths.folder.iterdir():
            file.unlink()
        for name, content in kept.items():
            (paths.folder / name).write_bytes(content)
        work(trial, Train())
        assert same(used(whole, 2), used(trial, 2)), (old, new)
    assert folder.exists()
    assert notes(e.event for e in entries)


def test_a_job_whose_best_epoch_is_missing_fails_with_an_error_and_can_be_given_up(path, noise):
    order = add("two", noise, recipe=STEEP)
    stop_after(job.events(Session(path), order), Epoch, 3)
    (kept,) = Paths(path).folder.glob("epoch-*")
    kept.unlink()
    finished = list(run_job.run(path, Train()))[-1].event
    assert finished.outcome == "failed"
    assert "the best so far, is gone" in finished.message
    assert "--yes" in finished.message
    work(path, replace(order, yes=True))


def test_giving_up_an_interrupted_job_deletes_its_best_epoch(path, noise):
    stop_after(job.events(Session(path), add("two", noise, recipe=STEEP)), Epoch, 3)
    assert list(Paths(path).folder.glob("epoch-*"))
    work(path, Prune(ratio=0.1, recipe={"retrain_epochs": 0}, yes=True))
    assert not list(Paths(path).folder.glob("epoch-*"))


def test_retraining_that_is_worse_than_none_is_not_kept(path, noise):
    work(path, add("two", noise, prune=None))
    bare, harmed = copied(path, "bare.safetensors"), copied(path, "harmed.safetensors")
    work(bare, Prune(ratio=0.5, recipe={"retrain_epochs": 0}))
    entries = work(harmed, Prune(ratio=0.5, recipe={"retrain_epochs": 2, "retrain_lr": 50.0}))
    assert any("no epoch of this phase was better" in note for note in notes(e.event for e in entries))
    tasks = [read_header(copy).document.tasks[-1] for copy in (bare, harmed)]
    assert tasks[0].weights_digest == tasks[1].weights_digest
    assert tasks[0].error == tasks[1].error
