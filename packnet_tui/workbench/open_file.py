"""One of the files that the workbench has open: what is read of it, its engine, what its user left there. No torch."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from packnet_core.errors import PacknetError
from packnet_core.jobs.history import Run
from packnet_tui.state.ended_jobs import in_words
from packnet_tui.state.file_rows import FileRow, file_row, short_names
from packnet_tui.state.picture import Picture
from packnet_tui.state.watch import Watch, signature_of
from packnet_tui.workbench.engine_link import EngineLink

USUAL_RATIO = 0.75  # the paper's, from the second task on (§4)
POLL = 0.2  # seconds between two polls of the file that is shown
POLL_BUSY, POLL_IDLE = 1.0, 5.0  # of another one, while a job runs or waits there, and while it rests
Severity = Literal["information", "warning", "error"]  # of a toast
News = tuple[str, Severity]
SEVERITY: dict[str, Severity] = {"done": "information", "stopped": "warning"}  # by a run's outcome; else an error


class OpenFile:
    """A pack file in the workbench; `look` reads what is new. Nothing of it is shared between files.

    watch   what is read of it; None while it never was a pack file
    error   why it can't be read now; empty if it can
    engine  the link to its engine; None while the file is not shown, or with --readonly
    row     its line in the list of files
    said    messages of the screen that its log has yet to take
    asked   whether the user was asked whether the code that it names may run
    places  where the user was in each pane, by the pane's id
    """

    def __init__(self, path: Path, name: str):
        self.path, self.name = path, name
        self.watch: Watch | None = None
        self.error = ""
        self.engine: EngineLink | None = None
        self.ratio = USUAL_RATIO
        self.said: list[tuple[str, str]] = []
        self.asked = False
        self.places: dict[str | None, dict[str, Any]] = {}
        self.woken = asyncio.Event()  # set when it is shown, so that it is polled at once
        self.turn = asyncio.Lock()  # one look at a time
        self._seen: object = None
        self._open()
        self.row: FileRow = self._row()

    @property
    def picture(self) -> Picture | None:
        return self.watch.picture if self.watch else None

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return self.picture is not None and self.picture.busy

    @property
    def looked(self) -> bool:
        """Whether its journal was read, or there is a reason why it can't be."""
        return bool(self.error) or (self.watch is not None and self.watch.looked)

    def pause(self, shown: bool) -> float:
        """Seconds until the next look."""
        return POLL if shown else POLL_BUSY if self.busy else POLL_IDLE

    def look(self, shown: bool, said: Sequence[tuple[str, str]] = ()) -> tuple[bool, list[News], list[Run]]:
        """Read what is new, and log what the screen `said`.

        Returns whether anything changed, what to tell a user who looks at another file, and the jobs that ended.
        It reads files, so the screen's own thread must not call it.
        """
        before = self._wrong() if self.watch and self.watch.looked else None
        changed = self._open() if self.watch is None else False
        if self.watch:
            changed = self._look(self.watch, said, glance=not shown) or changed
        ended = self.watch.ended if self.watch else []
        news: list[News] = [] if before is None else [(text, "error") for text in self._wrong() if text not in before]
        return changed, [*news, *(_news(run) for run in ended if run.outcome != "died")], ended

    def _look(self, watch: Watch, said: Sequence[tuple[str, str]], glance: bool) -> bool:
        error = self.error
        try:
            changed = watch.look(said, glance)
            self.error = watch.wrong
        except (PacknetError, OSError) as refused:  # what one file does must not end the screen of all
            changed, self.error = False, _reason(refused)
        return changed or self.error != error

    def update_row(self) -> None:
        """Make `row` from what was read last."""
        self.row = self._row()

    def close_engine(self) -> None:
        """Close the link to the engine; the engine works on, and leaves once it has been idle for a while."""
        if self.engine:
            self.engine.close()
            self.engine = None

    def _row(self) -> FileRow:
        return file_row(self.name, self.picture, self.error)

    def _open(self) -> bool:
        """Read the file for the first time, if it changed since the last attempt. Returns whether it was tried."""
        seen = signature_of(self.path)
        if self.error and seen == self._seen:
            return False
        self._seen = seen
        try:
            self.watch, self.error = Watch(self.path), ""
        except (PacknetError, OSError) as error:
            self.error = _reason(error)
        return True

    def _wrong(self) -> list[str]:
        """What is wrong now."""
        return [text for text in (self.error, self.watch.picture.died if self.watch else "") if text]


def _news(run: Run) -> News:
    return in_words(run), SEVERITY.get(run.outcome, "error")


def open_files(paths: Sequence[Path]) -> list[OpenFile]:
    """Open each file; a file that is there under two names is opened once. One that can't be read has its `error`."""
    distinct: dict[object, Path] = {}
    for path in paths:
        distinct.setdefault(_identity(path), path)
    names = short_names([path.absolute() for path in distinct.values()])
    return [OpenFile(path, name) for path, name in zip(distinct.values(), names, strict=True)]


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _identity(path: Path) -> object:
    try:
        status = os.stat(path)
        return status.st_dev, status.st_ino
    except (OSError, ValueError):
        return os.path.realpath(path)
