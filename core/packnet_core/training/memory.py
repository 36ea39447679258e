"""Host memory during a job.

Every step frees and allocates tens of megabytes of activations and gradients. glibc returns most of them to the system
at once, which then clears each page again: up to a third of the time of small networks.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # options of mallopt(3)
LARGEST = 32 << 20  # bytes; the largest threshold that glibc takes: larger pieces always come from the system
NEVER = (1 << 31) - 1


@contextmanager
def kept() -> Iterator[None]:
    """Keep freed memory for the next allocation, in pieces of up to 32 MB; at the end return it all to the system.

    Does nothing without glibc, or where the user has tuned glibc by environment variables.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(MMAP_THRESHOLD, LARGEST)
    library.mallopt(TRIM_THRESHOLD, NEVER)
    try:
        yield
    finally:
        library.mallopt(TRIM_THRESHOLD, 2 * LARGEST)  # the largest that glibc would choose itself
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc and not tuned by the user."""
    tuned = any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ)
    try:
        return ctypes.CDLL(None) if not tuned and os.confstr("CS_GNU_LIBC_VERSION") else None
    except ValueError:  # another C library
        return None
