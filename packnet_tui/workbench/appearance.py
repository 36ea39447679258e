"""The part of the application that has theme, colours and layout, and keeps them between sessions."""

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence

from msgspec.structs import replace
from textual.filter import LineFilter, Monochrome, NoColor

from packnet_core.schema.text import printable
from packnet_tui.state.look import Look, keep_look, read_look
from packnet_tui.state.marks import Marks, marks_for
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.widgets.ascii_filter import AsciiFilter

PATIENCE = 1.0  # seconds that the exit waits for the disk


class Appearance(AppInterface):
    """Theme, colours and layout."""

    def __init__(self, ascii: bool):
        super().__init__()
        self.marks = Marks()
        self.look = self._look_kept = read_look()
        self._keeping = False  # whether a look is being written
        self._ascii = AsciiFilter(enabled=ascii)

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = [*super().get_line_filters(), *([self._ascii] if self._ascii.enabled else [])]
        if self.no_color and self.native_ansi_color:  # in which Monochrome makes every colour black
            filters = [NoColor() if isinstance(each, Monochrome) else each for each in filters]
        return filters

    def choose_theme(self) -> Iterator[str]:
        """Use the last session's theme, or one that this terminal can show. Yields a warning for an unknown one."""
        if self.look.theme in self.available_themes and "TEXTUAL_THEME" not in os.environ:
            self.theme = self.look.theme
        wanted = os.environ.get("TEXTUAL_THEME", self.theme)
        if wanted not in self.available_themes:
            yield f"TEXTUAL_THEME={printable(wanted)}: there is no such theme; see them with :theme"
        if self.few_colours and not self.native_ansi_color:
            self.theme = "ansi-dark" if self.current_theme.dark else "ansi-light"
        self._theme_now = self.theme
        self._colours()
        self.theme_changed_signal.subscribe(self, lambda _: self._theme_changed())

    @property
    def few_colours(self) -> bool:
        return self.console.color_system == "standard" and not self.is_headless

    def remember(self, look: Look) -> None:
        self.look = look
        if not self._keeping:
            self._keeping = True
            self.run_worker(self._keep_look(), group="keep look", exit_on_error=True)

    async def _keep_look(self) -> None:
        while self._look_kept != self.look:
            look = self.look
            await asyncio.to_thread(keep_look, look)
            self._look_kept = look
        self._keeping = False

    def _theme_changed(self) -> None:
        self._colours()
        if self.theme != self._theme_now:  # the user chose it
            self._theme_now = self.theme
            self.remember(replace(self.look, theme=self.theme))

    def keep_last_look(self) -> None:
        """Keep what changed a moment ago, before the exit; a disk that hangs does not hold it up."""
        if self.look != self._look_kept:
            saving = threading.Thread(target=keep_look, args=[self.look], daemon=True)
            saving.start()
            saving.join(PATIENCE)

    def _colours(self) -> None:
        coloured = self.console.color_system is not None or self.is_headless
        solid = coloured and not self.no_color and not self._ascii.enabled
        self.marks = marks_for(self.current_theme.dark, self.native_ansi_color, solid)
        self.show()
