"""The journal of a file: all that happened to it, one JSON object per line, append-only. Needs no torch.

It is the only source of what a screen shows of past and running work. An incomplete last line is left for the next
poll; a line that can't be decoded (torn by a crash, or from a newer version) is skipped.
"""

import errno
import os
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

import msgspec

from packnet_core.schema.events import Entry, Event, Note, Progress, TrainStep
from packnet_core.schema.text import UNREADABLE, from_json

MOST_WAITING = 10_000  # lines kept while the disk refuses them
CHUNK = 1 << 18  # bytes of lines that are read at a time: a journal may be larger than memory
_encoder = msgspec.json.Encoder()
# How steps look in the journal. Quotes within a JSON string are escaped, so no text of another line looks like this.
_STEP, _PROGRESS = (f'{{"type":"{kind.__struct_config__.tag}"'.encode() for kind in (TrainStep, Progress))


class Journal:
    """The writing end. Only the holder of the file's lock writes.

    Where the disk refuses a line, the work continues: lines wait in memory, without those of single steps, until there
    is room. `refused` is then the entry of a warning, for whoever shows what happens.
    """

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(exist_ok=True)
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self.refused: Entry | None = None
        if not _ends_whole(path):
            self._waiting.append(b"\n")  # a line torn by a crash must not swallow the next

    def write(self, event: Event, job: int = 0) -> Entry:
        """Append one event, stamped with the time, in one write. Returns the line as an Entry. Raises nothing."""
        entry = Entry(at=time.time(), job=job, event=event)
        with self._lock:
            self._waiting.append(_encoder.encode(entry) + b"\n")
            try:
                self._write_waiting()
                self.refused = None
            except OSError as error:
                if isinstance(event, TrainStep | Progress):
                    self._waiting.pop()
                if self.refused is None:
                    text = f"the journal can't be written ({error.strerror}); what happens is kept until it can"
                    self.refused = Entry(at=entry.at, job=job, event=Note(text=text, level="warning"))
                    self._waiting.append(_encoder.encode(self.refused) + b"\n")
        return entry

    def close(self) -> None:
        with self._lock, suppress(OSError):
            self._write_waiting()
        os.close(self._file)

    def _write_waiting(self) -> None:
        """Write the lines that wait, each whole or not at all. Raises OSError where the disk refuses one."""
        while self._waiting:
            size = os.fstat(self._file).st_size
            if os.write(self._file, self._waiting[0]) < len(self._waiting[0]):
                os.ftruncate(self._file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
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
        entries: list[Entry] = []
        try:
            with open(self.path, "rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    self._inode, self._offset = stat.st_ino, 0
                    self.starts += 1
                file.seek(self._offset)
                while lines := file.readlines(CHUNK):
                    torn = not lines[-1].endswith(b"\n")
                    if torn:
                        lines.pop()  # to be read again at the next poll
                    self._offset += sum(map(len, lines))
                    if not steps:
                        lines = [line for line in lines if _STEP not in line and _PROGRESS not in line]
                    entries += (entry for line in lines if (entry := _decode(line)) is not None)
                    if torn:
                        break
        except FileNotFoundError:
            return []
        return entries


def read(path: Path, steps: bool = True) -> list[Entry]:
    """All lines of the journal, as `Reader.poll` returns them."""
    return Reader(path).poll(steps)


def next_job(entries: list[Entry]) -> int:
    """The number of the next job: one more than the highest so far."""
    return max((entry.job for entry in entries), default=0) + 1


def _ends_whole(path: Path) -> bool:
    """Whether a journal is empty or ends with a whole line."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return file.read(1) in (b"", b"\n")


def _decode(line: bytes) -> Entry | None:
    try:
        return from_json(line, Entry)
    except UNREADABLE:
        return None
