"""Through SSH, as its users have it: the connection is lost in the middle of training, and the job goes on."""

import os
import signal

import pytest

from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import JobFinished, TrainStep
from tests.end_to_end.processes import screens
from tests.end_to_end.sshd import Server, needs_sshd, sshd  # noqa: F401
from tests.end_to_end.tmux import another, needs_tmux, terminal  # noqa: F401
from tests.waiting import until, until_event

pytestmark = [needs_tmux, needs_sshd]


def cut(sshd: Server, path) -> None:  # noqa: F811
    sshd.cut()


def freeze(sshd: Server, path) -> None:  # noqa: F811
    """The client stops, as a laptop does that is closed; the server gives it up after a while."""
    (pid,) = sshd.clients()
    os.kill(pid, signal.SIGSTOP)
    until(lambda: not screens(path), "the server to give the client up, and the screen to end")
    os.kill(pid, signal.SIGKILL)


def kill(sshd: Server, path) -> None:  # noqa: F811
    (pid,) = sshd.clients()
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("lose", [cut, freeze, kill])
def test_a_lost_connection_ends_the_screen_and_not_the_job(path, data, sshd, terminal, another, lose):  # noqa: F811
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


def test_leaving_a_screen_over_ssh_leaves_the_terminal_as_it_was(path, sshd, terminal):  # noqa: F811
    before = terminal.settings()
    terminal.type(sshd.command("packnet-tui", "open", path) + "; echo status $?")
    terminal.wait_for("idle")
    assert terminal.settings() != before
    terminal.press("q")
    terminal.wait_for("status 0")
    assert terminal.settings() == before
