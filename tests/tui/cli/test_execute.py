"""Real work through the real command: here and in an engine, stopped, interrupted, hung up, resumed."""

import json
import os
import re
import signal

import pytest

from packnet_core.engine import client
from packnet_core.jobs import journal, run_job
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import Epoch, JobFinished, TrainStep
from tests.tui.cli.conftest import SCRIPTS, one_line
from tests.tui.cli.terminal import Terminal
from tests.waiting import until, until_event
from tests.worlds import add, images, pack_file, work

QUICKLY = ["--epochs", "2", "--retrain-epochs", "1", "--lr", "0.05", "--batch-size", "16"]
LONG = ["--epochs", "100000", "--lr", "0.0001", "--batch-size", "16"]


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz", train=200)


@pytest.fixture
def empty(tmp_path):
    return pack_file(tmp_path / "net.safetensors")


@pytest.fixture
def path(empty, data):
    """A file with one task, pruned by half."""
    work(empty, add("one", data))
    return empty


@pytest.fixture
def engine(path):
    with client.start(path) as engine:
        pid = engine.status().pid
        yield engine
    if Paths(path).is_locked():
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Paths(path).is_locked(), "the engine to end")


def test_new_and_add_in_plain_lines(tmp_path, run, data):
    made = run("new", "net.safetensors", "--arch", "digits_net", "--channels", 1)
    assert made.returncode == 0, made.stderr
    assert "no task yet" in made.stdout
    first = run("add", "net.safetensors", "one", "--data", "data.npz", *QUICKLY, "--prune", 0.5)
    assert (first.returncode, first.stderr) == (0, "")
    kinds = [line.split()[0] for line in first.stdout.splitlines()]
    assert kinds == ["job", "training", "train", "train", "one:", "file", "pruned", "retraining", "retrain", "one:",
                     "file", "add"]  # fmt: skip
    assert first.stdout.replace("\n", "").isprintable()  # no control codes without a terminal
    assert read_header(tmp_path / "net.safetensors").document.tasks[0].data.source == str(data)


def test_prune_verify_and_export(path, here, tmp_path):
    out, err = here("prune", path, 0.75, "--layer", "hidden=0.9", "--retrain-epochs", 0)
    assert "pruned one at 0.75" in out
    out, err = here("verify", path)
    assert {line.split()[0] for line in out.splitlines()} == {"ok"}
    out, err = here("export", path, "one", tmp_path / "one.safetensors")
    assert out.startswith("wrote ")
    assert (tmp_path / "one.safetensors").exists()
    out, err = here("export", path, "one", tmp_path / "one.safetensors", status=2)
    assert "exists already" in one_line(err)


def test_eval_json_lines_and_inspect_agree(path, here):
    events = [json.loads(line)["event"] for line in here("eval", path, "--json")[0].splitlines()]
    [evaluated] = [event for event in events if event["type"] == "evaluated"]
    task = json.loads(here("inspect", path, "--json")[0])["tasks"][0]
    assert task["last_evaluation"]["top1"] == evaluated["error"]["top1"] == task["error"]["top1"]


def test_verify_says_what_is_damaged(path, here):
    content = bytearray(path.read_bytes())
    header = int.from_bytes(content[:8], "little")
    tensor = json.loads(content[8 : 8 + header])["hidden.weight"]["data_offsets"]
    at = next(i for i in range(8 + header + tensor[0], 8 + header + tensor[1], 4) if any(content[i : i + 4]))
    content[at] ^= 1
    path.write_bytes(content)
    out, err = here("verify", path, status=2)
    assert "task one" in one_line(err)
    assert "WRONG task one" in out
    given = json.loads(here("verify", path, "--json", status=2)[0])
    assert (given["ok"], [check["ok"] for check in given["checks"]].count(False)) == (False, 1)
    assert "damaged" in one_line(here("train", path, "--epochs", 1, status=2)[1])


