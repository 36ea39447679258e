"""Replace a file atomically: after a power cut at any instant, there is the whole old file or the whole new one."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from packnet_core.errors import WorkError


def replace_file(path: Path, write: Callable[[BinaryIO], object], check: Callable[[], object] = lambda: None) -> int:
    """Replace `path` by what `write` writes to an open binary file. Returns the new size in bytes.

    Steps: a new file in the same folder, fsync, `check`, rename, fsync of the folder. The permissions stay. Raises
    WorkError where the disk refuses, and whatever `check` raises, which leaves the old file in place.
    """
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(handle, "wb") as file:
                write(file)
                os.fchmod(handle, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
                file.flush()
                os.fsync(handle)
                size = file.tell()
            check()
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise WorkError(f"{path} could not be written and is as it was: {error}") from None
    return size


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
