"""Lines at the end of a file: each is written whole or not at all."""

import errno
import os
from contextlib import suppress
from pathlib import Path


def append(file: int, line: bytes) -> None:
    """Write a line, with its line break, to a file that is open for appending, in one write.

    Raises OSError where the disk refuses it, or takes only a part, which is then removed, if the disk lets it.
    """
    size = os.fstat(file).st_size
    if os.write(file, line) < len(line):
        with suppress(OSError):
            os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def ends_whole(path: Path) -> bool:
    """Whether a file is empty or ends with a line break. Raises OSError where it can't be read."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return file.read(1) in (b"", b"\n")
