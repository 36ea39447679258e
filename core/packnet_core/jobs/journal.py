"""The journal of a file: all that happened to it, one JSON object per line, only ever appended. Needs no torch.

It is the one source of what a screen shows of past and running work. A last line that is not yet whole is left for the
next look; a line that can't be decoded (torn by a crash, or from a newer version) is passed over.
"""

import os
import time
from pathlib import Path

from packnet_core.schema.events import Entry, Event, Progress, TrainStep
from packnet_core.schema.text import UNREADABLE, Decoder, to_json

CHUNK = 1 << 18  # bytes of lines that are read at a time: a journal may be larger than memory
_decoder = Decoder[Entry](Entry)
# How steps look in the journal. Quotes within a JSON string are escaped, so no text of another line looks like this.
_STEP, _PROGRESS = (f'{{"type":"{kind.__struct_config__.tag}"'.encode() for kind in (TrainStep, Progress))


class Journal:
    """The writing end. Only the holder of the file's lock writes."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._end_torn_line()

    def write(self, event: Event, job: int = 0) -> Entry:
        """Append one event, stamped with the time, in one write. Returns the line as an Entry."""
        entry = Entry(at=time.time(), job=job, event=event)
        os.write(self._file, to_json(entry) + b"\n")
        return entry

    def close(self) -> None:
        os.close(self._file)

    def _end_torn_line(self) -> None:
        size = os.fstat(self._file).st_size
        if size:
            with open(self.path, "rb") as file:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    os.write(self._file, b"\n")


class Reader:
    """The reading end: `poll` returns what was appended since the last call.

    `starts` counts how often it began at the start of a journal: once more where another one took its place.
    """

    def __init__(self, path: Path):
        self.path = path
        self._offset = 0
        self._inode = 0
        self.starts = 0

    def poll(self, steps: bool = True) -> list[Entry]:
        """The new whole lines, oldest first: all lines if the journal was replaced or cut, none if it is missing.

        Without `steps`, lines of TrainStep and Progress are passed over undecoded. Raises OSError where the journal
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
    """The whole journal as it stands, as `Reader.poll` gives it."""
    return Reader(path).poll(steps)


def next_job(entries: list[Entry]) -> int:
    """The number of the next job: one more than the highest so far."""
    return max((entry.job for entry in entries), default=0) + 1


def _decode(line: bytes) -> Entry | None:
    try:
        return _decoder.decode(line)
    except UNREADABLE:
        return None
