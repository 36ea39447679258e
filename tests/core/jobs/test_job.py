"""A job is a list of phases: those of each command, where a checkpoint resumes, and its last event, however it ends."""

import signal
import subprocess
import sys
import threading
from contextlib import closing

import msgspec
import pytest
from msgspec.structs import replace

from packnet_core.errors import WorkError
from packnet_core.jobs import journal, run_job
from packnet_core.jobs.job import phases, phases_left
from packnet_core.jobs.journal import Journal
from packnet_core.jobs.phases import EndPhase, OpenTask, Training
from packnet_core.jobs.prune import MeasureBefore, PruneStep
from packnet_core.jobs.ratio_search import EndTrial, NextTrial
from packnet_core.jobs.session import Session
from packnet_core.jobs.unfinished import Unfinished, unfinished
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Prune, Train
from packnet_core.schema.events import Epoch, JobFinished, Note, TrainStep
from packnet_core.schema.recipes import Recipe
from tests.core.small_documents import document, task
from tests.worlds import QUICK, add, images, pack_file, work

RECIPE = Recipe()
HALF = Prune(ratio=0.5)
SEARCH = Prune(ratio=0.9, max_drop=1.0, trials=3)


def test_the_phases_of_each_command():
    assert phases(Add(task="a", data="/x"), RECIPE, None) == [OpenTask(), Training("train"), EndPhase("trained")]
    assert phases(Add(task="a", data="/x", prune=0.5, steps=2), RECIPE, None) == [
        OpenTask(), Training("train"), EndPhase("trained"), MeasureBefore(),
        PruneStep(replace(HALF, steps=2), 1), Training("retrain", 1),
        PruneStep(replace(HALF, steps=2), 2), Training("retrain", 2), EndPhase("retrained"),
    ]  # fmt: skip
    assert phases(HALF, replace(RECIPE, retrain_epochs=0), task()) == [
        MeasureBefore(), PruneStep(HALF, 1), EndPhase("pruned"),
    ]  # fmt: skip
    assert phases(SEARCH, RECIPE, task()) == [MeasureBefore(search=True), NextTrial(SEARCH), EndPhase("retrained")]
    assert phases(Train(), RECIPE, task(phase="trained")) == [Training("train"), EndPhase("trained")]
    assert phases(Train(), RECIPE, task(phase="pruned")) == [Training("retrain"), EndPhase("retrained")]


def stopped(command, phase, step=1, trials=()):
    return Checkpoint(base="", command=command, phase=phase, document=document(task(phase="pruned")), before=10.0,
                      run={}, step=step, trials=trials)  # fmt: skip


@pytest.mark.parametrize("command", [Add(task="a", data="/x", prune=0.5, steps=3), replace(HALF, steps=3)])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_pruning_in_steps_resumes_at_the_retraining_of_its_step(command, step):
    whole = phases(command, RECIPE, None)
    left = phases_left(stopped(command, "retrain", step), RECIPE)
    assert left[0] == Training("retrain", step)
    assert left == whole[-len(left) :]


def test_training_resumes_with_all_that_follows_it():
    command = Add(task="a", data="/x", prune=0.5)
    assert phases_left(stopped(command, "train"), RECIPE) == phases(command, RECIPE, None)[1:]
    assert phases_left(stopped(Train(), "retrain"), RECIPE) == [
        Training("retrain"), EndPhase("retrained"),
    ]  # fmt: skip


def test_nothing_pruned_yet_resumes_at_the_beginning_of_the_pruning():
    command = Add(task="a", data="/x", prune=0.5)
    assert phases_left(stopped(command, "retrain", 0), RECIPE) == phases(command, RECIPE, None)[3:]


def test_a_search_resumes_in_the_trial_it_was_stopped_in():
    first = phases_left(stopped(SEARCH, "retrain"), RECIPE)
    assert first == [Training("retrain"), EndTrial(SEARCH, 0.9), NextTrial(SEARCH), EndPhase("retrained")]
    second = phases_left(stopped(SEARCH, "retrain", trials=((0.9, 50.0),)), RECIPE)
    assert second[1] == EndTrial(SEARCH, 0.45)
    over = phases_left(stopped(SEARCH, "retrain", trials=((0.9, 10.5),)), RECIPE)  # the largest ratio fits
    assert over == [EndPhase("retrained")]


@pytest.fixture
def path(tmp_path):
    return pack_file(tmp_path / "net.safetensors")


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz")


def last_word(path):
    entries = journal.read(Paths(path).journal)
    finished = [entry.event for entry in entries if isinstance(entry.event, JobFinished)]
    assert len(finished) == 1
    assert entries[-1].event is finished[0]
    return finished[0]


