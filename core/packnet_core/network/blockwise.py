"""Work on a tensor in stretches that stay in cache, on as many threads as torch has been given."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

T = TypeVar("T")
# Elements worked on at once. On a CPU a few such pieces stay in cache; on a GPU a launch must be worth its while.
BLOCK = {"cpu": 1 << 18, "cuda": 1 << 24}
WORTH = 1 << 20  # elements from which on other threads are asked


def block_size(device: torch.device) -> int:
    """How many elements are worked on at once."""
    return BLOCK.get(device.type, 1 << 24)


def blocks(count: int, device: torch.device, size: int | None = None) -> Iterator[slice]:
    """Slices that cover `count` elements, of a size that suits the device or the one given."""
    return _stretches(0, count, size or block_size(device))


def on_threads(work: Callable[[Iterator[slice]], T], count: int) -> list[T]:
    """What `work` gives for each thread's blocks of `count` elements on the CPU, in the order of the elements.

    NumPy lets other threads run while it works on a block. The blocks begin at multiples of 8.
    """
    threads = torch.get_num_threads() if count >= WORTH else 1
    share = -(-count // threads // BLOCK["cpu"]) * BLOCK["cpu"]
    shares = [_stretches(start, min(start + share, count), BLOCK["cpu"]) for start in range(0, count, share or 1)]
    return list(map(work, shares)) if len(shares) < 2 else list(_pool(threads).map(work, shares))


def each(work: Callable[[Iterator[T]], None], items: Iterable[T], count: int, device: torch.device) -> None:
    """Let `work` take the items, of `count` elements in all: on the CPU on as many threads as torch has.

    Each thread takes the next one when it is done with one, so `work` may keep scratch for all that it takes.
    """
    threads = torch.get_num_threads() if device.type == "cpu" and count >= WORTH else 1
    shared = iter(list(items))  # a list's iterator gives each item to one thread alone
    deque(map(work, [shared]) if threads < 2 else _pool(threads).map(work, [shared] * threads), maxlen=0)


def _stretches(start: int, end: int, size: int) -> Iterator[slice]:
    for begin in range(start, end, size):
        yield slice(begin, min(begin + size, end))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="blocks")