def test_work_that_fails_is_status_1_and_changes_nothing(path, run, data):
    before = path.read_bytes()
    result = run("add", path, "two", "--data", data, "--lr", "1e30", "--epochs", 1)
    assert result.returncode == 1
    assert "diverged" in one_line(result.stderr)
    assert path.read_bytes() == before


def test_data_that_is_not_there_is_status_2(path, here):
    assert "nowhere.npz" in one_line(here("add", path, "two", "--data", "nowhere.npz", status=2)[1])


def test_drop_asks_and_the_default_is_no(path, data, tmp_path):
    work(path, add("two", data))
    for answer, status, tasks in (("\r", 1, 2), ("y\r", 0, 1)):
        terminal = Terminal(SCRIPTS / "packnet", "drop", path, "two", cwd=tmp_path)
        terminal.read_until("[y/N]")
        terminal.type(answer)
        assert terminal.wait() == status
        assert len(read_header(path).document.tasks) == tasks


def test_discard_asks_and_drop_is_refused_until_then(path, data, tmp_path, here):
    work(path, add("two", data))
    entries = run_job.run(path, add("three", data))
    next(entry for entry in entries if isinstance(entry.event, Epoch))
    entries.close()
    refused = one_line(here("drop", path, "two", "--yes", status=2)[1])
    assert "nothing was dropped: an interrupted job waits, add three --prune 0.5; resume it: " in refused
    assert "or give it up: packnet discard FILE" in refused
    assert "give --yes" in one_line(here("discard", path, status=2)[1])
    for answer, status in (("\r", 1), ("y\r", 0)):
        terminal = Terminal(SCRIPTS / "packnet", "discard", path, cwd=tmp_path)
        terminal.read_until("[y/N]")
        terminal.type(answer)
        assert terminal.wait() == status
        asked = " ".join(terminal.output.decode().split())
        assert "The file stays as it is: no other task changes. Give up the unfinished task three? [y/N]" in asked
        assert Paths(path).checkpoint.exists() == (status == 1)
    whole = path.read_bytes()
    here("drop", path, "two", "--yes")
    assert "two is back, as it was before the drop" in here("undo", path)[0]
    assert path.read_bytes() == whole


def test_ctrl_c_stops_at_the_next_step_and_train_resumes(path, data, begin):
    working = begin("add", path, "two", "--data", data, *LONG)
    until_event(path, TrainStep, job=2, count=2)
    working.send_signal(signal.SIGINT)
    _, err = working.communicate()
    assert working.returncode == 1
    assert "stopping after this step" in err
    assert "packnet train" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert Paths(path).checkpoint.exists()
    assert len(read_header(path).document.tasks) == 1
    entries = journal.read(Paths(path).journal)
    stopped_at = max(e.event.step for e in entries if e.job == 2 and isinstance(e.event, TrainStep))
    working = begin("train", path)
    assert until_event(path, TrainStep, job=3).event.step > stopped_at
    working.send_signal(signal.SIGTERM)
    assert working.wait() == 1
    assert until_event(path, JobFinished, job=3).event.outcome == "stopped"


def test_ctrl_c_twice_ends_at_once(path, data, tmp_path):
    """A step of this network takes no time, so the second comes while the first is being answered, or is too late."""
    terminal = Terminal(SCRIPTS / "packnet", "add", path, "two", "--data", data, *LONG, cwd=tmp_path)
    until_event(path, TrainStep, job=2)
    os.kill(terminal.pid, signal.SIGINT)
    os.kill(terminal.pid, signal.SIGINT)
    assert terminal.wait() in (1, 130)
    assert terminal.output.rindex(b"\x1b[?25h") > terminal.output.rindex(b"\x1b[?25l")  # the cursor is back
    assert b"Traceback" not in terminal.output


