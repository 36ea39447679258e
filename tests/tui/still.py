"""The workbench without an engine: it records the commands that an engine would get."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from packnet_core.schema.commands import Command, Preview
from packnet_core.schema.events import JobStarted, Previewed
from packnet_tui.workbench.app import PacknetApp
from packnet_tui.workbench.open_file import OpenFile
from packnet_tui.workbench.screens.field_table import FieldTable
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.widgets.curves_pane import CurveView
from tests.tui import made_up, made_up_owners
from tests.waiting import DEADLINE

S = TypeVar("S", bound=Screen[Any])
WIDE, SMALL, TOO_SMALL = (120, 40), (80, 24), (60, 18)
MEASURED = {0.5: 18.0, 0.75: 21.5, 0.0: 17.0, 0.9: 60.0}  # error by ratio, in a preview


class NoEngine:
    """Takes the place of the link to the engine."""

    def __init__(self) -> None:
        self.asked: list[Command] = []
        self.stopped: list[int] = []
        self.started = False

    def start(self) -> None:
        self.started = True

    def submit(self, command: Command) -> None:
        self.asked.append(command)

    def stop(self, job: int) -> None:
        self.stopped.append(job)

    def close(self) -> None:
        pass


class Still(PacknetApp):
    """A workbench that starts no process."""

    def __init__(self, *paths: Path, **options: Any):
        self.engines: dict[Path, NoEngine] = {}
        super().__init__(*paths, **options)
        self.looked = asyncio.Event()
        self.said: list[str] = []

    @property
    def engine(self) -> NoEngine:
        """What takes the place of the link to the engine of the file that is shown."""
        return self.engines.setdefault(self.path, NoEngine())

    def link(self, file: OpenFile) -> Any:
        return self.engines.setdefault(file.path, NoEngine())

    async def _look(self, file: OpenFile) -> None:
        await super()._look(file)
        if file is self.here:
            self.looked.set()

    def notify(self, message: str, **options: Any) -> None:
        self.said.append(message)
        super().notify(message, **options)


class Desk:
    """A user at the workbench: presses keys, reads the screen."""

    def __init__(self, app: Still, pilot: Pilot[None]):
        self.app, self.pilot = app, pilot

    @property
    def asked(self) -> list[Command]:
        """The commands sent to the engine, without previews."""
        return [command for command in self.app.engine.asked if not isinstance(command, Preview)]

    @property
    def bench(self) -> MainScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, MainScreen))

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.app.keys_done()
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        await self.press(*({" ": "space", "/": "slash", ".": "full_stop", ":": "colon"}.get(c, c) for c in text))

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        deadline = monotonic() + DEADLINE
        while not condition():
            assert monotonic() < deadline, f"waited for {what or condition}; the screen:\n{self.text()}"
            await self.pilot.pause(0.01)

    async def sees(self, kind: type[S]) -> S:
        """Wait until the top screen is of a kind. Returns it."""
        await self.until(lambda: isinstance(self.app.screen, kind) and self.app.screen.is_mounted, kind.__name__)
        await self.pilot.pause()
        assert isinstance(self.app.screen, kind)
        return self.app.screen

    async def fill(self, **fields: str) -> None:
        """Replace the values of fields of a form."""
        for name, value in fields.items():
            self.app.screen.query_one(FieldTable).put(name, value)
        await self.pilot.pause()

    def error(self) -> str:
        """The error that a form shows."""
        line = self.app.screen.query_one(".error", Static)
        return str(line.content) if line.display else ""

    def text(self, widget: Widget | None = None) -> str:
        """The text of the screen, or of one widget, line by line."""
        strips = self.app.screen._compositor.render_strips()
        area = (widget or self.app.screen).region
        return "\n".join(strip.crop(area.x, area.right).text for strip in strips[area.y : area.bottom])


def outcome(desk: Desk) -> str:
    """The plan that a form shows, in one line."""
    return " ".join(line.strip() for line in desk.text(desk.app.screen.query_one(".outcome")).splitlines()).strip()


@asynccontextmanager
async def opened(path: Path | Sequence[Path], size: tuple[int, int] = WIDE, **options: Any) -> AsyncIterator[Desk]:
    """Open files in the workbench and wait until the first one's journal is read and its curves are drawn."""
    app = Still(*([path] if isinstance(path, Path) else path), **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        desk = Desk(app, pilot)
        await desk.until(app.looked.is_set, "the first look")
        await pilot.pause()
        await desk.until(lambda: drawn(app), "the curves")
        yield desk


def drawn(app: PacknetApp) -> bool:
    """Whether all visible curves are drawn."""
    views = [view for view in app.screen.query(CurveView) if view.display and view.region]
    return all(view.plots and all(plot.chart for plot in view.plots if plot.display) for view in views)


def empty(path: Path) -> Path:
    return made_up.write(path, made_up.document(()))


def dense(path: Path) -> Path:
    """A file whose third task is trained and not pruned yet."""
    cars = made_up.task("cars", None, 17.1, "trained")
    made_up_owners.fill(made_up.write(path, made_up.document((*made_up.SEALED, cars), made_up.VGG16)))
    return path


def previewing(path: Path) -> Path:
    """The file while a preview runs, with some ratios measured."""
    begun = JobStarted(command=Preview(), pid=7, device="cpu")
    seen = [Previewed(task="cars", ratio=ratio, error=error, images=600) for ratio, error in MEASURED.items()]
    made_up.append(dense(path), made_up.entries([begun, *seen], job=9))
    return path


def sealed(path: Path) -> Path:
    return made_up.write(path, made_up.document(made_up.SEALED))
