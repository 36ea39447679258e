"""Faults at the boundary to the system: every call that touches a folder is counted, and one of them fails, or kills.

SQLite tests itself like this: count the calls of an operation, then do it again once per call, with that call failing.
Real files and the real code are used; only the call itself is answered by an error, as a disk would answer it.

    with Boundary(folder) as calm:
        operation()
    for call in calm.calls:
        with Boundary(folder, call, Fails("ENOSPC", stays=True)):
            operation()

EINTR is not among the errors: Python repeats an interrupted call itself, below what is replaced here.
"""

import errno
import fcntl
import io
import mmap
import os
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

KILLED = 77  # the exit status of a process that `Dies`
_lstat = os.lstat  # as it is without faults
NAMED = {  # functions of os whose first argument is a path
    "unlink": "remove", "remove": "remove", "rmdir": "remove", "mkdir": "create", "chmod": "change",
    "truncate": "change", "stat": "look", "lstat": "look", "scandir": "look", "listdir": "look", "statvfs": "look",
}  # fmt: skip
OPENED = {  # whose first argument is a descriptor
    "write": "write", "pwrite": "write", "read": "read", "fsync": "sync", "ftruncate": "change", "fchmod": "change",
    "fstat": "look",
}  # fmt: skip
MOVED = {"rename": "rename", "replace": "rename", "link": "create"}  # from one path to another
SOCKETS = {"connect": "talk", "bind": "create", "listen": "talk", "accept": "talk", "send": "talk", "sendall": "talk",
           "recv_into": "talk"}  # fmt: skip

CHANGES = frozenset({"create", "write", "rename", "remove", "change"})  # kinds of calls that change the disk
EVERY = CHANGES | {"open", "read", "look", "sync", "lock", "map", "close"}
REFUSED = {  # which kinds of calls each error may answer
    "ENOSPC": frozenset({"create", "write", "sync"}),
    "EIO": EVERY,
    "EROFS": CHANGES,
    "EACCES": frozenset({"open", "create", "rename", "remove", "change", "look"}),
    "ESTALE": EVERY - {"lock", "map"},
    "EMFILE": frozenset({"open"}),
    "ENOLCK": frozenset({"lock"}),
    "ENOMEM": frozenset({"map"}),
} | dict.fromkeys(("EPIPE", "ETIMEDOUT"), frozenset({"talk"}))


class Call(NamedTuple):
    """The `nth` call (from 1) of a kind on a file. Parts of its name that are drawn at random are replaced by `*`."""

    name: str  # of the function
    kind: str
    where: str
    nth: int

    def __str__(self) -> str:
        return f"{self.name} {self.nth} of {self.where}"


class Fails(NamedTuple):
    """An error instead of the call: once, or from there on for all calls of its disk that it may answer."""

    error: str
    stays: bool = False


class Shortens(NamedTuple):
    """A write that takes half of the bytes. With `stays`, the disk is full afterwards."""

    stays: bool = False


class Interrupts(NamedTuple):
    """Ctrl-C right after the call: KeyboardInterrupt."""


class Dies(NamedTuple):
    """The process ends without another word: before, in the midst of (a write) or after the call."""

    when: str


Fault = Fails | Shortens | Interrupts | Dies


def faults(call: Call) -> list[Fault]:
    """All faults that may meet a call and that its process survives."""
    found: list[Fault] = [
        Fails(error, stays) for error, kinds in REFUSED.items() if call.kind in kinds for stays in (False, True)
    ]
    if call.kind == "write":
        found += [Shortens(), Shortens(stays=True)]
    return [*found, Interrupts()] if call.kind in CHANGES else found


def deaths(call: Call) -> list[Dies]:
    """The times at which a process can die around a call that changes the disk; after any other it is as before."""
    times = ["before", "amid", "after"] if call.kind == "write" else ["before", "after"]
    return [Dies(when) for when in times] if call.kind in CHANGES | {"sync"} else []


