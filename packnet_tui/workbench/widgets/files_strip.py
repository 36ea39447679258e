"""The open files above the panes, one line each; all in one line if there is no room for that."""

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.geometry import Size
from textual.message import Message

from packnet_tui.state.file_rows import FileRow, aligned, in_one_line
from packnet_tui.workbench.open_file import OpenFile
from packnet_tui.workbench.widgets.pane import Lines

MOST = 12  # lines


class FilesStrip(Lines):
    """Hidden while only one file is open. A click on a line shows its file."""

    DEFAULT_CSS = "FilesStrip { height: 0; background: $surface; color: $text; }"

    class Chosen(Message):
        """A file was clicked."""

        def __init__(self, file: OpenFile):
            super().__init__()
            self.file = file

    def fit(self, screen: Size, panes: int) -> None:
        """Take as many lines as there are files, if the panes keep their `panes` lines; else one line."""
        count = len(self.app.files)
        room = min(MOST, screen.height - panes)
        lines = min(count, room) if room >= min(count, 3) else 1
        self.styles.height = lines if count > 1 else 0

    def build(self, width: int, height: int) -> Sequence[Text]:
        rows = [file.row for file in self.app.files]
        at = self.app.files.index(self.app.here)
        if height == 1:
            parts = in_one_line(rows, at, width - 1)
            return [Text.assemble(" ", *((text, "bold reverse" if here else "") for text, here in parts))]
        first = self._first(height)
        lines = aligned(rows, width - 4)[first : first + height]
        return [self._line(line, rows[i], i == at) for i, line in enumerate(lines, first)]

    def _first(self, height: int) -> int:
        """The first file that is listed: the one that is shown stays in the middle."""
        at, count = self.app.files.index(self.app.here), len(self.app.files)
        return min(max(0, at - height // 2), max(0, count - height))

    @staticmethod
    def _line(line: str, row: FileRow, here: bool) -> Text:
        text = Text.assemble((" > " if here else "   ") + line, style="bold" if here else "")
        at = text.plain.find(row.sign)
        if at >= 0 and (row.wrong or row.eta):
            text.stylize("bold red" if row.wrong else "green", at)
        return text

    def on_click(self, event: events.Click) -> None:
        at = self._first(self.size.height) + event.y
        if self.size.height > 1 and at < len(self.app.files):
            self.post_message(self.Chosen(self.app.files[at]))
