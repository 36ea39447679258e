"""Freed memory is kept while a job runs, and given back after it; in a process of its own, whose heap is as begun."""

import os
import subprocess
import sys

import pytest

PIECES = """
import ctypes, resource, torch
from packnet_core.training import memory

def faults():  # pages that had to be fetched, of 4 kB
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        pieces = [torch.ones(1 << 20) for _ in range(16)]  # of 4 MB, all at once
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun

def resident():
    return int(open("/proc/self/status").read().partition("VmRSS:")[2].split()[0]) >> 10

torch.set_num_threads(1)
ctypes.CDLL(None).mallopt(memory.MMAP_THRESHOLD, 128 << 10)  # as glibc begins; it is moved by what is freed
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
def test_what_is_freed_is_used_again_and_goes_back_at_the_end():
    without, kept, given_back = measured()
    assert without > 5 * 8 * 1024  # most of 64 MB, each time
    assert kept < 1024
    assert given_back > 50  # MB


@pytest.mark.skipif(not GLIBC, reason="another C library")
def test_what_the_user_has_tuned_stays():
    without, kept, _ = measured(MALLOC_TRIM_THRESHOLD_="1000000")
    assert kept > without / 2