class Boundary:
    """A context in which calls on files below some folders, the disks, are counted, and `at` meets its `fault`."""

    def __init__(self, *disks: Path, at: Call | None = None, fault: Fault | None = None):
        self.disks, self.at, self.fault = [str(disk) for disk in disks], at, fault
        self.calls: list[Call] = []
        self.met = False  # the fault
        self._broken = ""  # the disk that stays so
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._inside = threading.local()
        self._patches = ExitStack()

    def __enter__(self) -> "Boundary":
        for place, attribute, value in self._replacements():
            self._patches.enter_context(mock.patch.object(place, attribute, value))
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.close()

    def _replacements(self) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
        for table, path_of in ((NAMED, _path), (OPENED, _path_of_descriptor), (MOVED, _path)):
            for name, kind in table.items():
                yield os, name, self._replaced(name, kind, getattr(os, name), path_of, table is MOVED)
        for name, kind in SOCKETS.items():
            addressed = name in ("connect", "bind")  # their path is the second argument, as that of what is moved
            path_of = _path if addressed else _path_of_socket
            yield socket.socket, name, self._replaced(name, kind, getattr(socket.socket, name), path_of, addressed)
        yield fcntl, "flock", self._flock(fcntl.flock)
        yield mmap, "mmap", self._replaced("mmap", "map", mmap.mmap, _path_of_descriptor)
        yield os, "open", self._os_open(os.open)
        opened = self._open(io.open)
        yield io, "open", opened
        yield __import__("builtins"), "open", opened

    def _replaced(
        self, name: str, kind: str, real: Callable[..., Any], path_of: Callable[[Any], str | None], second: bool = False
    ) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            path = path_of(args[1] if second else args[0]) if args else None
            return self.through(name, kind, path, real, *args, **options)

        return call

    def _flock(self, real: Callable[..., None]) -> Callable[..., None]:
        """`flock`; it never refuses to unlock, which closing the file does as well."""

        def call(file: Any, operation: int) -> None:
            path = None if operation & fcntl.LOCK_UN else _path_of_descriptor(file)
            self.through("flock", "lock", path, real, file, operation)

        return call

    def _os_open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *args: Any, **options: Any) -> int:
            creates = flags & os.O_CREAT and not _exists(path)
            return int(self.through("open", "create" if creates else "open", _path(path), real, path, flags, *args,
                                    **options))  # fmt: skip

        return call

    def _open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """`open`, but the raw file below the buffer is one whose calls are counted."""

        def call(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **options: Any) -> Any:
            path = _path_of_descriptor(file) if isinstance(file, int) else _path(file)
            if self.disk_of(path) is None:
                return real(file, mode, buffering, *args, **options)
            raw = _File(self, file, mode.replace("b", "").replace("t", ""), options.get("closefd", True))
            if buffering == 0:
                return raw
            both = io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
            buffer = both(raw)
            return buffer if "b" in mode else io.TextIOWrapper(buffer, options.get("encoding"), options.get("errors"))

        return call

    def disk_of(self, path: str | None) -> str | None:
        """The disk that a path is on; None if it is on none of these."""
        return next((disk for disk in self.disks if path and (path == disk or path.startswith(f"{disk}/"))), None)

    def through(self, name: str, kind: str, path: str | None, real: Callable[..., Any], *args: Any, **rest: Any) -> Any:
        """Count a call on a file of the disks, and let it through, or meet its fault."""
        disk = self.disk_of(path)
        if disk is None or path is None or getattr(self._inside, "call", False):
            return real(*args, **rest)
        self._inside.call = True  # what a function calls itself is no call of its own
        try:
            return self._met(self._count(name, kind, path, disk), disk, real, *args, **rest)
        finally:
            self._inside.call = False

    def _count(self, name: str, kind: str, path: str, disk: str) -> Call:
        where = re.sub(r"\.[a-z0-9_]{8}$|\d{3,}", "*", os.path.relpath(path, os.path.dirname(disk)))
        with self._lock:
            self._counts[name, where] += 1
            self.calls.append(call := Call(name, kind, where, self._counts[name, where]))
        return call

    def _met(self, call: Call, disk: str, real: Callable[..., Any], *args: Any, **rest: Any) -> Any:
        fault, here = self.fault, call == self.at
        self.met = self.met or here
        if isinstance(fault, Dies) and here:
            if fault.when == "after":
                with suppress(OSError):
                    real(*args, **rest)
            elif fault.when == "amid":
                _half(real, *args)
            os._exit(KILLED)
        if isinstance(fault, Interrupts) and here:
            with suppress(OSError):
                real(*args, **rest)
            raise KeyboardInterrupt
        if isinstance(fault, Shortens):
            if here:
                self._broken = disk if fault.stays else ""
                return _half(real, *args)
            fault = Fails("ENOSPC", fault.stays)
        if isinstance(fault, Fails) and (here or (self._broken == disk and call.kind in REFUSED[fault.error])):
            self._broken = disk if fault.stays else ""
            if call.name == "close":  # Linux closes the file whatever it answers
                real(*args, **rest)
            reason = getattr(errno, fault.error), os.strerror(getattr(errno, fault.error))
            raise OSError(*reason, *(a for a in args[:1] if isinstance(a, str | Path)))
        return real(*args, **rest)


class _File(io.FileIO):
    """A file below a buffer; its calls are counted."""

    def __init__(self, boundary: Boundary, file: Any, mode: str, closefd: bool):
        self._boundary = boundary
        self._path = _path_of_descriptor(file) if isinstance(file, int) else _path(file)
        if isinstance(file, int):
            super().__init__(file, mode, closefd)
            return
        creates = "r" not in mode and not _exists(file)
        boundary.through("open", "create" if creates else "open", self._path, super().__init__, file, mode)

    def write(self, data: Any) -> int:
        return int(self._boundary.through("write", "write", self._path, super().write, data))

    def readinto(self, buffer: Any) -> int:
        return int(self._boundary.through("read", "read", self._path, super().readinto, buffer))

    def readall(self) -> bytes:
        return bytes(self._boundary.through("read", "read", self._path, super().readall))

    def truncate(self, size: int | None = None) -> int:
        return int(self._boundary.through("truncate", "change", self._path, super().truncate, size))

    def close(self) -> None:
        if not self.closed:
            self._boundary.through("close", "close", self._path, super().close)


def _half(write: Callable[..., int], *args: Any) -> int:
    """Write half of the bytes, which are the last argument of all functions that write."""
    *descriptor, data = args if len(args) < 3 else args[:2]
    data = memoryview(data).cast("B")
    return write(*descriptor, data[: max(len(data) // 2, 1)], *args[2:])


def _exists(path: Any) -> bool:
    with suppress(OSError):
        return bool(_lstat(path))
    return False


def _path(path: Any) -> str | None:
    return os.path.abspath(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else None


def _path_of_descriptor(file: Any) -> str | None:
    with suppress(OSError, ValueError):
        return os.readlink(f"/proc/self/fd/{file if isinstance(file, int) else file.fileno()}").removesuffix(
            " (deleted)"
        )
    return None


def _path_of_socket(connection: socket.socket) -> str | None:
    """The path that a Unix socket is bound or connected to."""
    with suppress(OSError):
        for name in (connection.getsockname(), connection.getpeername()):
            if isinstance(name, str) and name:
                return name
    return None
