"""Replace a file atomically: after a power cut at any time, the file is either the old one or the new one, complete."""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from packnet_core.errors import DiskError, RequestError


class Written(NamedTuple):
    """A file that was written: its size in bytes, and why the disk may still lose it; empty where it confirmed it."""

    bytes: int
    doubt: str


def replace_file(
    path: Path,
    write: Callable[[BinaryIO], object],
    check: Callable[[Path], object] = lambda _: None,
    *,
    new: bool = False,
) -> Written:
    """Replace `path` by what `write` writes to an open binary file. Returns its size, and a doubt if there is one.

    Steps: a new file in the same folder, fsync, `check` (of the new file's path), rename, fsync of the folder. The
    permissions stay. If `new`, a file that is there already is never replaced. New files that a killed process left
    are removed first. Nothing is raised after the rename: a folder that can't be synced is the doubt.

    Raises DiskError if the disk refuses, RequestError if `new` and the file exists, and whatever `check` raises;
    the old file then stays in place.
    """
    remove_leftovers(path)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary, file = Path(name), open(handle, "wb")  # noqa: SIM115
        try:
            with suppress(OSError):  # a file system without locks: leftovers stay there
                fcntl.flock(handle, fcntl.LOCK_EX)  # its writer lives; released when the file is closed
            write(file)
            os.fchmod(handle, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
            file.flush()
            os.fsync(handle)
            size = file.tell()
            check(temporary)
            if new:
                _name(temporary, path)
            else:
                os.replace(temporary, path)
        finally:
            with suppress(OSError):  # what counts is synced already
                file.close()
    except BaseException as error:
        with suppress(OSError):
            if temporary:
                temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise DiskError(f"{path} could not be written and is as it was: {error.strerror or error}") from None
        raise
    return Written(size, confirm(path))


def confirm(path: Path) -> str:
    """Sync the folder of a file that was renamed or linked. Returns the doubt where the disk refuses."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        reason = error.strerror or error
        return f"{path} is written, but the disk did not confirm it ({reason}): a power cut may bring the old one back"
    return ""


def remove_leftovers(path: Path) -> None:
    """Remove the new files that killed processes left beside `path`, never one whose writer lives."""
    with suppress(OSError):
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.{'[a-z0-9_]' * 8}"):
            with suppress(OSError), open(leftover, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
                leftover.unlink()


def copy_file(source: Path, path: Path) -> Written:
    """Replace `path` by a copy of `source`, as `replace_file` does."""
    check_room(path.parent, source.stat().st_size, path.name)
    with open(source, "rb") as file:
        return replace_file(path, lambda new: shutil.copyfileobj(file, new))


def check_room(folder: Path, need: int, what: str) -> None:
    """Raise DiskError if `folder` has less than `need` bytes of free space, saying `what` needs them."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return
    if usage.total and usage.free < need:  # some file systems report no sizes at all
        raise DiskError(f"{what} needs {_megabytes(need)} in {folder}, and {_megabytes(usage.free)} are free")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _name(temporary: Path, path: Path) -> None:
    """Rename a file to a name that is free (`os.replace` would replace). Raises RequestError if it is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise exists(path) from None
    except OSError:  # a file system without hard links
        if path.exists():
            raise exists(path) from None
        os.replace(temporary, path)
    else:
        with suppress(OSError):  # the next writer removes it
            temporary.unlink()


def exists(path: Path) -> RequestError:
    """The error for a new file whose name is taken."""
    return RequestError(f"{path} exists already; choose another name, or remove it first")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
