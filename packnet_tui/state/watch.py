"""What file and journal say, looked at again and again, as a picture. Never imports torch."""

import time
from collections.abc import Iterable
from pathlib import Path

from packnet_core.engine.client import last_words
from packnet_core.errors import FileError
from packnet_core.jobs.journal import Reader
from packnet_core.packfile import checkpoint_header
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.document import Document
from packnet_core.schema.events import Entry
from packnet_tui.state.picture import Picture
from packnet_tui.state.story import Story
from packnet_tui.state.usage import Meter

METER = 2.0  # seconds between two looks at the device
QUIET = 2.0  # seconds without news from a job until it is asked whether its engine still lives


class Watch:
    """The files of one pack, looked at again and again; what they say, as a picture. Runs off the screen's thread."""

    def __init__(self, path: Path):
        self.paths = Paths(path)
        self.story = Story()
        self._reader, self._starts = Reader(self.paths.journal), 0
        self._unreadable = ""  # why the journal can't be read
        self._signature: object = None
        self._meter, self._usage, self._metered = Meter(), "", 0.0
        self._heard = 0.0  # when the last news was written, or asked for
        self._document = self._read()
        self.picture = self._picture()

    def look(self, held: Iterable[tuple[str, str]] = ()) -> bool:
        """Take in what is new, and lines of the screen's own. Returns whether the picture changed."""
        unreadable, entries = self._unreadable, self._news()
        for text, level in held:
            self.story.say(time.time(), text, level)
        changed = bool(entries) or bool(held) or self._unreadable != unreadable
        signature = _signature(self.paths.file), _signature(self.paths.checkpoint)
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

    def _news(self) -> list[Entry]:
        """Take in what was appended to the journal; all of it, where it is another one, or was cut. Returns it."""
        try:
            entries, why = self._reader.poll(), ""
        except OSError as error:
            entries, why = [], f"the journal can't be read: {error.strerror or error}"
        if self._reader.starts != self._starts:
            self.story, self._starts = Story(begun=self.story.begun), self._reader.starts
        self.story.read(entries)
        if why != self._unreadable:
            self._unreadable = why
            self.story.say(time.time(), why or "the journal can be read again", "error" if why else "info")
        return entries

    def _picture(self) -> Picture:
        interrupted = checkpoint_header.find(self.paths.checkpoint, self._document)
        return self.story.picture(self._document, interrupted.command if interrupted else None, self._usage)

    def _read(self) -> Document:
        self._signature = _signature(self.paths.file), _signature(self.paths.checkpoint)
        document = read_header(self.paths.file).document
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
            self._reader, self._starts = Reader(self.paths.journal), 0
            self._news()

    def _died(self) -> bool:
        """Whether whoever did the running job is gone."""
        if self.paths.is_locked():
            return False
        self._news()  # it may have finished just now
        running = self.story.job is not None
        self.story.abandoned(time.time(), last_words(self.paths.log))
        return running


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
