"""Pane 5: the job log, the newest line at the bottom. It follows new lines unless it was scrolled up."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text

from packnet_tui.state import copied_tables
from packnet_tui.state.copied_tables import Table
from packnet_tui.state.format import cut, moment, pad, short_summary
from packnet_tui.state.picture import LogLine
from packnet_tui.workbench.widgets.pane import Pane

STYLES = {"info": "", "good": "green", "warning": "yellow", "error": "bold red"}
TIME = len("00:00:00 ")


class LogPane(Pane):
    """The journal as lines of text."""

    number = 5
    title = "Job log"
    NEW: ClassVar[dict[str, Any]] = {**Pane.NEW, "_following": True}

    def __init__(self, id: str | None = None):
        super().__init__(id)
        self._following = True
        self._made: tuple[tuple[LogLine, ...], int] = ((), 0)  # what `_lines` were made from: the log and the width
        self._lines: list[Text] = []
        self._of: list[LogLine] = []  # which line of the log each of `_lines` is a piece of

    def head(self, width: int) -> list[Text]:
        made = (self.picture.log, width)
        if made != self._made:
            self._made = made
            pieces = [(line, piece) for line, day in _with_days(made[0]) for piece in _pieces(line, day, width)]
            self._of, self._lines = [line for line, _ in pieces], [piece for _, piece in pieces]
        if self._following:
            self.top = len(self._lines)  # the end
        return []

    def count(self) -> int:
        return len(self._lines)

    def row(self, index: int, width: int) -> Text:
        return self._lines[index]

    def table(self, shown: Sequence[int]) -> Table:
        return copied_tables.log(dict.fromkeys(self._of[index] for index in shown))

    def name_of(self, index: int) -> str:
        """The time and the whole text, so that a filter shows or hides all pieces of a line."""
        line = self._of[index]
        return f"{moment(line.at, '%H:%M:%S')} {line.text}"

    def foot(self, width: int) -> list[Text]:
        """The first waiting job, and the number of others."""
        waiting = [short_summary(command) for _, command in self.picture.queue]
        if not waiting or self.needle:
            return []
        more = f"  (+{len(waiting) - 1} more, x lists them)" if len(waiting) > 1 else ""
        return [Text(cut(f"{'next':{TIME}}{waiting[0]}{more}", width), "dim")]

    def move(self, how: str) -> None:
        self._following = False
        super().move(how)
        self._following = self.top >= len(self.rows) - self._room


def _with_days(log: tuple[LogLine, ...]) -> list[tuple[LogLine, str]]:
    """Each line, with its date if it is the first line of a new day, else with an empty text."""
    days = [moment(line.at, "%A, %d %B %Y") for line in log]
    return [
        (line, "" if i == 0 or days[i - 1] == day else day) for i, (line, day) in enumerate(zip(log, days, strict=True))
    ]


def _pieces(line: LogLine, day: str, width: int) -> list[Text]:
    """A log line, wrapped to the width; its text is indented beside the time."""
    lines = [Text(f"{'':{TIME}}{day}", "dim")] if day else []
    # no break within "12.3 %", "a → b", "≈ 12.3" or "val error 12.3"
    tied = re.sub(r" (?=[%→])|(?<=[→≈])\s|(?<=\bval) |(?<=error) (?=[\d≈])", "\u00a0", line.text)
    texts = textwrap.wrap(tied, max(12, width - TIME)) or [""]
    for i, text in enumerate(text.replace("\u00a0", " ") for text in texts):
        stamp = pad(moment(line.at, "%H:%M:%S"), TIME) if i == 0 else " " * TIME
        lines.append(Text.assemble((stamp, "dim"), (text, STYLES[line.level])))
    return lines
