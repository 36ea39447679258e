"""A terminal that keeps the bytes it gets, and the colours that these give to every character."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.waiting import until

# colour sequences; strings for the terminal (titles, answers); all other sequences; text
PARTS = re.compile(
    r"\x1b\[([0-9;:]*)m|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()].|\x1b.|([^\x1b]+)",
    re.S,
)


class Colours(NamedTuple):
    """Colours of a character: None for the terminal's own, 0 to 15 of its table, or others as numbers."""

    text: object = None
    background: object = None
    reverse: bool = False


class Painted:
    """A program in a terminal of 120 × 40 characters, and all that it has drawn."""

    def __init__(self, *command: str, **environment: str):
        ours = {"COLORTERM", "NO_COLOR", "TEXTUAL_THEME", "FORCE_COLOR", "COLUMNS", "LINES"}
        variables = {name: value for name, value in os.environ.items() if name not in ours} | environment
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, variables)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.drawn = ""

    def press(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def wait_for(self, text: str) -> None:
        """Wait until `text` was drawn, in one piece."""

        def look() -> bool:
            if select.select([self._terminal], [], [], 0.05)[0]:
                self.drawn += os.read(self._terminal, 1 << 16).decode(errors="replace")
            return text in re.sub(r"\x1b\[[0-9;:]*m", "", self.drawn)

        until(look, repr(text))

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)

    def texts(self) -> Iterator[tuple[Colours, str]]:
        """The pieces of text that are not blank, with their colours."""
        now = Colours()
        for part in PARTS.finditer(self.drawn):
            codes, text = part.groups()
            if codes is not None:
                now = _changed(now, [int(code or 0) for code in codes.replace(":", ";").split(";")])
            elif text and text.strip():
                yield now, text.strip()


def packnet_tui(path: Path) -> tuple[str, ...]:
    """The command that opens a file without an engine."""
    return str(Path(sys.executable).with_name("packnet-tui")), "open", str(path), "--readonly"


def _changed(now: Colours, codes: list[int]) -> Colours:
    while codes:
        code, *codes = codes
        match code:
            case 0:
                now = Colours()
            case 7 | 27:
                now = now._replace(reverse=code == 7)
            case 39:
                now = now._replace(text=None)
            case 49:
                now = now._replace(background=None)
            case 38 | 48:
                length = 2 if codes[0] == 5 else 4
                colour, codes = tuple(codes[1:length]), codes[length:]
                now = now._replace(**{"text" if code == 38 else "background": colour})
            case _ if code // 10 in (3, 9):
                now = now._replace(text=code % 10 + 8 * (code >= 90))
            case _ if code // 10 in (4, 10):
                now = now._replace(background=code % 10 + 8 * (code >= 100))
    return now
