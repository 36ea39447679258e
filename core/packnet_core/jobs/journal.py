"""The journal of a file: all that happened to it, one JSON object per line, append-only. Needs no torch.

It is the only source of what a screen shows of past and running work. An incomplete last line is left for the next
poll; a line that can't be decoded (torn by a crash, or from a newer version) is skipped.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from packnet_core.errors import DiskError, PacknetError
from packnet_core.files.atomic import replace_file
from packnet_core.files.lines import append, ends_whole
from packnet_core.schema.events import EngineLeft, EngineStarted, Entry, Event, Note, Progress, TrainStep
from packnet_core.schema.text import UNREADABLE, Decoder, to_json

MOST_WAITING = 10_000  # lines kept while the disk refuses them
MOST_JOBS = 1 << 53  # a number of a job that no journal reaches
CHUNK = 1 << 18  # bytes of lines that are read at a time: a journal may be larger than memory
LONGEST = 1 << 24  # bytes of a line, at most
UNTHINNED = 1 << 23  # bytes of news of which every step is read
TAIL = 1 << 20  # bytes at the end of a journal in which `Reader.skip` looks for an engine's start or end
_decoder = Decoder[Entry](Entry)
# How steps look in the journal. Quotes within a JSON string are escaped, so no text of another line looks like this.
_STEP, _PROGRESS, *_ENGINES = (
    f'{{"type":"{kind.__struct_config__.tag}"'.encode() for kind in (TrainStep, Progress, EngineStarted, EngineLeft)
)


class Journal:
    """The writing end. Only the holder of the file's lock writes.

    If the disk refuses a line, the work continues: lines wait in memory, without those of single steps, until there is
    room. `refused` is then a warning, as an entry, to be shown in its place. If the file was deleted, it is written
    again, after a call of `restore`; `restored` is then the entry that says so. Raises DiskError if the file can't be
    opened.
    """

    def __init__(self, path: Path, restore: Callable[[], object] = lambda: None):
        self.path = path
        self._restore = restore
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._lock = threading.Lock()
        self.refused: Entry | None = None
        self.restored: Entry | None = None
        self._file, self._whole = -1, False
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._open(os.O_CREAT)
        except OSError as error:
            self.close()
            raise DiskError(f"{path} can't be opened: {error.strerror or error}") from None

    def write(self, event: Event, job: int = 0) -> Entry:
        """Append one event, stamped with the time, in one write. Returns the line as an Entry. Raises nothing."""
        entry = Entry(at=time.time(), job=job, event=event)
        self.check(job)
        with self._lock:
            self._waiting.append(to_json(entry) + b"\n")
            try:
                self._write_waiting()
                self.refused = None
            except OSError as error:
                if isinstance(event, TrainStep | Progress):
                    self._waiting.pop()
                if self.refused is None:
                    text = f"the journal can't be written ({error.strerror}); what happens is kept until it can"
                    self.refused = Entry(at=entry.at, job=job, event=Note(text=text, level="warning"))
                    self._waiting.append(to_json(self.refused) + b"\n")
        return entry

    def check(self, job: int = 0) -> None:
        """Write the file again, whole, where it was deleted: this process can still read it. Raises nothing."""
        with self._lock, suppress(OSError, PacknetError):  # tried again at the next line
            if self.path.exists():
                return
            self._restore()
            replace_file(self.path, self._copy)
            self._open()
            text = f"{self.path.parent} was deleted while this job ran or waited; what is needed was written again"
            self.restored = Entry(at=time.time(), job=job, event=Note(text=text, level="warning"))
            self._waiting.append(to_json(self.restored) + b"\n")
            self._write_waiting()

    def _copy(self, file: BinaryIO) -> None:
        offset = 0
        while chunk := os.pread(self._file, CHUNK, offset):
            offset += file.write(chunk)

    def replace(self, replace: Callable[[Path], object]) -> None:
        """Have the file replaced by another one, and continue in that. No line is written meanwhile.

        Raises what `replace` raises, and OSError.
        """
        with self._lock:
            self._write_waiting()
            self._whole = False  # if the new one can't be opened now, the next line tries it
            replace(self.path)
            self._open()

    def close(self) -> None:
        """Write the lines that wait, if the disk takes them, and close the file."""
        with self._lock:
            with suppress(OSError):
                self._write_waiting()
            self._close()

    def _close(self) -> None:
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
        self._file = -1

    def _open(self, create: int = 0) -> None:
        """Open the file that has this name now. A torn line at its end must not swallow the next."""
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | create, 0o600)
        self._close()  # not before: what is deleted can still be read there (`check`)
        self._file = file
        if not ends_whole(self.path):
            append(self._file, b"\n")
        self._whole = True

    def _write_waiting(self) -> None:
        """Write the lines that wait, each whole or not at all. Raises OSError if the disk refuses one."""
        if self._waiting and not (self._whole and os.fstat(self._file).st_nlink):
            self._open()  # what was refused may be torn, or the file stale, or removed
        while self._waiting:
            self._whole = False
            append(self._file, self._waiting[0])
            self._whole = True
            self._waiting.popleft()


class Reader:
    """The reading end: `poll` returns what was appended since the last call.

    `starts` counts how often it began at the start of a journal: once more after another journal took its place.
    """

    def __init__(self, path: Path):
        self.path = path
        self._offset = 0
        self._inode = 0
        self.starts = 0

    def poll(self, steps: bool = True) -> list[Entry]:
        """The new complete lines, oldest first: all lines if the journal was replaced or cut, none if it is missing.

        Without `steps`, lines of TrainStep and Progress are skipped without decoding. Raises OSError if the journal
        can't be read.
        """
        return list(self.entries(steps))

    def skip(self) -> None:
        """Begin at the last start or end of an engine, if it is near the end: no job from before it runs or waits.

        Raises OSError if the journal can't be read.
        """
        try:
            file = open(self.path, "rb")  # noqa: SIM115
        except FileNotFoundError:
            return
        with file:
            stat = os.fstat(file.fileno())
            begin = max(0, stat.st_size - TAIL)
            file.seek(begin)
            tail = file.read(TAIL)
            at = max(tail.rfind(engine) for engine in _ENGINES)
            line = tail.rfind(b"\n", 0, max(at, 0)) + 1
            if line:
                self._inode, self._offset = stat.st_ino, begin + line

    def entries(self, steps: bool = True, thin: int | None = None) -> Iterator[Entry]:
        """The entries of `poll` one by one, in bounded memory. They must all be taken.

        If more than `thin` bytes are new, some lines of steps alone are decoded, evenly spread.
        """
        try:
            file = open(self.path, "rb")  # noqa: SIM115
        except FileNotFoundError:
            return
        with file:
            stat = os.fstat(file.fileno())
            if stat.st_ino != self._inode or stat.st_size < self._offset:
                self._inode, self._offset = stat.st_ino, 0
                self.starts += 1
            every = 1 + (stat.st_size - self._offset) // thin if thin else 1
            passed = 0  # steps since the last one that was decoded
            while chunk := self._chunk(file):
                for line in chunk.splitlines():
                    if is_step(line) or is_progress(line):
                        passed += 1
                        if not steps or passed < every:
                            continue
                        passed = 0
                    if (entry := decode(line)) is not None:
                        yield entry

    def _chunk(self, file: BinaryIO) -> bytes:
        """The next whole lines; empty if there are none. A line that is longer than LONGEST is cut."""
        file.seek(self._offset)
        chunk = file.read(CHUNK)
        if len(chunk) == CHUNK and b"\n" not in chunk:
            chunk += file.read(LONGEST)
        end = chunk.rfind(b"\n") + 1
        if not end and len(chunk) > LONGEST:
            end = len(chunk)
        self._offset += end
        return chunk[:end]


def read(path: Path, steps: bool = True) -> list[Entry]:
    """All lines of the journal, as `Reader.poll` returns them."""
    return Reader(path).poll(steps)


def next_job(path: Path) -> int:
    """The number of the next job in a journal: one more than the highest so far."""
    return max((entry.job for entry in Reader(path).entries(steps=False) if entry.job < MOST_JOBS), default=0) + 1


def decode(line: bytes) -> Entry | None:
    """One line of a journal; None if it can't be decoded."""
    try:
        return _decoder.decode(line)
    except UNREADABLE:
        return None


def is_step(line: bytes) -> bool:
    """Whether a line is of a TrainStep, without decoding it."""
    return _STEP in line


def is_progress(line: bytes) -> bool:
    """Whether a line is of a Progress, without decoding it."""
    return _PROGRESS in line
