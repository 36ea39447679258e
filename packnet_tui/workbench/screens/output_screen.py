"""The output of a command that runs as a process of its own, in a pane that scrolls.

A fresh interpreter does the work: torch never enters the screen's process, and a command that dies ends nothing else.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from packnet_core.schema.text import printable
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.dialog_help import Helped
from packnet_tui.workbench.widgets.output_pane import MOST_LINES, OutputPane

PATIENCE = 3.0  # seconds from SIGINT to SIGKILL


class OutputScreen(ModalScreen[None], Helped):
    """Runs `command` and shows what it prints, errors too, as it comes."""

    DEFAULT_CSS = """
    OutputScreen { align: center middle; }
    OutputScreen > OutputPane { width: 96%; height: 90%; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move('down')", "down"),
        Binding("k,up", "move('up')", "up"),
        Binding("ctrl+d,pagedown,space", "move('half_down')", "half a page down"),
        Binding("ctrl+u,pageup", "move('half_up')", "half a page up"),
        Binding("g,home", "move('first')", "to the first line"),
        Binding("G,shift+g,end", "move('last')", "to the last line"),
        Binding("y", "copy", "copy all of it, also through SSH"),
        Binding("x", "stop", "stop the command"),
        Binding("escape,q,ctrl+c", "close", "close, and stop the command if it still runs"),
    ]
    ABOUT = (
        f"What the command prints, as in a shell. It is a process of its own; the last {MOST_LINES:,} lines are kept."
    )
    app: AppInterface

    def __init__(self, title: str, command: Sequence[str]):
        super().__init__()
        self._title, self._command = printable(title), list(command)
        self._process: asyncio.subprocess.Process | None = None
        self._stopped = False

    def compose(self) -> ComposeResult:
        yield OutputPane(self._title)

    @property
    def pane(self) -> OutputPane:
        return self.query_one(OutputPane)

    def on_mount(self) -> None:
        self.set_focus(self.pane)
        self.call_after_refresh(lambda: self.run_worker(self._run(), group="output"))  # then its width is known

    def on_unmount(self) -> None:
        self._end()

    async def _run(self) -> None:
        """Run the command to its end, and say how it ended."""
        width, height = self.pane.content_size
        environment = {"COLUMNS": str(max(40, width)), "LINES": str(height), "PYTHONUNBUFFERED": "1"}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # so that all that it starts can be stopped with it
                env={**os.environ, **environment, "PYTHONIOENCODING": "utf-8:replace"},
            )
        except OSError as error:
            self.pane.end(f"it can't be started: {error.strerror or error}", "bold red")
            return
        output = self._process.stdout
        assert output is not None
        while chunk := await output.read(1 << 16):
            self.pane.feed(chunk)
            await asyncio.sleep(0)  # a flood of output holds up no key
        status = await self._process.wait()
        if self._stopped:
            self.pane.end("stopped", "yellow")
        elif status < 0:
            self.pane.end(f"it was killed by {signal.Signals(-status).name}", "bold red")
        elif status:
            self.pane.end(f"it ended with exit status {status}", "bold red")
        else:
            self.pane.end("", "")

    def _end(self) -> None:
        """Stop the command if it runs: SIGINT, and SIGKILL after a while. Returns at once."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._stopped = True
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)

        def kill() -> None:
            with suppress(ProcessLookupError):
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(PATIENCE, kill)
        timer.daemon = True
        timer.start()

    def action_move(self, how: str) -> None:
        self.pane.move(how)

    def action_copy(self) -> None:
        lines = self.pane.lines
        self.app.copy_to_clipboard("\n".join(line.plain for line in lines))
        self.app.notify(f"copied {len(lines):,} {'line' if len(lines) == 1 else 'lines'}", markup=False)

    def action_stop(self) -> None:
        self._end()

    def action_close(self) -> None:
        self._end()
        self.dismiss(None)
