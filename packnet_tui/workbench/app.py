"""The workbench's application. It polls file and journal, and has the link to the engine. Never imports torch."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from textual.app import SystemCommand
from textual.filter import LineFilter, Monochrome, NoColor
from textual.message import Message
from textual.screen import Screen

from packnet_core.errors import PacknetError
from packnet_core.jobs.history import Run
from packnet_core.packfile import trust
from packnet_core.schema.commands import Command, Evaluate, summary
from packnet_core.schema.text import printable
from packnet_tui.cli.on_done import run_command
from packnet_tui.cli.shell import quoted
from packnet_tui.state.ended_jobs import in_words
from packnet_tui.state.marks import DARK, LIGHT, TERMINAL, Marks
from packnet_tui.state.notices import Notify, notice
from packnet_tui.state.picture import Picture
from packnet_tui.state.watch import Watch
from packnet_tui.workbench import keys
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.engine_link import EngineLink
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.widgets.ascii_filter import AsciiFilter

POLL = 0.2  # seconds between two polls of journal and file
PATIENCE = 3.0  # seconds until exit is forced after the terminal is gone
USUAL_RATIO = 0.75  # the paper's, from the second task on (§4)


class PacknetApp(AppInterface):
    """One file in the workbench."""

    TITLE = "packnet"
    CSS_PATH = Path(__file__).with_name("screens") / "workbench.tcss"

    class Said(Message):
        """A message from the engine link's thread."""

        def __init__(self, text: str):
            super().__init__()
            self.text = text

    def __init__(
        self,
        path: Path,
        readonly: bool = False,
        ascii: bool = False,
        submit: Sequence[Command] = (),
        notify: Notify | None = None,
        on_done: str = "",
    ):
        super().__init__()
        self.path, self.readonly = path, readonly
        self._how_to_notify, self._on_done = notify, on_done
        self.held = False
        self.ratio = USUAL_RATIO
        self.actions, self._wrong_keys = keys.load_keys(keys.keys_file())
        self.set_keymap(keys.keymap(self.actions))
        self.marks = Marks()
        self._ascii = AsciiFilter(enabled=ascii)
        self._watch = Watch(path)
        self.picture: Picture = self._watch.picture
        self._said: list[tuple[str, str]] = []
        self._first = list(submit)
        self._engine = EngineLink(path, self._hear)
        self._loop: asyncio.AbstractEventLoop | None = None

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = [*super().get_line_filters(), *([self._ascii] if self._ascii.enabled else [])]
        if self.no_color and self.native_ansi_color:  # in which Monochrome makes every colour black
            filters = [NoColor() if isinstance(each, Monochrome) else each for each in filters]
        return filters

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda _: self._colours())
        self.app_resume_signal.subscribe(self, lambda _: self.refresh())  # the shell has drawn over the screen
        self._colours()
        self._loop = asyncio.get_running_loop()
        for line in (*self._wrong_keys, *self._choose_theme()):
            self._said.append((line, "warning"))
            self.notify(line, severity="warning", markup=False)
        self.call_after_refresh(self._begin)

    def _choose_theme(self) -> Iterator[str]:
        """Use the terminal's own colours if it has only sixteen. Yields a warning if TEXTUAL_THEME is unknown."""
        wanted = os.environ.get("TEXTUAL_THEME", self.theme)
        if wanted not in self.available_themes:
            yield f"TEXTUAL_THEME={printable(wanted)}: there is no such theme; see them with :theme"
        if self.console.color_system == "standard" and not self.is_headless and not self.native_ansi_color:
            self.theme = "ansi-dark" if self.current_theme.dark else "ansi-light"

    def _begin(self) -> None:
        """Read the journal, then start the engine; called after the first paint."""
        self.run_worker(self._follow(), name="watch", exit_on_error=True)

    async def _follow(self) -> None:
        await self._look()  # first: once a new engine runs, the death of a former one would not be noticed
        if not self.readonly:
            await self._ask_for_trust()
            self._engine.start()
            for command in self._first:
                self._engine.submit(command)
        while True:
            await asyncio.sleep(POLL)
            await self._look()

    async def _ask_for_trust(self) -> None:
        """Ask whether the code that the file names may run; without it the engine can do no job."""
        name = self.picture.document.architecture.name
        if trust.is_trusted(self.path, name):
            return
        text = f"{name} builds its network. It runs as you, with all that you may do. Without it you can only look."
        if await self.push_screen_wait(Question("This file names code of its own. Run it?", text, yes="run it")):
            try:
                await asyncio.to_thread(trust.trust, self.path, name)
            except PacknetError as error:
                self._hear(str(error))

    async def _look(self) -> None:
        said, self._said = self._said, []
        if await asyncio.to_thread(self._watch.look, said) and not self.held:
            self.show()
        for run in self._watch.ended:
            self._tell_end(self.path, run)

    def _tell_end(self, path: Path, run: Run) -> None:
        """Notify that a job of a file has ended, and run the user's command, as asked for. Returns at once."""
        if self._how_to_notify and self._driver:
            text = f"{path.name}: {in_words(run)}"
            self._driver.write(notice(self._how_to_notify, text, os.environ))
        if self._on_done:
            threading.Thread(target=self._run_on_done, args=(path, run), name="on done", daemon=True).start()

    def _run_on_done(self, path: Path, run: Run) -> None:
        if problem := run_command(self._on_done, path, run):
            self._hear(problem)

    def show(self) -> None:
        """Draw the newest picture."""
        self.picture = self._watch.picture
        for screen in self.screen_stack:
            if callable(redraw := getattr(screen, "redraw", None)):
                redraw()

    def hold(self, held: bool) -> None:
        self.held = held
        self.show()

    def submit(self, command: Command) -> None:
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
        """The entries of the palette: the actions, each by its help."""
        main = next((s for s in self.screen_stack if isinstance(s, MainScreen)), None)
        if main is None:
            return
        for action in self.actions:
            if action.group != "move" and action.name != "palette":
                keys = f"key: {action.shown}" if action.shown else ""
                yield SystemCommand(action.help, keys, partial(main.run_action, action.name))

    def leave_now(self, number: int = signal.SIGHUP) -> None:
        """Exit because of a signal, from its handler or another thread, after at most PATIENCE seconds.

        After a hang-up, Textual's writer thread is dead, and the event loop may wait for it for ever.
        """
        status = 128 + number  # as shells do
        timer = threading.Timer(PATIENCE, os._exit, [status])
        timer.daemon = True
        timer.start()
        if self._loop:
            self._loop.call_soon_threadsafe(lambda: self.exit(return_code=status))

    def on_unmount(self) -> None:
        self._engine.close()

    def _colours(self) -> None:
        theme = self.current_theme
        colours = TERMINAL if self.native_ansi_color else DARK if theme.dark else LIGHT
        self.marks = Marks(colours)
        self.show()


