"""`packnet watch` and `stop` while another process writes the journal."""

import json

import pytest

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add
from packnet_core.schema.events import (
    EngineStarted,
    Epoch,
    JobFinished,
    JobQueued,
    JobStarted,
    PhaseStarted,
    Saved,
    TrainStep,
)
from packnet_tui.cli.main import packnet
from tests.tui.cli import handmade
from tests.tui.cli.conftest import one_line

ADD = Add(task="cubs", data="d.npz")
QUEUED = JobQueued(command=ADD)
STARTED = JobStarted(command=ADD, pid=4711, device="cpu")
PHASE = PhaseStarted(phase="train", task="cubs", epochs=2, images=90)
STEP = TrainStep(task="cubs", epoch=1, step=1, steps=9, loss=1, error=5, lr=0.1, images_per_second=9, seconds_left=9)
DONE = JobFinished(outcome="done", message="add cubs: done", seconds=1, status=0)


def epoch(number: int) -> Epoch:
    return Epoch(
        phase="train", task="cubs", epoch=number, epochs=2, step=number, loss=1, error=5, validation_loss=None,
        validation_error=None, seconds=1,
    )  # fmt: skip


@pytest.fixture
def held(file):
    """The file's lock, held as an engine would."""
    with Paths(file).locked():
        yield


def test_follows_the_running_job_from_its_start_to_its_end(file, begin, held):
    writer = handmade.journal(file, QUEUED, STARTED, DONE)
    for event in (QUEUED, STARTED, PHASE):
        writer.write(event, 2)
    watching = begin("watch", file)
    read = watching.stdout.readline
    assert read() == "job 2 is queued: add cubs\n"
    assert read() == "job 2 starts on cpu: add cubs\n"
    assert read() == "training cubs: 2 epochs of 90 images\n"
    for number in (1, 2):  # what is written while it watches
        writer.write(STEP, 2)
        writer.write(epoch(number), 2)
        assert read() == f"train cubs {number}/2  loss 1.0000  training error   5.00 %  1.0 s\n"
    writer.write(QUEUED, 3)  # another job is no matter
    writer.write(Saved(bytes=2000), 2)
    writer.write(DONE, 2)
    assert watching.communicate() == ("file saved, 2.0 kB\nadd cubs: done in 1.0 s\n", "")
    assert watching.returncode == 0


def test_an_incomplete_line_is_not_shown_yet(file, begin, held):
    paths = Paths(file)
    writer = handmade.journal(file, STARTED)
    watching = begin("watch", file)
    assert watching.stdout.readline() == "job 1 starts on cpu: add cubs\n"
    writer.write(Saved(bytes=1000), 1)
    line = paths.journal.read_bytes().splitlines()[-1]
    with open(paths.journal, "ab", buffering=0) as journal:
        journal.write(line[:20])
        assert watching.stdout.readline() == "file saved, 1.0 kB\n"
        journal.write(line[20:] + b"\n")
        assert watching.stdout.readline() == "file saved, 1.0 kB\n"
    writer.write(DONE, 1)
    assert watching.wait() == 0


@pytest.mark.parametrize(("outcome", "status"), [("failed", 2), ("stopped", 1)])
def test_exits_with_the_status_of_the_job(file, begin, held, outcome, status):
    writer = handmade.journal(file, STARTED)
    watching = begin("watch", file)
    watching.stdout.readline()
    writer.write(JobFinished(outcome=outcome, message="it was not to be", seconds=1, status=status), 1)
    out, err = watching.communicate()
    assert (out, watching.returncode) == ("", status)
    assert one_line(err) == "packnet: it was not to be"


def test_json_is_the_journal_itself(file, begin, held):
    writer = handmade.journal(file, STARTED)
    watching = begin("watch", file, "--json")
    first = watching.stdout.readline()
    writer.write(STEP, 1)
    writer.write(DONE, 1)
    out, _ = watching.communicate()
    shown = [json.loads(line) for line in (first + out).splitlines()]
    assert shown == [json.loads(line) for line in Paths(file).journal.read_text().splitlines()]
    assert [line["event"]["type"] for line in shown] == ["job-started", "step", "job-finished"]


def test_a_process_that_died_is_reported(file, begin):
    with Paths(file).locked():
        handmade.journal(file, STARTED)
        watching = begin("watch", file)
        watching.stdout.readline()
    out, err = watching.communicate()  # the lock is let go, and no end was written
    assert (out, watching.returncode) == ("", 1)
    assert "ended before its job was done" in one_line(err)


def test_the_end_of_a_dead_engines_log_is_shown(file, begin):
    with Paths(file).locked():
        handmade.journal(file, QUEUED, STARTED)
        Paths(file).log.write_text("some warning\nCUDA error: unhappy\n")
        watching = begin("watch", file)
        watching.stdout.readline()
    _, err = watching.communicate()
    assert "died; end of its log: CUDA error: unhappy" in one_line(err)


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([], "none was done yet"),
        ([QUEUED, STARTED, DONE], "ago: add cubs: done"),
        ([QUEUED, STARTED], "the last one was cut off; add cubs left nothing to resume; do it again: packnet add"),
    ],
)
def test_without_a_job_it_says_how_the_last_one_ended(file, capsys, events, says):
    handmade.journal(file, *events).close()
    assert packnet(["watch", str(file)]) == 0
    assert says in one_line(capsys.readouterr().err)


def test_a_job_that_an_earlier_engine_left_behind_is_not_running(file, capsys, held):
    writer = handmade.journal(file, QUEUED, STARTED)
    writer.write(EngineStarted(pid=1), 0)
    assert packnet(["watch", str(file)]) == 0
    assert "no job runs" in capsys.readouterr().err


def test_a_waiting_job_is_followed_too(file, begin, held):
    writer = handmade.journal(file, QUEUED)  # the engine is still warming up
    watching = begin("watch", file)
    assert watching.stdout.readline() == "job 1 is queued: add cubs\n"
    for event in (STARTED, DONE):
        writer.write(event, 1)
    assert watching.communicate() == ("job 1 starts on cpu: add cubs\nadd cubs: done in 1.0 s\n", "")


def test_stop_without_an_engine(file, capsys):
    assert packnet(["stop", str(file)]) == 0
    assert "no engine runs for model.safetensors" in capsys.readouterr().out


def test_stop_names_the_process_of_another_command(file, capsys, held):
    handmade.journal(file, STARTED)
    assert packnet(["stop", str(file)]) == 2
    assert "process 4711" in one_line(capsys.readouterr().err)
