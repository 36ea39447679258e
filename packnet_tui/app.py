"""The workbench's application: it watches file and journal, and holds the line to the engine. Never imports torch."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from textual.app import App, SystemCommand
from textual.message import Message
from textual.screen import Screen

from packnet_core import checkpoint
from packnet_core.commands import Command, Evaluate, summary
from packnet_core.engine.client import last_words
from packnet_core.engine.journal import Reader
from packnet_core.engine.places import Places
from packnet_core.errors import FileError, RequestError
from packnet_core.packfile.header import read_header
from packnet_core.records import Document
from packnet_tui import keys
from packnet_tui.lines import printable
from packnet_tui.screens.engine import EngineLine
from packnet_tui.screens.workbench import Workbench
from packnet_tui.shell import typed
from packnet_tui.state import Story
from packnet_tui.usage import Meter
from packnet_tui.widgets.marks import DARK, LIGHT, TERMINAL, Marks
from packnet_tui.widgets.picture import Picture

POLL = 0.2  # seconds between two looks at journal and file
PATIENCE = 3.0  # seconds until leaving is forced, where the terminal is gone
METER = 2.0  # seconds between two looks at the device
USUAL_RATIO = 0.75  # the paper's, for the second task and on (§4)
QUIET = 2.0  # seconds without news from a job until it is asked whether its engine still lives


class Watch:
    """The files of one pack, looked at again and again; what they say, as a picture. Runs off the screen's thread."""

    def __init__(self, path: Path):
        self.places = Places(path)
        self.story = Story()
        self._reader = Reader(self.places.journal)
        self._signature: object = None
        self._meter, self._usage, self._metered = Meter(), "", 0.0
        self._heard = 0.0  # when the last news was written, or asked for
        self._document = self._read()
        self.picture = self._picture()

    def look(self, held: Iterable[tuple[str, str]] = ()) -> bool:
        """Take in what is new, and lines of the screen's own. Returns whether the picture changed."""
        entries = self._reader.poll()
        self.story.read(entries)
        for text, level in held:
            self.story.say(time.time(), text, level)
        changed = bool(entries) or bool(held)
        signature = _signature(self.places.file), _signature(self.places.checkpoint)
        if signature != self._signature:
            changed = True
            self._replaced()
        if entries:
            self._heard = entries[-1].at
        if self.story.job and time.time() - self._heard > QUIET:
            self._heard = time.time()  # ask again after as long
            changed = self._died() or changed
        changed = self._meter_read() or changed
        if changed:
            self.picture = self._picture()
        return changed

    def _meter_read(self) -> bool:
        """Whether the running job's device is otherwise busy than it was."""
        job, before = self.story.job, self._usage
        if job is None or time.monotonic() - self._metered < METER:
            return False
        self._metered = time.monotonic()
        self._usage = self._meter.read(job.device, job.pid)
        return self._usage != before

    def _picture(self) -> Picture:
        interrupted = checkpoint.find(self.places.checkpoint, self._document)
        return self.story.picture(self._document, interrupted.command if interrupted else None, self._usage)

    def _read(self) -> Document:
        self._signature = _signature(self.places.file), _signature(self.places.checkpoint)
        document = read_header(self.places.file).document
        self.story.begun = document.history[0].at if document.history else 0.0
        return document

    def _replaced(self) -> None:
        """The file is another one than before: a job saved it, or somebody put another in its place."""
        try:
            document, before = self._read(), self._document
        except FileError as error:  # gone, or no pack file; the last picture stays
            self.story.say(time.time(), str(error), "error")
            return
        self._document = document
        if document.history[:1] != before.history[:1]:
            self.story = Story(begun=self.story.begun)
            self._reader = Reader(self.places.journal)
            self.story.read(self._reader.poll())

    def _died(self) -> bool:
        """Whether whoever did the running job is gone."""
        if self.places.is_locked():
            return False
        self.story.read(self._reader.poll())  # it may have finished just now
        running = self.story.job is not None
        self.story.abandoned(time.time(), last_words(self.places.log))
        return running


