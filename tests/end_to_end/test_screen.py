"""The workbench as a person has it: a real terminal, a real engine, keys."""

import os
import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from packnet_core.engine import client
from packnet_core.engine.places import Places
from packnet_core.events import JobFinished, TrainStep
from packnet_core.packfile.header import read_header
from tests.end_to_end.tmux import Terminal, needs_tmux, terminal  # noqa: F401
from tests.waiting import until, until_event
from tests.worlds import QUICK, add, images, pack_file, work

pytestmark = needs_tmux
LONG = replace(QUICK, epochs=10_000)


@pytest.fixture
def path(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    yield path
    _end(path)


def _end(path):
    if engine := client.connect(path):
        os.kill(engine.status().pid, signal.SIGKILL)
        until(lambda: not Places(path).is_locked(), "the engine to end")


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz", train=200)


def screen_pid(path) -> int:
    """The process of the screen that is open on a file."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                arguments = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"open" in arguments and str(path).encode() in arguments:
                return int(entry)
    raise AssertionError("no screen is open")


def test_the_demo_packs_three_tasks_before_ones_eyes(tmp_path, terminal):  # noqa: F811
    path = tmp_path / "demo.safetensors"
    terminal.type(f"packnet-tui demo {path}; echo status $?")
    terminal.wait_for("TRAIN")
    until_event(path, JobFinished, count=3)
    shown = terminal.wait_for("idle")
    for task in ("zero-to-three", "four-to-six", "seven-to-nine"):
        assert task in shown
    assert "111" in shown
    assert "333" in shown
    terminal.press("q")
    terminal.wait_for("status 0")
    assert [task.phase for task in read_header(path).document.tasks] == ["sealed", "sealed", "retrained"]
    _end(path)


def test_leaving_does_not_stop_the_job_and_opening_again_shows_it(path, data, terminal):  # noqa: F811
    with client.start(path) as engine:
        job = engine.submit(add("cars", data, recipe=LONG))
        terminal.type(f"packnet-tui open {path}; echo status $?")
        terminal.wait_for("TRAIN cars")
        terminal.press("q")
        shown = terminal.wait_for("status 0")
        assert "goes on without this screen" in shown
        assert f"packnet-tui open {path}" in shown.replace("\n", "")
        until_event(path, TrainStep, job, count=3)
        assert engine.status().job == job
        terminal.type(f"clear; packnet-tui open {path}; echo status $?")
        terminal.wait_for("TRAIN cars")
        terminal.press("x")
        terminal.wait_for("Stop add cars")
        terminal.press("y")
        assert until_event(path, JobFinished, job).event.outcome == "stopped"
        terminal.wait_for("idle")
        terminal.press("q")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM], ids=lambda s: s.name)
def test_a_screen_that_is_killed_leaves_the_job_running(path, data, terminal, how):  # noqa: F811
    with client.start(path) as engine:
        job = engine.submit(add("cars", data, recipe=LONG))
        terminal.type(f"packnet-tui open {path}; echo status $?")
        terminal.wait_for("TRAIN cars")
        os.kill(screen_pid(path), how)
        terminal.wait_for("status ")
        before = until_event(path, TrainStep, job)
        until_event(path, TrainStep, job, after=before.at)
        assert engine.status().job == job


def test_a_lost_terminal_ends_the_screen_and_not_the_job(path, data):
    terminal = Terminal()  # noqa: F811
    with client.start(path) as engine:
        job = engine.submit(add("cars", data))
        terminal.type(f"packnet-tui open {path}")
        terminal.wait_for("cars")
        pid = screen_pid(path)
        terminal.hang_up()
        until(lambda: not os.path.exists(f"/proc/{pid}"), "the screen to end")
        assert until_event(path, JobFinished, job).event.outcome == "done"


def test_add_prune_and_evaluate_by_keyboard(path, data, terminal):  # noqa: F811
    terminal.type(f"packnet-tui open {path}; echo status $?")
    terminal.wait_for("idle")
    terminal.press("a")
    terminal.wait_for("Add a task")
    terminal.press("-l", "cars")
    terminal.press("Tab")
    terminal.press("-l", str(data))
    terminal.press("Enter")
    job = until_event(path, JobFinished)
    assert job.event.outcome == "done", job.event.message
    terminal.wait_for("idle")
    terminal.press("e")
    assert until_event(path, JobFinished, job.job + 1).event.outcome == "done"
    terminal.press("p")
    terminal.wait_for("pruned already")
    terminal.press("y")
    terminal.wait_for("frees")
    terminal.press("Enter")
    assert until_event(path, JobFinished, job.job + 2).event.outcome == "done"
    terminal.press("q")
    terminal.wait_for("status 0")


def test_small_terminals_and_resizing(path, data, terminal):  # noqa: F811
    work(path, add("cars", data))
    terminal.type(f"packnet-tui open {path} --readonly; echo status $?")
    for columns, rows in ((120, 40), (80, 24), (60, 15), (120, 40)):
        terminal.resize(columns, rows)
        shown = terminal.wait_for("cars")
        assert all(len(line) <= columns for line in shown.splitlines())
    terminal.press("q")
    terminal.wait_for("status 0")
    assert client.connect(path) is None  # --readonly starts nothing


def test_two_screens_show_the_same_and_one_that_is_readonly_does_not_work(path, data, terminal):  # noqa: F811
    other = Terminal()
    terminal.type(f"packnet-tui open {path}")
    other.type(f"packnet-tui open {path} --readonly")
    terminal.wait_for("idle")
    other.wait_for("read only")
    other.press("a")
    other.wait_for("only watches")
    terminal.press(":")
    terminal.press("-l", f"add cars --data {data} --epochs 60 --lr 0.05 --retrain-epochs 1 --prune 0.5")
    terminal.press("Enter")
    for each in (terminal, other):
        each.wait_for("TRAIN cars")
    assert until_event(path, JobFinished).event.outcome == "done"

    def same() -> bool:
        here, there = (each.screen().splitlines()[1:-1] for each in (terminal, other))  # all but status and keys
        return here == there and any("add cars --prune 0.5: done" in line for line in here)

    until(same, "both screens to show the same")
    for each in (terminal, other):
        each.press("q")
    other.hang_up()
