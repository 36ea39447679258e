"""Freed memory is kept during a job and returned after it; tested in a new process, whose heap is unused."""

import os
import subprocess
import sys

import pytest

PIECES = """
import ctypes, resource, torch
from packnet_core.training import memory

def faults():  # pages of 4 kB that the system had to provide
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        pieces = [torch.ones(1 << 20) for _ in range(16)]  # of 4 MB, all at the same time
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun

def resident():
    return int(open("/proc/self/status").read().partition("VmRSS:")[2].split()[0]) >> 10

torch.set_num_threads(1)
ctypes.CDLL(None).mallopt(memory.MMAP_THRESHOLD, 128 << 10)  # glibc's default, which freeing changes
faults()
without = faults()
with memory.kept():
    faults()
    kept, within = faults(), resident()
print(without, kept, within - resident())
"""
GLIBC = "CS_GNU_LIBC_VERSION" in os.confstr_names and os.confstr("CS_GNU_LIBC_VERSION")


def measured(**tuned: str) -> list[int]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    run = subprocess.run(
        [sys.executable, "-c", PIECES], env=inherited | tuned, capture_output=True, text=True, check=True
    )
    return [int(number) for number in run.stdout.split()]


@pytest.mark.skipif(not GLIBC, reason="another C library")
def test_freed_memory_is_reused_and_returned_at_the_end():
    without, kept, returned = measured()
    assert without > 5 * 8 * 1024  # most of 64 MB, each time
    assert kept < 1024
    assert returned > 50  # MB


@pytest.mark.skipif(not GLIBC, reason="another C library")
def test_a_user_who_tuned_glibc_keeps_the_settings():
    without, kept, _ = measured(MALLOC_TRIM_THRESHOLD_="1000000")
    assert kept > without / 2
