"""A pane with the output of a command: bounded, printable, with the colours of the shell."""

import codecs
import re
from collections.abc import Iterable
from itertools import accumulate

from rich.ansi import AnsiDecoder
from rich.cells import cell_len, chop_cells
from rich.text import Text

from packnet_core.schema.text import printable
from packnet_tui.workbench.widgets.pane import Pane

MOST_LINES, MOST_CHARACTERS = 10_000, 1 << 24  # of output that is kept; the oldest goes first
LONGEST_LINE = 1 << 22  # characters after which a line is broken, since it may never end
KEYS = "j k ^d ^u g G scroll   y copies all   x stops   esc closes"
EVERY = 0.1  # seconds between two drawings of new output
COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")  # the only control sequence that is kept


class OutputPane(Pane):
    """Lines of output. Long ones are folded to the pane's width; `lines` has them whole."""

    def __init__(self, title: str):
        super().__init__()
        self.title = title
        self.lines: list[Text] = []
        self._state = "running; x stops it"
        self._dropped = self._characters = 0
        self._partial = ""  # the line that has no end yet
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._colours = AnsiDecoder()
        self._rows: list[Text] = []
        self._made: tuple[int, int] = (0, 0)  # what they were made from: the width, and the number of lines ever
        self._due = False  # whether a drawing is planned

    def feed(self, chunk: bytes) -> None:
        """Take more output; it is drawn soon."""
        *whole, self._partial = (self._partial + self._decoder.decode(chunk)).split("\n")
        if len(self._partial) > LONGEST_LINE:
            whole, self._partial = [*whole, self._partial], ""
        self._add(map(self._coloured, whole))
        if not self._due:
            self._due = True
            self.set_timer(EVERY, self._later)

    def end(self, message: str = "", style: str = "") -> None:
        """Say how the command ended; no message means that all went well."""
        if rest := self._partial + self._decoder.decode(b"", final=True):
            self._add([self._coloured(rest)])
        if message:
            self._add([Text(message, style)])
        self._partial, self._state = "", message or "done"
        self.redraw()

    def caption(self) -> str:
        return self._state

    def head(self, width: int) -> list[Text]:
        made = (width, self._dropped + len(self.lines))
        if made != self._made:
            new = len(self.lines) if made[0] != self._made[0] else made[1] - self._made[1]
            if new >= len(self.lines) or self._dropped:
                self._rows = []
                new = len(self.lines)
            self._rows += [piece for line in self.lines[len(self.lines) - new :] for piece in folded(line, width)]
            self._made = made
        return [Text(f"… {self._dropped:,} earlier lines are not kept", "dim")] if self._dropped else []

    def foot(self, width: int) -> list[Text]:
        return [Text(KEYS, "dim")]

    def count(self) -> int:
        return len(self._rows)

    def row(self, index: int, width: int) -> Text:
        return self._rows[index]

    def _later(self) -> None:
        self._due = False
        self.redraw()

    def _add(self, lines: Iterable[Text]) -> None:
        for line in lines:
            self.lines.append(line)
            self._characters += len(line)
        surplus = max(0, len(self.lines) - MOST_LINES)
        left = self._characters - sum(len(line) for line in self.lines[:surplus])
        while left > MOST_CHARACTERS:
            left -= len(self.lines[surplus])
            surplus += 1
        self.lines, self._characters, self._dropped = self.lines[surplus:], left, self._dropped + surplus

    def _coloured(self, line: str) -> Text:
        """A line with its colours; all else in it that could steer the terminal is written out."""
        shown = line.rstrip("\r").rpartition("\r")[2].expandtabs()  # of a line that was drawn over, the last state
        kept = (part if COLOUR.fullmatch(part) else printable(part) for part in COLOUR.split(shown))
        return self._colours.decode_line("".join(kept))


def folded(line: Text, width: int) -> list[Text]:
    """A line in pieces of at most `width` cells."""
    if cell_len(line.plain) <= width:
        return [line]
    ends = list(accumulate(len(piece) for piece in chop_cells(line.plain, width)))
    return list(line.divide(ends[:-1]))
