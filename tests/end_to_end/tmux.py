"""A real terminal for tests: its own tmux server, to send keys to and read the screen from."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.waiting import until

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """One tmux window of `columns` × `rows` that runs a shell."""

    def __init__(self, columns: int = 120, rows: int = 40, **environment: str):
        self._socket = str(Path(tempfile.mkdtemp(prefix="packnet-tmux-")) / "socket")
        programs = str(Path(sys.executable).parent)
        variables = {"PATH": f"{programs}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1", **environment}
        shell = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        size = ("-x", str(columns), "-y", str(rows))
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, f"env -u COLUMNS -u LINES {shell} PS1='$ ' sh")
        until(lambda: "$" in self.screen(), "the shell's prompt")

    def type(self, line: str) -> None:
        """Type a line into the shell and press Enter."""
        self._tmux("send-keys", "-l", line)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def screen(self) -> str:
        """The text now on the screen."""
        return self._tmux("capture-pane", "-p")

    def wait_for(self, text: str) -> str:
        """Wait until the screen shows `text`. Returns the screen."""

        def look() -> str | None:
            shown = self.screen()
            return shown if text in shown else None

        try:
            return until(look, repr(text))
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen shows:\n{self.screen()}") from None

    def still(self) -> str:
        """Wait until nothing has been drawn for a while. Returns the screen."""
        shown = [self.screen()]

        def look() -> str | None:
            shown.append(self.screen())
            return shown[-1] if len(shown) > 20 and len(set(shown[-20:])) == 1 else None

        return until(look, "a screen that stays the same")

    def settings(self) -> dict[str, str]:
        """The modes that a program can leave behind: alternate screen, cursor, mouse, keypad, wrap."""
        names = ("alternate_on", "cursor_flag", "mouse_any_flag", "mouse_sgr_flag", "keypad_flag", "wrap_flag")
        shown = self._tmux("display-message", "-p", " ".join(f"#{{{name}}}" for name in names))
        return dict(zip(names, shown.split(), strict=True))

    def copied(self) -> str:
        """The terminal's clipboard as set by a program in it (OSC 52); empty if it was not."""
        asked = subprocess.run(["tmux", "-S", self._socket, "show-buffer"], check=False, capture_output=True, text=True)
        return asked.stdout

    def takes_copies(self) -> None:
        """Accept OSC 52, as terminals attached through SSH do."""
        self._tmux("set-option", "-g", "set-clipboard", "on")

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def hang_up(self) -> None:
        """Close the window: all processes in it get SIGHUP, as when a connection is lost."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], check=False, capture_output=True)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-S", self._socket, *arguments], check=True, capture_output=True, text=True)
        return done.stdout
