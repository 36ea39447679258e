"""The workbench as a user has it: a real terminal, a real engine, keys."""

import os
import re
import signal

import pytest

from packnet_core.engine import client
from packnet_core.packfile.header import read_header
from packnet_core.schema.events import JobFinished, TrainStep
from tests.end_to_end.processes import end_engine, screen, screens
from tests.end_to_end.tmux import Terminal, needs_tmux
from tests.waiting import until, until_event
from tests.worlds import LONG, add, work

pytestmark = needs_tmux


def test_the_demo_packs_three_tasks(tmp_path, terminal):
    path = tmp_path / "demo.safetensors"
    terminal.type(f"packnet-tui demo {path}; echo status $?")
    terminal.wait_for("TRAIN")
    until_event(path, JobFinished, count=3)
    shown = terminal.wait_for("idle")
    for task in ("zero-to-three", "four-to-six", "seven-to-nine"):
        assert task in shown
    assert all(re.search(rf"{layer} +1 +2 +3 +·", shown) for layer in ("conv1", "conv2", "hidden", "total"))
    terminal.press("q")
    terminal.wait_for("status 0")
    assert [task.phase for task in read_header(path).document.tasks] == ["sealed", "sealed", "retrained"]
    end_engine(path)


def test_quitting_does_not_stop_the_job_and_reopening_shows_it(path, data, terminal):
    with client.start(path) as engine:
        job = engine.submit(add("cars", data, recipe=LONG))
        terminal.type(f"packnet-tui open {path}; echo status $?")
        terminal.wait_for("TRAIN cars")
        terminal.press("q")
        shown = terminal.wait_for("status 0")
        assert "continues without this screen" in shown
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
def test_a_killed_screen_leaves_the_job_running(path, data, terminal, how):
    with client.start(path) as engine:
        job = engine.submit(add("cars", data, recipe=LONG))
        terminal.type(f"packnet-tui open {path}; echo status $?")
        terminal.wait_for("TRAIN cars")
        os.kill(screen(path), how)
        terminal.wait_for("status ")
        before = until_event(path, TrainStep, job)
        until_event(path, TrainStep, job, after=before.at)
        assert engine.status().job == job


def test_a_lost_terminal_ends_the_screen_and_not_the_job(path, data):
    terminal = Terminal()
    with client.start(path) as engine:
        job = engine.submit(add("cars", data))
        terminal.type(f"packnet-tui open {path}")
        terminal.wait_for("cars")
        until(lambda: screens(path), "a screen")
        terminal.hang_up()
        until(lambda: not screens(path), "the screen to end")
        assert until_event(path, JobFinished, job).event.outcome == "done"


def test_add_prune_and_evaluate_by_keyboard(path, data, terminal):
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
    terminal.press("p", "y", "Enter")  # yes, prune it again, at the current ratio
    until(lambda: read_header(path).document.tasks[0].prune_ratio == 0.875, "the pruning")
    terminal.press("q")
    terminal.wait_for("status 0")


def test_keys_typed_ahead_go_where_they_belong(path, data, terminal):
    """A slow connection brings many keys in one packet; some belong to a form that is not open yet."""
    terminal.type(f"packnet-tui open {path}; echo status $?")
    terminal.wait_for("idle")
    back = "\x7f"
    terminal.press("-l", f"acars and birdses{back}{back}\tnowhere\x15{data}\t{back}{back}2\t{back * 5}0.05\r")
    job = until_event(path, JobFinished).event
    assert job.outcome == "done", job.message
    task = read_header(path).document.tasks[0]
    assert (task.name, task.recipe.epochs, task.recipe.lr) == ("cars and birds", 2, 0.05)
    terminal.press("-l", ":help\r")
    terminal.wait_for("past runs of the selected task")
    terminal.press("Escape")
    until(lambda: "past runs" not in terminal.screen(), "the help to go")
    terminal.press("q")
    terminal.wait_for("status 0")


def test_small_terminals_and_resizing(path, data, terminal):
    work(path, add("cars", data))
    terminal.type(f"packnet-tui open {path} --readonly; echo status $?")
    for columns, rows in ((120, 40), (80, 24), (60, 15), (120, 40)):
        terminal.resize(columns, rows)
        shown = terminal.wait_for("cars")
        assert all(len(line) <= columns for line in shown.splitlines())
    terminal.press("q")
    terminal.wait_for("status 0")
    assert client.connect(path) is None  # --readonly starts nothing