def open_workbench(
    path: Path,
    *,
    readonly: bool = False,
    ascii: bool = False,
    submit: Sequence[Command] = (),
    notify: Notify | None = None,
    on_done: str = "",
) -> int:
    """Open a pack file in the workbench. Returns the exit status.

    `notify` is how to tell the terminal that a job has ended, and `on_done` what the shell runs then. It needs a
    terminal (`shell.require_terminal`). Raises FileError if the file is not a pack file.
    """
    app = PacknetApp(path, readonly, ascii, submit, notify, on_done)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGTERM):
        signal.signal(number, lambda number, _: app.leave_now(number))
    threading.Thread(target=_leave_with_terminal, args=[app], daemon=True).start()
    app.run()
    if app.picture.busy:
        job = app.picture.job
        what = summary(job.command if job else app.picture.queue[0][1])
        with suppress(OSError):  # the terminal may be gone
            print(printable(f"{what} continues without this screen; open it with: packnet-tui open {quoted(path)}"))
    return app.return_code or 0


def _leave_with_terminal(app: PacknetApp) -> None:
    """Exit when the terminal is gone: a hang-up does not always send a signal."""
    while os.isatty(sys.__stdin__.fileno() if sys.__stdin__ else 0):
        time.sleep(1)
    app.leave_now()
