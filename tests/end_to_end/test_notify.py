"""When a job ends, a real terminal gets one notification, by the bytes that reach it; and `--on-done` runs once."""

import os
import re
import signal

import pytest

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Evaluate
from tests.end_to_end.painted import Painted, packnet_tui
from tests.tui.made_up import append, at_rest, begun, ended, entries, job
from tests.waiting import until

HOSTILE = "a\x1b]0;stolen\x07\x1b[2J;b"
SHOWN = r"a\x1b]0;stolen\x07\x1b[2J;b"
NOTICE = re.compile("\x1b\\](?:9|777);[^\x07]*\x07")


@pytest.fixture
def path(tmp_path):
    return at_rest(tmp_path / "model.safetensors")


@pytest.fixture
def opened(path):
    """Open the file in a terminal; it is closed at the end."""
    there = []

    def opened(*options: str, **environment: str) -> Painted:
        given = {"TERM": "xterm-256color", "TMUX": "", **environment}
        there.append(Painted(*packnet_tui(path), *options, **given))
        there[-1].wait_for("leave")
        there[-1].wait_for("eval: done")  # what the journal had before is read
        return there[-1]

    yield opened
    for painted in there:
        painted.close()


@pytest.mark.parametrize(
    ("kind", "start", "text"),
    [("osc9", "\x1b]9;packnet: ", SHOWN), ("osc777", "\x1b]777;notify;packnet;", SHOWN.replace(";", ","))],
)
def test_a_terminal_gets_one_notification_for_each_job_and_nothing_of_a_name(path, opened, kind, start, text):
    painted = opened("--notify", kind)
    assert not NOTICE.search(painted.drawn)  # nothing for the jobs that ended before
    append(path, job(7, Add(task=HOSTILE, data="/d")))
    painted.wait_for(f"{start}model.safetensors: add {text} is done\x07")
    append(path, job(8, Evaluate(), end=ended("failed", "no such data")))
    painted.wait_for("eval failed: no such data\x07")
    assert len(NOTICE.findall(painted.drawn)) == 2
    assert "\x1b]0;stolen" not in painted.drawn
    again = opened("--notify", kind)
    append(path, job(9, Evaluate()))
    again.wait_for("eval is done\x07")
    assert len(NOTICE.findall(again.drawn)) == 1  # not of what had ended before it was opened


def test_tmux_is_asked_to_pass_it_on(path, opened):
    painted = opened("--notify", "osc9", TMUX="/tmp/tmux-0/default,1,0")
    append(path, job(7, Evaluate()))
    painted.wait_for("\x1bPtmux;\x1b\x1b]9;packnet: model.safetensors: eval is done\x07\x1b\\")


def test_a_bell_rings_and_without_the_option_nothing_is_sent(path, opened):
    loud, quiet = opened("--notify", "bell"), opened()
    append(path, job(7, Evaluate(tasks=("cubs",))))
    for painted, bells in ((loud, 1), (quiet, 0)):
        painted.wait_for("eval cubs")
        painted.press("?")
        painted.wait_for("scroll")
        assert re.sub("\x1b\\][^\x07]*\x07", "", painted.drawn).count("\x07") == bells
        assert not NOTICE.search(painted.drawn)


def test_on_done_runs_once_for_another_clients_job_and_a_hanging_command_blocks_nothing(path, opened):
    folder = path.parent
    painted = opened(
        "--on-done",
        f'cd {folder}; echo "$PACKNET_JOB $PACKNET_OUTCOME $PACKNET_TASK" >> told; echo $$ > pid; exec sleep 600',
    )
    with Paths(path).locked():
        append(path, entries([begun(Add(task="$(touch pwned)", data="/d"))], job=7))
        painted.wait_for("getting ready")
        append(path, entries([ended()], job=7))
        until((folder / "pid").exists, "the command")
        until((folder / "pid").read_text, "the command's process")
    hanging = int((folder / "pid").read_text())
    assert (folder / "told").read_text() == "7 done $(touch pwned)\n"
    painted.press("?")
    painted.wait_for("scroll")  # the screen still answers
    painted.press("qq")
    with pytest.raises(OSError, match="Input/output"):  # the terminal is closed
        painted.wait_for("nothing more")
    assert os.waitid(os.P_PID, painted.pid, os.WEXITED | os.WNOWAIT).si_status == 0  # it has not waited for the command
    os.kill(hanging, signal.SIGKILL)
    assert not list(folder.glob("pwned*"))
