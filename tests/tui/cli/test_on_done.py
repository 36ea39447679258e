"""`--on-done CMD`: run once when the job has ended, told by its environment alone, and never in the way of the job."""

import os
import signal

import pytest

from packnet_core.engine import client
from packnet_core.jobs import journal
from packnet_core.jobs.history import Run
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.document import Error
from packnet_core.schema.events import TrainStep
from packnet_tui.cli.main import packnet
from packnet_tui.cli.on_done import run_command, variables
from tests.end_to_end.processes import kill_engine
from tests.tui.cli.conftest import one_line
from tests.waiting import until, until_event
from tests.worlds import add, images, pack_file, work

HOSTILE = "$(touch pwned); touch pwned `touch pwned` ' \" $HOME"
TELL = "env | grep ^PACKNET_ | sort > told; echo again >> count"
LONG = ["--epochs", "100000", "--lr", "0.0001", "--batch-size", "16"]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = pack_file(tmp_path / "net.safetensors")
    work(found, add(HOSTILE, images(tmp_path / "data.npz", train=200)))
    return found


def told(folder) -> dict[str, str]:
    """What the command was told, if it was run once."""
    assert (folder / "count").read_text() == "again\n"
    (folder / "count").unlink()
    return dict(line.split("=", 1) for line in (folder / "told").read_text().splitlines())


def test_it_has_the_job_in_its_environment_and_a_name_never_becomes_a_command(path, tmp_path, capsys):
    assert (
        packnet(["eval", "net.safetensors", HOSTILE, "--on-done", f'echo "$PACKNET_TASK" $PACKNET_COMMAND; {TELL}'])
        == 0
    )
    found = told(tmp_path)
    error = float(found.pop("PACKNET_ERROR"))
    assert 0 <= error <= 100
    assert float(found.pop("PACKNET_SECONDS")) >= 0
    assert found == {
        "PACKNET_FILE": str(path),
        "PACKNET_JOB": "2",
        "PACKNET_COMMAND": f"eval {HOSTILE}",
        "PACKNET_OUTCOME": "done",
        "PACKNET_MESSAGE": f"eval {HOSTILE}: done",
        "PACKNET_TASK": HOSTILE,
        "PACKNET_IMAGES": "30",
    }
    assert not (tmp_path / "pwned").exists()


def test_control_characters_of_a_name_reach_the_command_as_text():
    run = Run(7, 1.0, Evaluate(tasks=("a\x1b[2J\n",)), outcome="failed", message="no\x00data", tasks=("a\x1b[2J\n",))
    found = variables("net.safetensors", run)
    assert found["PACKNET_TASK"] == r"a\x1b[2J\n"
    assert all(text.isprintable() for text in found.values())
    assert os.path.isabs(found["PACKNET_FILE"])


@pytest.mark.parametrize(
    ("command", "says"),
    [("exit 3", "with status 3"), ("nosuchcommand", "with status 127"), ("kill -9 $$", "by signal 9")],
)
def test_a_command_that_fails_is_one_line_and_the_job_keeps_its_status(path, run, command, says):
    result = run("eval", path, "--on-done", command)
    assert result.returncode == 0
    assert f"packnet: --on-done ended {says}" in result.stderr.splitlines()[-1]


def test_its_output_is_not_among_the_events(path, run):
    result = run("eval", path, "--json", "--on-done", "echo hello")
    assert (result.returncode, result.stderr) == (0, "hello\n")
    assert all(line.startswith("{") for line in result.stdout.splitlines())


def test_a_command_that_hangs_is_left_alone(tmp_path):
    run = Run(1, 1.0, Evaluate(), outcome="done")
    problem = run_command("exec sleep 600", tmp_path / "net.safetensors", run, patience=0.2)
    assert "still runs after 0.2 s and is left alone" in problem
    os.kill(int(problem.split()[-1]), signal.SIGKILL)


def test_what_a_failing_command_said_last_is_told(tmp_path):
    run = Run(1, 1.0, Evaluate(), outcome="done", errors={"a": Error(top1=1.0, top5=None, images=9)})
    problem = run_command("echo first >&2; printf 'no \\033[2Jmail' >&2; exit 4", tmp_path / "net", run)
    assert problem == r"--on-done ended with status 4: no \x1b[2Jmail"


def test_a_job_that_fails_or_is_stopped_is_told_too(path, tmp_path, begin, run):
    result = run("add", path, "two", "--data", tmp_path / "data.npz", "--lr", "1e30", "--epochs", 1, "--on-done", TELL)
    assert result.returncode == 1
    found = told(tmp_path)
    assert (found["PACKNET_OUTCOME"], found["PACKNET_TASK"], found["PACKNET_ERROR"]) == ("failed", "two", "")
    assert "diverged" in found["PACKNET_MESSAGE"]
    working = begin("add", path, "two", "--data", tmp_path / "data.npz", *LONG, "--on-done", TELL)
    until_event(path, TrainStep, job=3)
    working.send_signal(signal.SIGINT)
    assert working.wait() == 1
    assert told(tmp_path)["PACKNET_OUTCOME"] == "stopped"


def test_a_request_that_is_refused_is_no_job(path, tmp_path, run):
    assert run("eval", path, "nosuch", "--on-done", TELL).returncode == 2
    assert run("watch", path, "--on-done", TELL).returncode == 0  # no job runs
    assert not (tmp_path / "count").exists()


def test_watch_and_a_command_in_an_engine_tell_the_end_also_of_an_engine_that_dies(path, tmp_path, begin):
    with client.start(path) as engine:
        working = begin("add", path, "two", "--data", tmp_path / "data.npz", *LONG)
        until_event(path, TrainStep, job=2)
        watching = begin("watch", path, "--on-done", TELL)
        watching.stdout.readline()
        kill_engine(path, engine)
        assert watching.wait() == 1
    found = told(tmp_path)
    assert (found["PACKNET_OUTCOME"], found["PACKNET_JOB"], found["PACKNET_TASK"]) == ("died", "2", "two")
    assert working.wait() == 1
    Paths(path).give_up()
    with client.start(path) as engine:
        following = begin("eval", path, "--on-done", TELL)
        assert following.wait() == 0
        found = told(tmp_path)
        assert (found["PACKNET_OUTCOME"], found["PACKNET_JOB"]) == ("done", "3")
        engine.leave()
        until(lambda: not Paths(path).is_locked(), "the engine to end")
    assert max(entry.job for entry in journal.read(Paths(path).journal)) == 3


def test_after_a_colon_it_has_no_place(path):
    from packnet_core.errors import RequestError
    from packnet_tui.workbench.command_line import parse

    with pytest.raises(RequestError, match="--on-done is for a shell"):
        parse("eval --on-done true", path)


def test_an_unknown_way_to_notify_is_refused(run):
    assert "bell" in one_line(run("open", "net.safetensors", "--notify", "loud", program="packnet-tui").stderr)