class PacknetApp(App[None]):
    """One file in the workbench."""

    TITLE = "packnet"
    CSS_PATH = Path(__file__).with_name("screens") / "workbench.tcss"
    ENABLE_COMMAND_PALETTE = True

    class Said(Message):
        """A line from the engine's thread."""

        def __init__(self, text: str):
            super().__init__()
            self.text = text

    def __init__(self, path: Path, readonly: bool = False, ascii: bool = False, submit: Sequence[Command] = ()):
        super().__init__()
        self.path, self.readonly = path, readonly
        self.held = False
        self.ratio = USUAL_RATIO  # the pruning ratio in hand
        self.actions, self._wrong_keys = keys.load(keys.place())
        self.set_keymap(keys.keymap(self.actions))
        self.marks = Marks(ascii)
        self._watch = Watch(path)
        self.picture: Picture = self._watch.picture
        self._said: list[tuple[str, str]] = []
        self._first = list(submit)
        self._engine = EngineLine(path, self._hear)
        self._loop: asyncio.AbstractEventLoop | None = None

    def get_default_screen(self) -> Screen[None]:
        return Workbench()

    def on_mount(self) -> None:
        self.set_class(self.marks.ascii, "ascii")
        # with sixteen colours, the terminal's own are the readable ones
        if self.console.color_system == "standard" and not self.is_headless:
            self.theme = "ansi-dark"
        self.theme_changed_signal.subscribe(self, lambda _: self._colours())
        self._colours()
        self._loop = asyncio.get_running_loop()
        for line in self._wrong_keys:
            self._said.append((line, "warning"))
            self.notify(line, severity="warning", markup=False)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """After the first paint: read the journal, then see to the engine."""
        self.run_worker(self._follow(), name="watch", exit_on_error=True)

    async def _follow(self) -> None:
        await self._look()  # before the engine is started: it would look as if nobody had died
        if not self.readonly:
            self._engine.start()
            for command in self._first:
                self._engine.submit(command)
        while True:
            await asyncio.sleep(POLL)
            await self._look()

    async def _look(self) -> None:
        said, self._said = self._said, []
        if await asyncio.to_thread(self._watch.look, said) and not self.held:
            self.show()

    def show(self) -> None:
        """Draw what is known now."""
        self.picture = self._watch.picture
        for screen in self.screen_stack:
            if callable(redraw := getattr(screen, "redraw", None)):
                redraw()

    def hold(self, held: bool) -> None:
        """Stop drawing what happens, or go on with it."""
        self.held = held
        self.show()

    def submit(self, command: Command) -> None:
        """Have the engine do a command; a preview gives way to it."""
        if not isinstance(command, Evaluate):
            self.stop_previews()
        self._engine.submit(command)

    def stop_previews(self) -> None:
        for job in self._watch.picture.previewing:
            self._engine.stop(job)

    def stop_job(self, job: int) -> None:
        self._engine.stop(job)

    def _hear(self, text: str) -> None:
        self.post_message(self.Said(text))  # from the engine's thread

    def on_packnet_app_said(self, message: Said) -> None:
        self._said.append((message.text, "warning"))
        self.notify(message.text, severity="warning", markup=False)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: the actions, each by its help."""
        bench = next((s for s in self.screen_stack if isinstance(s, Workbench)), None)
        if bench is None:
            return
        for action in self.actions:
            if action.group != "move" and action.name != "palette":
                keys = f"key: {action.shown}" if action.shown else ""
                yield SystemCommand(action.help, keys, partial(bench.run_action, action.name))

    def leave_now(self) -> None:
        """Leave, from a signal or another thread, and within seconds whatever happens.

        Where the terminal has hung up, Textual's writer has died of it, and the event loop may wait for it for ever.
        """
        timer = threading.Timer(PATIENCE, os._exit, [128 + signal.SIGHUP])
        timer.daemon = True
        timer.start()
        if self._loop:
            self._loop.call_soon_threadsafe(self.exit)

    def on_unmount(self) -> None:
        self._engine.close()

    def _colours(self) -> None:
        theme = self.current_theme
        colours = TERMINAL if self.native_ansi_color else DARK if theme.dark else LIGHT
        self.marks = Marks(self.marks.ascii, colours)
        self.show()


def run(path: Path, *, readonly: bool = False, ascii: bool = False, submit: Sequence[Command] = ()) -> int:
    """Open a pack file in the workbench. Returns the exit status.

    Raises FileError where the file is no pack file, RequestError where there is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        raise RequestError(
            f"the workbench needs a terminal; without one: packnet inspect {typed(path)}, packnet watch {typed(path)}"
        )
    app = PacknetApp(path, readonly, ascii, submit)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: app.leave_now())
    threading.Thread(target=_leave_with_terminal, args=[app], daemon=True).start()
    app.run()
    if app.picture.busy:
        job = app.picture.job
        what = summary(job.command if job else app.picture.queue[0][1])
        with suppress(OSError):  # there may be no terminal any more
            print(printable(f"{what} goes on without this screen; come back with: packnet-tui open {typed(path)}"))
    return app.return_code or 0


def _leave_with_terminal(app: PacknetApp) -> None:
    """A terminal that hangs up does not always say so by a signal."""
    while os.isatty(sys.__stdin__.fileno() if sys.__stdin__ else 0):
        time.sleep(1)
    app.leave_now()


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