def test_a_caller_that_stops_reading_leaves_a_checkpoint_and_a_last_event(path, data):
    entries = run_job.run(path, add("one", data))
    for entry in entries:
        if isinstance(entry.event, TrainStep):
            break
    entries.close()
    assert last_word(path).outcome == "stopped"
    assert "resumes it" in last_word(path).message
    assert unfinished(Paths(path), read_header(path).document).checkpoint


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_of_the_caller_leaves_a_last_event(path, data, error):
    entries = run_job.run(path, add("one", data))
    next(entry for entry in entries if isinstance(entry.event, Epoch))
    with pytest.raises(error):
        entries.throw(error())
    assert last_word(path).outcome == "stopped"


def test_a_finished_job_has_one_last_event_even_if_the_caller_stops_reading(path, data):
    with closing(run_job.run(path, add("one", data))) as entries:
        next(entry for entry in entries if isinstance(entry.event, JobFinished))
    assert last_word(path).outcome == "done"


def test_a_failure_of_the_disk_in_the_work_is_the_last_word(path, data, monkeypatch):
    def refuse(*_):
        raise WorkError("no space left")

    monkeypatch.setattr(Session, "save", refuse)
    assert "no space left" in list(run_job.run(path, add("one", data)))[-1].event.message
    assert last_word(path).outcome == "failed"


def test_a_stop_before_anything_was_trained_keeps_nothing(path, data):
    session, stop = Session(path), threading.Event()
    session.paths.folder.mkdir(exist_ok=True)
    with closing(Journal(session.paths.journal)) as writer:
        entries = run_job.perform(session, writer, 1, add("one", data), stop)
        next(entries)
        entries.close()
    assert last_word(path).message == "add one --prune 0.5: stopped; nothing changed"
    assert not session.paths.checkpoint.exists()


def test_a_job_stopped_by_closing_its_generator_resumes_to_the_same_bits(tmp_path, data):
    undisturbed, disturbed = pack_file(tmp_path / "a.safetensors"), pack_file(tmp_path / "b.safetensors")
    command = add("one", data, recipe=replace(QUICK, epochs=3), prune=0.5)
    work(undisturbed, command)
    entries = run_job.run(disturbed, command)
    for _ in range(2):
        next(entry for entry in entries if isinstance(entry.event, Epoch))
    entries.close()
    work(disturbed, Train())
    digests = [read_header(path).document.tasks[0].digest for path in (undisturbed, disturbed)]
    assert digests[0] == digests[1]


def killed(path, command, event):
    """Run a command in its own process, and kill it at the first event of a kind."""
    script = (
        "import os, signal, sys, msgspec\n"
        "from packnet_core.jobs import run_job\n"
        "from packnet_core.schema.commands import Command\n"
        "for entry in run_job.run(sys.argv[1], msgspec.json.decode(sys.argv[2], type=Command)):\n"
        "    if type(entry.event).__name__ == sys.argv[3]:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path), msgspec.json.encode(command).decode(), event])
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("event", ["PhaseStarted", "TrainStep", "Epoch", "Saved", "Pruned", "Evaluated"])
def test_an_addition_killed_at_any_event_is_resumed_to_the_same_bits(tmp_path, data, event):
    """Without waiting for the first checkpoint of a phase: each phase begins with one."""
    undisturbed, disturbed = pack_file(tmp_path / "a.safetensors"), pack_file(tmp_path / "b.safetensors")
    command = add("one", data)
    work(undisturbed, command)
    killed(disturbed, command, event)
    work(disturbed, Train())
    digests = [read_header(path).document.tasks[0].digest for path in (undisturbed, disturbed)]
    assert digests[0] == digests[1]


def test_an_addition_killed_before_its_first_phase_has_to_be_repeated(path, data):
    work(path, add("one", data))
    killed(path, add("two", data), "JobStarted")
    last = list(run_job.run(path, Train()))[-1].event
    assert last.status == 2
    assert f"do it again: packnet add FILE two --data {data} --prune 0.5" in last.message
    assert [task.name for task in read_header(path).document.tasks] == ["one"]
    work(path, add("two", data))
    left = unfinished(Paths(path), read_header(path).document)
    assert left == Unfinished()


def test_a_job_that_ends_close_to_chance_says_so_last_and_what_helps(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    untrained = add(
        "mnist", images(tmp_path / "data.npz", classes=6), recipe=replace(QUICK, epochs=0, retrain_epochs=0)
    )
    *_, said, end = (entry.event for entry in work(path, untrained))
    assert isinstance(said, Note)
    assert said.level == "warning"
    assert said.text.endswith("train it with --recipe best")
    assert isinstance(end, JobFinished)
    task = read_header(path).document.tasks[0]
    assert f"mnist: test error {task.error.top1:.2f} %, " in said.text
    notes = [e.event for e in work(path, Train(recipe={"retrain_epochs": 20})) if isinstance(e.event, Note)]
    assert read_header(path).document.tasks[0].error.top1 < 20
    assert not any("chance" in note.text for note in notes)
