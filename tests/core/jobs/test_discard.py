"""An interrupted job is given up by itself: its checkpoint goes, the file stays as it was last saved."""

import os

import pytest

import packnet_core as packnet
from packnet_core.engine.queue import Queue
from packnet_core.errors import RequestError
from packnet_core.jobs import run_job
from packnet_core.jobs.journal import Journal
from packnet_core.jobs.unfinished import Unfinished, unfinished
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Discard, Drop, Evaluate, Prune, Train
from packnet_core.schema.events import Epoch, Event, GivenUp, JobStarted, Occupancy, PhaseStarted, Resumed
from tests.worlds import add, work


def interrupt(path, command, after: type[Event] = Epoch, **fields) -> None:
    """Stop a job after its first event of a kind, and with these values."""
    entries = run_job.run(path, command)
    next(e for e in entries if isinstance(e.event, after) and fields.items() <= vars_of(e.event).items())
    entries.close()


def vars_of(event: Event) -> dict:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def left(path) -> Unfinished:
    return unfinished(Paths(path), read_header(path).document)


def refused(path, command) -> str:
    *_, end = run_job.run(path, command)
    assert (end.event.outcome, end.event.status) == ("failed", RequestError.status)
    return end.event.message


def test_the_checkpoint_and_the_best_epoch_go_and_the_file_stays(path, others):
    command, before = add("two", others, yes=True), path.read_bytes()
    interrupt(path, command)
    paths = Paths(path)
    assert paths.checkpoint.exists()
    assert list(paths.folder.glob("epoch-*"))
    events = [entry.event for entry in work(path, Discard())]
    assert [event for event in events if isinstance(event, GivenUp)] == [GivenUp(task="two", command=command)]
    assert path.read_bytes() == before
    assert not paths.checkpoint.exists()
    assert not list(paths.folder.glob("epoch-*"))
    assert left(path) == Unfinished()
    assert refused(path, Discard()) == "no interrupted job waits, so there is nothing to give up"
    work(path, command)


def test_of_an_addition_that_saved_its_task_the_task_stays_as_saved(path, others):
    interrupt(path, add("two", others, yes=True), PhaseStarted, phase="retrain")
    assert left(path).checkpoint.adds_to(read_header(path).document) is False
    before = path.read_bytes()
    work(path, Discard(task="two"))
    assert path.read_bytes() == before
    assert read_header(path).document.open_task.phase == "trained"
    work(path, Prune(ratio=0.5))


def test_a_resumed_job_says_which_one_it_resumes(path, others):
    command = add("two", others, yes=True)
    interrupt(path, command)
    events = [entry.event for entry in work(path, Train())]
    assert [event for event in events if isinstance(event, Resumed)] == [Resumed(task="two", command=command)]


@pytest.mark.parametrize("yes", [False, True])
def test_a_drop_takes_neither_task_while_the_next_one_is_unfinished(path, others, yes):
    work(path, add("two", others, yes=True))
    interrupt(path, add("three", others, yes=True))
    before = path.read_bytes()
    says = refused(path, Drop(task="two", yes=yes))
    assert says.startswith("nothing was dropped: an interrupted job waits, add three --prune 0.5; resume it: ")
    assert "give it up: packnet discard FILE" in says
    assert (path.read_bytes(), left(path).checkpoint.task) == (before, "three")


def test_a_job_that_left_nothing_or_a_damaged_checkpoint_can_be_given_up_too(path, others):
    command = add("two", others, yes=True)
    interrupt(path, command, JobStarted)  # it died before its checkpoint, and its end is not in the journal
    journal = Paths(path).journal
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    assert left(path).lost == command
    work(path, Discard())
    assert left(path) == Unfinished()
    interrupt(path, command)
    Paths(path).checkpoint.write_bytes(b"damaged")
    assert left(path).damaged
    work(path, Discard())
    assert left(path) == Unfinished()


def test_until_the_newest_checkpoint_is_gone_all_that_it_needs_is_there(path, others, monkeypatch, tmp_path):
    interrupt(path, add("two", others, yes=True))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    paths = Paths(path)
    paths.spare.parent.mkdir(parents=True)
    paths.spare.write_bytes(paths.beside.read_bytes())
    os.utime(paths.spare, ns=(1, 1))  # an older one, which could not be removed
    gone, unlink = [], type(path).unlink

    def watched(file, missing_ok=False):
        gone.append((file, Paths(path).checkpoint.exists(), list(paths.folder.glob("epoch-*")) != []))
        unlink(file, missing_ok=missing_ok)

    monkeypatch.setattr(type(path), "unlink", watched)
    paths.give_up()
    assert gone[:2] == [(paths.spare, True, True), (paths.beside, True, True)]
    assert not any(resumable for _, resumable, _ in gone[2:])


def test_the_api_gives_up_and_undoes(path, others):
    file = packnet.open(path, device="cpu")
    work(path, add("two", others, yes=True))
    whole = path.read_bytes()
    interrupt(path, Prune(ratio=0.5))
    file.discard()
    with pytest.raises(RequestError, match="nothing to give up"):
        file.discard()
    file.drop("two")
    assert file.undo().name == "two"
    assert path.read_bytes() == whole
    with pytest.raises(RequestError, match="was not a drop"):
        file.undo()


def test_while_jobs_run_no_checkpoint_is_given_up(path):
    paths = Paths(path)
    queue = Queue(paths, Journal(paths.journal))
    queue.submit(Evaluate())
    with pytest.raises(RequestError, match="jobs run or wait"):
        queue.submit(Discard())


def test_a_stop_in_the_last_evaluation_leaves_the_retrained_state_and_all_epochs_done(path, others):
    entries, live = run_job.run(path, add("two", others, yes=True)), None
    for entry in entries:
        if isinstance(entry.event, Occupancy):
            live = entry.event
            if live.phase == "retrained":
                break
    entries.close()
    checkpoint = left(path).checkpoint
    assert {layer.name: list(layer.owned) for layer in checkpoint.document.layers} == live.layers
    assert checkpoint.document.tasks[-1].phase == "retrained"
    assert (checkpoint.epoch, checkpoint.epochs) == (1, 1)
    events = [entry.event for entry in work(path, Train())]
    (again,) = [event for event in events if isinstance(event, PhaseStarted)]
    assert (again.epoch, again.epochs) == (2, 1)
