"""What can be taken out of the screen: a row or a pane as a table, a picture as SVG."""

import asyncio
import io
import os
from itertools import count
from pathlib import Path

from rich.console import Console, Group
from rich.segment import Segment, Segments
from textual import work
from textual.screen import Screen

from packnet_core.errors import PacknetError
from packnet_core.files.atomic import exists, replace_file
from packnet_tui.cli.shell import quoted
from packnet_tui.state.copied_tables import tab_separated
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.widgets.curves_pane import CurvesPane
from packnet_tui.workbench.widgets.pane import Pane


class CopyActions(Screen[None]):
    """The part of the main screen that copies and saves what is shown."""

    app: AppInterface
    _copied: tuple[Pane, int | None] | None = None  # the row that was copied last: the next time, its pane is

    def action_copy(self) -> None:
        """Copy the selected row, the second time its whole pane."""
        pane = self.focused
        if not isinstance(pane, Pane):
            return
        here = pane, pane.chosen
        if not pane.selectable or pane.chosen is None or here == self._copied:
            self.action_copy_pane()
            return
        self._copied = here
        self.app.copy_to_clipboard(tab_separated(pane.table([pane.chosen])[1:]))
        name = pane.name_of(pane.chosen)
        self.app.notify(f"copied the row of {name}; y again copies the whole pane", markup=False)

    def action_copy_pane(self) -> None:
        """Copy the rows that the focused pane shows, with a heading."""
        self._copied = None
        pane = self.focused
        if not isinstance(pane, Pane) or len(table := pane.table(list(pane.rows))) < 2:
            self.app.notify("there is nothing to copy in this pane", severity="warning")
            return
        self.app.copy_to_clipboard(tab_separated(table))
        many = "1 row" if len(table) == 2 else f"{len(table) - 1:,} rows"
        self.app.notify(f"copied pane {pane.number}: {many}, with tabs between the columns", markup=False)

    def action_save_svg(self) -> None:
        """Save the curves if they have the focus, else the screen, in the current folder."""
        self.save_svg("")

    @work(group="svg")
    async def save_svg(self, path: str) -> None:
        """Save a picture under a path, or under a new name in the current folder. A file is never replaced."""
        drawn = asyncio.Event()
        self.call_after_refresh(drawn.set)  # without the prompt in which it may have been typed
        await drawn.wait()
        curves = self.focused if isinstance(self.focused, CurvesPane) else None
        svg = screenshot(self, curves).encode()
        stem = f"{self.app.path.stem}-{'curves' if curves else 'screen'}"
        try:
            saved = await asyncio.to_thread(save_new, svg, path, stem)
        except (PacknetError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            self.app.notify(f"no picture was saved: {reason}", severity="warning", markup=False)
        else:
            self.app.notify(f"saved {quoted(saved)}", markup=False)


def screenshot(screen: Screen[None], pane: Pane | None) -> str:
    """A screen, or one of its panes, as SVG with the colours that it has here."""
    region = pane.region if pane else screen.region
    strips = screen._compositor.render_strips()[region.y : region.bottom]
    console = Console(
        width=region.width, height=region.height, file=io.StringIO(), force_terminal=True, color_system="truecolor",
        record=True, legacy_windows=False, safe_box=False,
    )  # fmt: skip
    lines = [Segments([*strip.crop(region.x, region.right), Segment.line()]) for strip in strips]
    console.print(Group(*lines), end="")
    svg = console.export_svg(title=screen.app.title)
    return svg.replace("<svg ", '<svg xml:space="preserve" ', 1)  # spaces stay in every viewer


def save_new(content: bytes, path: str, stem: str) -> Path:
    """Write a new file: under `path`, or without one under the first free name STEM.svg, STEM-2.svg, ….

    Raises RequestError if there is a file at `path`, DiskError if the disk refuses.
    """
    names = (Path(f"{stem}{f'-{number}' if number > 1 else ''}.svg") for number in count(1))
    target = Path(os.path.expanduser(path)) if path else next(name for name in names if not name.exists())
    if target.exists():
        raise exists(target)
    replace_file(target.absolute(), lambda file: file.write(content), new=True)
    return target.absolute()
