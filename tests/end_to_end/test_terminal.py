"""However the workbench ends, it leaves the terminal as it was; without a terminal it refuses in one line."""

import os
import signal

import pytest

from tests.end_to_end.processes import screen, screens
from tests.end_to_end.tmux import Terminal, needs_tmux
from tests.tui.made_up import at_rest
from tests.waiting import until

pytestmark = needs_tmux
LAST = "12:10:04 eval: done"  # the last text that a whole screen draws


@pytest.fixture
def path(tmp_path):
    return at_rest(tmp_path / "model.safetensors")


class Shell:
    """A shell in a terminal, and its settings before."""

    def __init__(self, terminal: Terminal, folder):
        self.terminal, self._folder, self._asked = terminal, folder, 0
        self._before = self._now()

    def is_as_it_was(self) -> bool:
        return self._now() == self._before

    def _now(self) -> tuple[dict[str, str], str]:
        self._asked += 1
        answer = self._folder / f"stty-{self._asked}"
        self.terminal.type(f"stty -g > {answer}.new && mv {answer}.new {answer}")
        until(answer.exists, "stty")
        return self.terminal.settings(), answer.read_text()

    def opens(self, path, *options: str) -> str:
        """Open a file with --readonly, which needs no engine. Returns the screen."""
        self.terminal.type(f"clear; TZ=UTC packnet-tui open {path} --readonly {' '.join(options)}; echo status $?")
        self.terminal.wait_for(LAST)
        return self.terminal.still()


@pytest.fixture
def shell(terminal, tmp_path):
    return Shell(terminal, tmp_path)


def test_q_restores_the_terminal(path, shell):
    shell.opens(path)
    assert shell.terminal.settings()["alternate_on"] == "1"
    shell.terminal.press("q")
    shell.terminal.wait_for("status 0")
    assert shell.is_as_it_was()


def test_y_copies_to_the_terminals_clipboard(path, shell):
    shell.terminal.takes_copies()
    shell.opens(path)
    shell.terminal.press("j", "y")
    assert until(shell.terminal.copied, "what was copied").startswith("features.2.weight\t64×64×3×3\t36864\t")
    shell.terminal.press("q")
    shell.terminal.wait_for("status 0")


def test_every_signal_that_can_be_caught_restores_the_terminal(path, shell):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT):
        shell.opens(path)
        os.kill(screen(path), number)
        shell.terminal.wait_for(f"status {128 + number}")
        assert shell.is_as_it_was(), number


def test_an_exception_in_the_workbench_restores_the_terminal_and_is_printed(path, shell, tmp_path):
    defect = tmp_path / "defect.py"
    defect.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from packnet_tui.workbench import in_terminal\n"
        "class Broken(in_terminal.PacknetApp):\n"
        "    def action_break(self): raise ZeroDivisionError('a defect')\n"
        "    BINDINGS = [('f9', 'break', 'break')]\n"
        "in_terminal.PacknetApp = Broken\n"
        "sys.exit(in_terminal.open_workbench(Path(sys.argv[1]), readonly=True))\n"
    )
    shell.terminal.type(f"clear; TZ=UTC python {defect} {path}; echo status $?")
    shell.terminal.wait_for(LAST)
    shell.terminal.press("F9")
    assert "a defect" in shell.terminal.wait_for("status 1")
    assert shell.is_as_it_was()


def test_ctrl_z_suspends_and_fg_redraws_everything(path, shell):
    before = shell.opens(path)
    for _ in range(2):
        shell.terminal.press("C-z")
        shell.terminal.wait_for("Stopped")
        assert shell.is_as_it_was()
        shell.terminal.type("fg")
        until(lambda: shell.terminal.screen() == before, "the whole screen")
    shell.terminal.press("q")
    until(lambda: not screens(path), "the screen to end")
    assert shell.is_as_it_was()


def test_a_lost_terminal_ends_a_suspended_screen(path, tmp_path):
    shell = Shell(Terminal(), tmp_path)
    shell.opens(path)
    shell.terminal.press("C-z")
    shell.terminal.wait_for("Stopped")
    shell.terminal.hang_up()
    until(lambda: not screens(path), "the screen to end")


def test_quick_resizing_ends_in_a_whole_screen(path, shell):
    before = shell.opens(path)
    for _ in range(3):
        for columns, rows in ((80, 24), (40, 10), (109, 40), (20, 5)):
            shell.terminal.resize(columns, rows)
    shell.terminal.resize(120, 40)

    def is_as_before():
        shell.terminal.press("1")  # the focus moved while this pane had no room
        return shell.terminal.still() == before

    until(is_as_before, "the same screen as before")
    for columns, rows in ((80, 24), (40, 10)):
        shell.terminal.resize(columns, rows)
        shell.terminal.wait_for("needs 80×24" if columns < 80 else "features.17")
        shown = shell.terminal.still()
        assert "cars" in shown
        assert all(len(line) <= columns for line in shown.splitlines())
        assert len(shown.splitlines()) == rows


@pytest.mark.parametrize(
    "how",
    ["TERM=dumb {} ", "TERM= {} ", "{} < /dev/null", "{} > out", "{} 2> err"],
    ids=["TERM=dumb", "no TERM", "stdin", "stdout", "stderr"],
)
def test_without_a_terminal_it_refuses_in_one_line(path, shell, tmp_path, how):
    """Textual draws on stderr, so stderr must be a terminal too."""
    command = how.format(f"packnet-tui open {path.name}")
    shell.terminal.type(f"cd {tmp_path}; clear; : > err; {command}; echo status $?; cat err; echo end")
    shown = shell.terminal.wait_for("\nend").replace("\n", "")
    assert "status 2" in shown
    assert shown.count("packnet: ") == 1
    assert f"packnet inspect {path.name}" in shown
    assert f"packnet watch {path.name}" in shown
    assert shell.is_as_it_was()
