"""The workbench in the terminal: signals, hang-ups, and what the shell shows afterwards. Never imports torch."""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from packnet_core.schema.commands import Command, summary
from packnet_core.schema.text import printable
from packnet_tui.cli.shell import quoted
from packnet_tui.state.notices import Notify
from packnet_tui.workbench.app import PacknetApp
from packnet_tui.workbench.open_file import OpenFile


def open_workbench(
    *paths: Path,
    readonly: bool = False,
    ascii: bool = False,
    submit: Sequence[Command] = (),
    notify: Notify | None = None,
    on_done: str = "",
) -> int:
    """Open pack files in the workbench, the first one shown. Returns the exit status.

    `notify` is how to tell the terminal that a job has ended, and `on_done` what the shell runs then. It needs a
    terminal (`shell.require_terminal`). Raises FileError if none of the files is a pack file.
    """
    app = PacknetApp(*paths, readonly=readonly, ascii=ascii, submit=submit, notify=notify, on_done=on_done)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGTERM):
        signal.signal(number, lambda number, _: app.leave_now(number))
    threading.Thread(target=_leave_with_terminal, args=[app], daemon=True).start()
    app.run()
    with suppress(OSError):  # the terminal may be gone
        for line in last_lines(app.files):
            print(line)
    return app.return_code or 0


def last_lines(files: Sequence[OpenFile]) -> list[str]:
    """What to print in the shell: each job that continues, by its file, and how to come back."""
    jobs = {}
    for file in files:
        if file.picture and file.picture.doing:
            jobs[file.name] = summary(file.picture.doing)
    paths = " ".join(quoted(file.path) for file in files)
    if len(files) == 1:
        lines = [
            f"{job} continues without this screen; open it with: packnet-tui open {paths}" for job in jobs.values()
        ]
    else:
        lines = [f"{name}: {job} continues without this screen" for name, job in jobs.items()]
        lines += [f"open them with: packnet-tui open {paths}"] * bool(jobs)
    return [printable(line) for line in lines]


def _leave_with_terminal(app: PacknetApp) -> None:
    """Exit when the terminal is gone: a hang-up does not always send a signal."""
    while os.isatty(sys.__stdin__.fileno() if sys.__stdin__ else 0):
        time.sleep(1)
    app.leave_now()
