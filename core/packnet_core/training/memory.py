"""Memory of the processor, while a job runs.

Every step frees and asks again for tens of megabytes of activations and gradients. glibc returns most of them to the
system at once, which then clears each page anew: up to a third of the time of small networks.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt(3)
LARGEST = 32 << 20  # bytes; the most that glibc takes: larger pieces come from the system each time
NEVER = (1 << 31) - 1


@contextmanager
def kept() -> Iterator[None]:
    """Keep freed memory for what is asked for next, in pieces of up to 32 MB; at the end all goes back to the system.

    With glibc alone, and unless the user has tuned it by the environment; elsewhere nothing is done.
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
        library.mallopt(TRIM_THRESHOLD, 2 * LARGEST)  # where glibc gets to by itself
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    tuned = any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ)
    try:
        return ctypes.CDLL(None) if not tuned and os.confstr("CS_GNU_LIBC_VERSION") else None
    except ValueError:  # another C library
        return None
