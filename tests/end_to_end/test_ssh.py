"""Through a real SSH server: the connection is lost during training, and the job continues."""

import os
import signal

import pytest

from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import JobFinished, TrainStep
from tests.end_to_end.processes import screens
from tests.end_to_end.sshd import Server, needs_sshd
from tests.end_to_end.tmux import needs_tmux
from tests.waiting import until, until_event

pytestmark = [needs_tmux, needs_sshd]


def cut(sshd: Server, path) -> None:
    sshd.cut()


def freeze(sshd: Server, path) -> None:
    """The client stops, like a closed laptop; after a while the server ends the connection."""
    (pid,) = sshd.clients()
    os.kill(pid, signal.SIGSTOP)
    until(lambda: not screens(path), "the server to drop the client, and the screen to end")
    os.kill(pid, signal.SIGKILL)


def kill(sshd: Server, path) -> None:
    (pid,) = sshd.clients()
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "lose",
    [cut, *(pytest.param(lose, marks=pytest.mark.faults) for lose in (freeze, kill))],
    ids=lambda lose: lose.__name__,
)
def test_a_lost_connection_ends_the_screen_and_not_the_job(path, data, sshd, terminal, another, lose):
    opens = sshd.command("packnet-tui", "open", path)
    terminal.type(opens)
    terminal.wait_for("idle")
    terminal.press(":")
    terminal.press("-l", f"add cars --data {data} --epochs 200 --lr 0.05 --retrain-epochs 1 --prune 0.5")
    terminal.press("Enter")
    terminal.wait_for("TRAIN cars")
    until_event(path, TrainStep)
    lose(sshd, path)
    until(lambda: not screens(path), "the screen to end")
    assert Paths(path).is_locked()
    assert until_event(path, JobFinished).event.outcome == "done"
    another.type(f"{opens}; echo status $?")
    shown = another.wait_for("add cars --prune 0.5: done")
    assert "retrained" in shown
    assert f"{read_header(path).document.tasks[0].error.top1:.2f}" in shown
    another.press("q")
    another.wait_for("status 0")
    until(lambda: not screens(path), "the screen to end")


def test_leaving_a_screen_over_ssh_leaves_the_terminal_as_it_was(path, sshd, terminal):
    before = terminal.settings()
    terminal.type(sshd.command("packnet-tui", "open", path) + "; echo status $?")
    terminal.wait_for("idle")
    assert terminal.settings() != before
    terminal.press("q")
    terminal.wait_for("status 0")
    assert terminal.settings() == before
