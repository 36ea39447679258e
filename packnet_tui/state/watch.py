"""Polls a pack file and its journal for the workbench, and makes the picture. Never imports torch."""

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from packnet_core.engine.client import last_words
from packnet_core.errors import FileError
from packnet_core.jobs.history import Run
from packnet_core.jobs.journal import UNTHINNED, Reader
from packnet_core.packfile import checkpoint_header, former
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths, signature
from packnet_core.schema.document import Document
from packnet_core.schema.events import Entry
from packnet_tui.state.picture import Picture
from packnet_tui.state.story import Story
from packnet_tui.state.usage import Meter

METER = 2.0  # seconds between two readings of the device
QUIET = 2.0  # seconds without a new entry of a running job before its process is checked
GLANCED = 1 << 16  # bytes of news of which a glance reads every step


class Watch:
    """One pack file with its journal and checkpoint; `look` reads what changed and updates `picture`.

    It reads files, so the screen's own thread must not call it. Raises FileError if the file is not a pack file.
    `wrong` says why the file can't be read now, though it could before; else it is empty.
    """

    def __init__(self, path: Path):
        self.paths = Paths(path)
        self._reader, self._starts = Reader(self.paths.journal), 0
        self._whole: bool | None = None  # whether the journal was read from its start; None: not read yet
        self._glance = False
        self.wrong = ""
        self._unreadable = ""  # why the journal can't be read
        self._meter, self._usage, self._metered = Meter(), "", 0.0
        self._heard = 0.0  # when the last entry was written, or the process checked
        self._told: set[tuple[int, float]] | None = None  # jobs that ended so far; None: before the first look
        self._looked_at = 0.0  # when, in seconds since 1970
        self.ended: list[Run] = []
        self._document = self._read()
        self.story = Story(self._document)
        self.picture = self._picture()

    @property
    def looked(self) -> bool:
        """Whether the journal was read at all."""
        return self._whole is not None

    def look(self, lines: Iterable[tuple[str, str]] = (), glance: bool = False) -> bool:
        """Take in new entries, and log `lines` of the screen itself. Returns whether the picture changed.

        `ended` then has the jobs that ended since the look before, each once; it is empty after the first look. A
        `glance` needs only what runs and waits now: it leaves out the journal's past, most steps, and the usage of the
        device. The first look after glances reads the journal from its start.
        """
        self._glance, glanced = glance, self._whole is False
        unreadable, newest = self._unreadable, self._news()
        for text, level in lines:
            self.story.say(time.time(), text, level)
        changed = newest is not None or bool(lines) or self._unreadable != unreadable
        if self._signatures() != self._seen:
            changed = True
            self._replaced()
        if newest:
            self._heard = min(newest.at, time.time())
        if self.story.job and time.time() - self._heard > QUIET:
            self._heard = time.time()
            changed = self._died() or changed
        changed = (not glance and self._meter_read()) or changed
        if changed:
            self.picture = self._picture()
        self.ended = self._just_ended(since=self._looked_at if glanced and not glance else None)
        self._looked_at = time.time()
        return changed

    def _just_ended(self, since: float | None) -> list[Run]:
        """Jobs that ended since the last look; also if the journal was shortened, and is read again from its start.

        With `since`, the whole journal was read for the first time, after glances: only what ended since then counts.
        """
        now = {(run.job, run.at): run for run in self.story.ended}
        told, self._told = self._told, (self._told or set()) | now.keys()
        if told is None:
            return []
        ended = [run for key, run in now.items() if key not in told]
        return ended if since is None else [run for run in ended if run.at + (run.seconds or 0.0) >= since]

    def _meter_read(self) -> bool:
        """Read the usage of the running job's device, if it is time to. Returns whether it changed."""
        job, before = self.story.job, self._usage
        if job is None or time.monotonic() - self._metered < METER:
            return False
        self._metered = time.monotonic()
        self._usage = self._meter.read(job.device, job.pid)
        return self._usage != before

    def _news(self) -> Entry | None:
        """Take in new entries of the journal, or all of them if it was replaced or cut. Returns the newest."""
        newest, why = None, ""
        if self._reader.path != self.paths.journal:  # on read-only media, the first job continues it elsewhere
            self._reader, self._starts = Reader(self.paths.journal), 0
        if not (self._whole or self._glance):
            self._reader, self._starts, self.story = Reader(self.paths.journal), 0, Story(self._document)
        try:
            if self._whole is None and self._glance:
                self._reader.skip()
            self._whole = self._whole or not self._glance
            for newest in self._reader.entries(thin=GLANCED if self._glance else UNTHINNED):
                self._begin_anew()
                self.story.read((newest,))
        except OSError as error:
            why = f"the journal can't be read: {error.strerror or error}"
        self._begin_anew()
        if why != self._unreadable:
            self._unreadable = why
            self.story.say(time.time(), why or "the journal can be read again", "error" if why else "info")
        return newest

    def _begin_anew(self) -> None:
        """Forget the journal's entries if another journal took its place."""
        if self._reader.starts != self._starts:
            self.story, self._starts = Story(self._document), self._reader.starts

    def _picture(self) -> Picture:
        checkpoint = checkpoint_header.find(self.paths.checkpoint, self._document)
        picture = self.story.picture(self._document, checkpoint, self._usage, self._undo)
        return replace(picture, signature=self._seen[0])

    def _read(self) -> Document:
        self._seen = self._signatures()
        document = read_header(self.paths.file).document
        found = former.find(self.paths, document)
        self._undo = found.task if found else ""
        return document

    def _replaced(self) -> None:
        """Read the file again, after a job saved it or a new pack file took its place."""
        try:
            document, before = self._read(), self._document
        except FileError as error:  # gone, or no pack file; the last picture stays
            self.wrong = str(error)
            self.story.say(time.time(), self.wrong, "error")
            return
        self._document, self.wrong = document, ""
        if not before.history or before.history[-1] not in document.history:  # another file, or a drop was undone
            self._reader, self._starts = Reader(self.paths.journal), 0
            self._news()

    def _signatures(self) -> tuple[object, object]:
        """The signatures of the file and of its checkpoint; None for a missing one."""
        return signature_of(self.paths.file), signature_of(self.paths.checkpoint)

    def _died(self) -> bool:
        """Check the running job's process. Returns whether it is gone."""
        if self.paths.is_locked():
            return False
        self._news()  # it may have finished just now
        running = self.story.job is not None
        self.story.abandoned(time.time(), last_words(self.paths.log))
        return running


def signature_of(path: Path) -> tuple[int, int, int] | None:
    """A file's signature; None if it is missing, or can't be looked at."""
    try:
        return signature(path)
    except (OSError, ValueError):  # ValueError: no path, such as one with a null character
        return None