def test_a_terminal_shows_a_bar_and_keeps_the_lines(path, data, tmp_path):
    name = "a name much too long for a bar that is to stay on one line"
    terminal = Terminal(SCRIPTS / "packnet", "add", path, name, "--data", data, *QUICKLY, cwd=tmp_path)
    assert terminal.wait() == 0
    text = terminal.output.decode()
    assert f"train {name} 2/2" in text
    assert "add" in text.splitlines()[-1]
    assert "done in" in text.splitlines()[-1]
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor hides, and is back
    drawn = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", part) for part in re.split("[\r\n]", text)]
    bars = [part for part in drawn if "━" in part]
    assert any("img/s ETA" in bar for bar in bars)
    assert max(map(len, bars)) <= 80


def test_a_dumb_terminal_gets_plain_lines(path, tmp_path):
    terminal = Terminal(SCRIPTS / "packnet", "eval", path, cwd=tmp_path, TERM="dumb")
    assert terminal.wait() == 0
    assert terminal.output.decode().replace("\r\n", "").isprintable()


def test_a_hang_up_does_not_stop_the_work(path, data, tmp_path):
    """Law 7, without an engine: the window is closed while the job runs in this very process."""
    long_enough = ["--epochs", "30", "--lr", "0.01", "--batch-size", "8"]
    terminal = Terminal(SCRIPTS / "packnet", "add", path, "two", "--data", data, *long_enough, cwd=tmp_path)
    until_event(path, TrainStep, job=2)
    terminal.hang_up()
    assert until_event(path, JobFinished, job=2).event.outcome == "done"
    assert read_header(path).document.tasks[1].name == "two"


def test_a_second_command_is_refused_while_one_works(path, data, begin, here):
    begin("add", path, "two", "--data", data, *LONG)
    until_event(path, TrainStep, job=2)
    assert "another packnet process" in one_line(here("eval", path, status=2)[1])
    here("inspect", path)  # readers need no lock


def test_a_running_engine_does_the_work(path, data, run, here, engine):
    result = run("add", path, "two", "--data", data, *QUICKLY)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("job 2 is queued")
    assert lines[-1].startswith("add two: done in")
    assert sum(line.startswith("train two") for line in lines) == 2
    _, err = here("add", path, "two", "--data", data, status=2)
    assert "there is a task 'two' already" in one_line(err)
    _, err = here("prune", path, 0.5, "--device", "nowhere", status=2)  # found out only when it is done
    assert "nowhere" in one_line(err)


def test_ctrl_c_while_following_leaves_the_job_and_stop_ends_it(path, data, begin, here, engine):
    following = begin("add", path, "two", "--data", data, *LONG)
    until_event(path, TrainStep, job=2)
    following.send_signal(signal.SIGINT)
    _, err = following.communicate()
    assert following.returncode == 130
    assert "continues without this terminal" in one_line(err)
    assert "packnet stop" in err
    assert engine.status().job == 2
    assert "--yes" in one_line(here("stop", path, status=2)[1])
    assert "add two is interrupted; resume it: packnet train" in here("stop", path, "--yes")[0]
    assert not Paths(path).is_locked()


def test_an_engine_that_dies_is_reported(path, data, begin, engine):
    following = begin("add", path, "two", "--data", data, *LONG)
    until_event(path, TrainStep, job=2)
    os.kill(engine.status().pid, signal.SIGKILL)
    _, err = following.communicate()
    assert following.returncode == 1
    assert "the engine of net.safetensors died" in one_line(err)


def test_an_engine_does_the_same_as_the_command_by_itself(path, data, here):
    twin = path.with_name("twin.safetensors")
    twin.write_bytes(path.read_bytes())
    here("add", path, "two", "--data", data, *QUICKLY)
    with client.start(twin) as engine:
        here("add", twin, "two", "--data", data, *QUICKLY)
        engine.leave()
        until(lambda: not Paths(twin).is_locked(), "the engine to end")
    first, second = (read_header(file).document.tasks[1] for file in (path, twin))
    assert first.digest == second.digest
