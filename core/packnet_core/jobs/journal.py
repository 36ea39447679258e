"""The journal: all that happened to a file, one JSON object a line, only ever appended. Needs no torch.

It is the one source of what a screen shows of past and running work. Readers start anywhere and follow; a last line
that is not yet whole is not yet there, and a line that can't be read (torn by a crash, or from a newer version) is
passed over.
"""

import os
import time
from pathlib import Path

import msgspec

from packnet_core.schema.events import Entry, Event

_decoder = msgspec.json.Decoder(Entry)
_encoder = msgspec.json.Encoder()


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
        os.write(self._file, _encoder.encode(entry) + b"\n")
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
    """The reading end: `poll` returns what was appended since; `starts` counts how often it began at the start."""

    def __init__(self, path: Path):
        self.path = path
        self._offset = 0
        self._torn = b""
        self._inode = 0
        self.starts = 0

    def poll(self) -> list[Entry]:
        """New whole lines, oldest first. A missing journal is an empty one; a replaced or cut one is read anew."""
        try:
            with open(self.path, "rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    self._inode, self._offset, self._torn = stat.st_ino, 0, b""
                    self.starts += 1
                if stat.st_size == self._offset:
                    return []
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *lines, self._torn = (self._torn + data).split(b"\n")
        return [entry for line in lines if (entry := _decode(line)) is not None]


def read(path: Path) -> list[Entry]:
    """The whole journal as it stands."""
    return Reader(path).poll()


def next_job(entries: list[Entry]) -> int:
    """The number of the next job: one more than the highest so far."""
    return max((entry.job for entry in entries), default=0) + 1


def _decode(line: bytes) -> Entry | None:
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError:  # a ValidationError is one too
        return None
