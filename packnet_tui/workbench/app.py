"""The workbench's application. It polls file and journal, and has the link to the engine. Never imports torch."""

import asyncio
import importlib
import os
import signal
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from textual.app import SystemCommand
from textual.message import Message
from textual.screen import Screen

from packnet_core.errors import FileError, PacknetError
from packnet_core.jobs.history import Run
from packnet_core.packfile import trust
from packnet_core.schema.commands import Add, Command, Evaluate, Train
from packnet_tui.cli.on_done import run_command
from packnet_tui.state.ended_jobs import in_words
from packnet_tui.state.notices import Notify, notice
from packnet_tui.workbench import keys
from packnet_tui.workbench.appearance import Appearance
from packnet_tui.workbench.engine_link import EngineLink
from packnet_tui.workbench.open_file import OpenFile, open_files
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.question import Question

DIALOGS = (
    "field_table",
    "form",
    "recipe_fields",
    "add_form",
    "help_screen",
    "prune_screen",
    "forecast_screen",
    "train_form",
)
BETWEEN = 0.1  # seconds between two imports of dialogs
PATIENCE = 3.0  # seconds until exit is forced after the terminal is gone
PASSING = 1.0  # seconds that a file is shown before its engine starts: one that is only passed by needs none


class PacknetApp(Appearance):
    """Some files in the workbench, of which one is shown.

    Raises FileError if none of them is a pack file.
    """

    TITLE = "packnet"
    CSS_PATH = Path(__file__).with_name("screens") / "workbench.tcss"

    class Said(Message):
        """A message from the thread of a file's engine link."""

        def __init__(self, file: OpenFile, text: str):
            super().__init__()
            self.file, self.text = file, text

    def __init__(
        self,
        *paths: Path,
        readonly: bool = False,
        ascii: bool = False,
        submit: Sequence[Command] = (),
        notify: Notify | None = None,
        on_done: str = "",
    ):
        super().__init__(ascii)
        self.readonly = readonly
        self._how_to_notify, self._on_done = notify, on_done
        self.held = False
        self.files = open_files(paths)
        here = next((file for file in self.files if file.watch), None)
        if here is None or here.picture is None:
            raise FileError("; ".join(file.error for file in self.files))
        self.here, self.picture = here, here.picture
        self.left_in_forms = {}
        self.actions, self._wrong_keys = keys.load_keys(keys.keys_file())
        self.set_keymap(keys.keymap(self.actions))
        self._first = list(submit)
        self._loop: asyncio.AbstractEventLoop | None = None

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.refresh())  # the shell has drawn over the screen
        self._loop = asyncio.get_running_loop()
        for line in (*self._wrong_keys, *self.choose_theme()):
            self._say(self.here, line)
        self.call_after_refresh(self._begin, self.here)

    def _begin(self, here: OpenFile) -> None:
        """Read the journals, then start the engine of the first file; called after the first paint."""
        self.run_worker(self._begin_with(here), name="watch", exit_on_error=True)

    async def _import_dialogs(self) -> None:
        """Import the dialogs one by one, between keys, so that each opens as fast the first time as later."""
        for name in DIALOGS:
            await asyncio.sleep(BETWEEN)
            importlib.import_module(f"packnet_tui.workbench.screens.{name}")

    async def _begin_with(self, here: OpenFile) -> None:
        for file in self.files:
            if file is not here:
                self._start_following(file)
        await self._look(here)  # first: once a new engine runs, the death of a former one would not be noticed
        self.run_worker(self._import_dialogs(), group="import")
        self._start_following(here)
        await self._ask_for_trust(here)
        if here is not self.here:  # the user shows another file by now
            return
        if not self.readonly:
            self._engine()
        for command in self._first:
            self.submit(command)

    def _start_following(self, file: OpenFile) -> None:
        self.run_worker(self._follow(file), name="watch", group="watch", exit_on_error=True)

    def _tell_end(self, file: OpenFile, run: Run) -> None:
        """Notify that a job of a file has ended, and run the user's command, as asked for. Returns at once."""
        if self._how_to_notify and self._driver:
            text = f"{file.name}: {in_words(run)}"
            self._driver.write(notice(self._how_to_notify, text, os.environ))
        if self._on_done:
            threading.Thread(target=self._run_on_done, args=(file, run), name="on done", daemon=True).start()

    def _run_on_done(self, file: OpenFile, run: Run) -> None:
        if problem := run_command(self._on_done, file.path, run):
            self._hear(file, problem)

    async def _follow(self, file: OpenFile) -> None:
        """Look at a file for ever: often if it is shown, less often while it works, rarely while it rests."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(file.woken.wait(), file.pause(file is self.here) if file.looked else 0)
            file.woken.clear()
            await self._look(file)

    async def _look(self, file: OpenFile) -> None:
        async with file.turn:
            said, file.said = file.said, []
            changed, news, ended = await asyncio.to_thread(file.look, file is self.here, said)
        if file is not self.here:
            for text, severity in news:
                self.notify(f"{file.name}: {text}", severity=severity, markup=False)
        for run in ended:
            self._tell_end(file, run)
        if changed and not self.held:
            self.show(file)

    def show(self, file: OpenFile | None = None) -> None:
        """Draw the newest picture; only the list of files, if only a file that is not shown has changed."""
        for each in self.files if file is None else [file]:
            each.update_row()
        self.picture = self.here.picture or self.picture
        method = "redraw_files" if file not in (None, self.here) else "redraw"
        for screen in self.screen_stack:
            if callable(redraw := getattr(screen, method, None)):
                redraw()

    def hold(self, held: bool) -> None:
        self.held = held
        self.show()

    # -- files ------------------------------------------------------------------------------------------------------

    def go_to(self, file: OpenFile) -> None:
        if file is self.here or file.watch is None:
            return
        self.here.close_engine()
        self.here = file
        self.show()
        file.woken.set()
        self.run_worker(self._arrive(file), name="arrive", group="arrive", exclusive=True)

    async def _arrive(self, file: OpenFile) -> None:
        """Start the engine of the file that is shown, unless the user leaves it at once."""
        await self._ask_for_trust(file)
        await asyncio.sleep(PASSING)
        async with file.turn:  # its journal was read first
            if not self.readonly:
                self._engine()

    async def _ask_for_trust(self, file: OpenFile) -> None:
        """Ask whether the code that a file names may run; without it the engine can do no job."""
        if self.readonly or file.asked or file.picture is None:
            return
        name = file.picture.document.architecture.name
        if await asyncio.to_thread(trust.is_trusted, file.path, name) or file is not self.here:
            return
        file.asked = True
        text = f"{name} builds its network. It runs as you, with all that you may do. Without it you can only look."
        if await self.push_screen_wait(Question("This file names code of its own. Run it?", text, yes="run it")):
            try:
                await asyncio.to_thread(trust.trust, file.path, name)
            except PacknetError as error:
                self._hear(file, str(error))

    # -- the engine of the file that is shown -----------------------------------------------------------------------

    def link(self, file: OpenFile) -> EngineLink:
        """A link to a file's engine, not started yet."""
        return EngineLink(file.path, partial(self._hear, file))

    def _engine(self) -> EngineLink:
        if self.here.engine is None:
            self.here.engine = self.link(self.here)
            self.here.engine.start()
        return self.here.engine

    def submit(self, command: Command) -> None:
        if not isinstance(command, Evaluate):
            self.stop_previews()
        if isinstance(command, Add | Train):
            others = [place for place in self.left_in_forms if place[0] != str(self.path)]
            self.left_in_forms = {place: self.left_in_forms[place] for place in others}
        self._engine().submit(command)

    def stop_previews(self) -> None:
        for job in self.here.picture.previewing if self.here.picture else ():
            self._engine().stop(job)

    def stop_job(self, job: int) -> None:
        self._engine().stop(job)

    def _hear(self, file: OpenFile, text: str) -> None:
        self.post_message(self.Said(file, text))  # from the engine's thread

    def on_packnet_app_said(self, message: Said) -> None:
        self._say(message.file, message.text)

    def _say(self, file: OpenFile, text: str) -> None:
        """Show a warning, and put it into the log of the file that it is about."""
        file.said.append((text, "warning"))
        about = "" if file is self.here else f"{file.name}: "
        self.notify(about + text, severity="warning", markup=False)

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
        self.here.close_engine()
        self.keep_last_look()
