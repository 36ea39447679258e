"""Replace a file atomically: after a power cut at any time, the file is either the old one or the new one, complete."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from packnet_core.errors import RequestError, WorkError


def replace_file(
    path: Path,
    write: Callable[[BinaryIO], object],
    check: Callable[[Path], object] = lambda _: None,
    *,
    new: bool = False,
) -> int:
    """Replace `path` by what `write` writes to an open binary file. Returns the new size in bytes.

    Steps: a new file in the same folder, fsync, `check` (of the new file's path), rename, fsync of the folder. The
    permissions stay. With `new`, an existing file is never replaced.

    Raises WorkError if the disk refuses, RequestError if `new` and the file exists, and what `check` raises; the old
    file then stays in place.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with open(handle, "wb") as file:
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
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise WorkError(f"{path} could not be written and is as it was: {error}") from None
    return size


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
        temporary.unlink()


def exists(path: Path) -> RequestError:
    """The error for a new file whose name is taken."""
    return RequestError(f"{path} exists already; choose another name, or remove it first")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
