"""The dialog that lists the open files, to choose the one to show."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from packnet_tui.state.file_rows import aligned
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.open_file import OpenFile
from packnet_tui.workbench.screens.choice import Choice

WIDTH = 112  # of the dialog, if the screen has it
AROUND = 8  # cells of its border and padding


class FileChoice(Choice[OpenFile]):
    """Returns the file chosen, or None."""

    DEFAULT_CSS = f"FileChoice > Vertical {{ width: {WIDTH}; }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("B,shift+b", "choose")]
    ABOUT = "The open files. One is shown; jobs in the others continue. [ and ] go from one to the next."

    app: AppInterface

    def __init__(self, files: Sequence[OpenFile], here: OpenFile, width: int):
        self._files, self._here = list(files), here
        super().__init__("Files", self._rows(width), "enter or B shows the chosen one   j k choose   esc closes")

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = self._files.index(self._here)

    def redraw_files(self) -> None:
        """Show what the files do now."""
        if self.is_mounted:
            self.show_lines(self._rows(self.app.size.width))

    redraw = redraw_files

    def on_resize(self, event: events.Resize) -> None:
        self.redraw_files()

    def chosen(self, name: str) -> OpenFile:
        return self._files[int(name)]

    def _rows(self, width: int) -> list[tuple[str, str]]:
        lines = aligned([file.row for file in self._files], min(WIDTH, width * 96 // 100) - AROUND)
        return [(str(i), line) for i, line in enumerate(lines)]
