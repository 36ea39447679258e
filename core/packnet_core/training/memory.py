"""Host memory during a job: freed memory is kept for the next step.

Every step frees and allocates tens of megabytes of activations and gradients. glibc returns most of them to the system
at once, which then clears each page again. For small networks this takes up to a third of the time.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # options of mallopt(3)
LARGEST_PIECE = 32 << 20  # bytes; the largest threshold that glibc accepts; larger pieces always come from the system
NEVER_TRIM = (1 << 31) - 1


@contextmanager
def kept() -> Iterator[None]:
    """A context that keeps freed memory, in pieces of up to 32 MB, and returns all of it to the system at its end.

    Does nothing without glibc, or if the user has tuned glibc by environment variables.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(MMAP_THRESHOLD, LARGEST_PIECE)
    library.mallopt(TRIM_THRESHOLD, NEVER_TRIM)
    try:
        yield
    finally:
        library.mallopt(TRIM_THRESHOLD, 2 * LARGEST_PIECE)  # the largest that glibc itself would choose
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc and the user has not tuned it."""
    tuned = any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ)
    try:
        return ctypes.CDLL(None) if not tuned and os.confstr("CS_GNU_LIBC_VERSION") else None
    except ValueError:  # another C library
        return None
