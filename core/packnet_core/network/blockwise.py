"""Work on a tensor in blocks that fit into the cache, on as many threads as torch has."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

T = TypeVar("T")
# elements per block: on a CPU a few blocks stay in the cache; on a GPU each must be worth a kernel launch
BLOCK = {"cpu": 1 << 18, "cuda": 1 << 24}
MIN_PARALLEL = 1 << 20  # elements, below which one thread does all the work


def block_size(device: torch.device) -> int:
    """The number of elements in a block on this device."""
    return BLOCK.get(device.type, 1 << 24)


def blocks(count: int, device: torch.device, size: int | None = None) -> Iterator[slice]:
    """Slices that cover `count` elements, of `size` elements each (default: the device's block size) but the last."""
    return _slices(0, count, size or block_size(device))


def on_threads(work: Callable[[Iterator[slice]], T], count: int) -> list[T]:
    """Split `count` elements among threads of the CPU; each calls `work` with its blocks, which are slices.

    Returns the results in the order of the elements. Blocks begin at multiples of 8. `work` should use NumPy, which
    releases the GIL while it works on a block.
    """
    threads = torch.get_num_threads() if count >= MIN_PARALLEL else 1
    share = -(-count // threads // BLOCK["cpu"]) * BLOCK["cpu"]
    shares = [_slices(start, min(start + share, count), BLOCK["cpu"]) for start in range(0, count, share or 1)]
    return list(map(work, shares)) if len(shares) < 2 else list(_pool(threads).map(work, shares))


def share_out(work: Callable[[Iterator[T]], None], items: Iterable[T], count: int, device: torch.device) -> None:
    """Share `items`, of `count` elements in all, among threads; each calls `work` with an iterator.

    The iterator gives the next item that no thread has taken yet, so that `work` can keep scratch memory for all its
    items. On a GPU, and below `MIN_PARALLEL` elements, the calling thread takes them all.
    """
    threads = torch.get_num_threads() if device.type == "cpu" and count >= MIN_PARALLEL else 1
    shared = iter(list(items))  # a list's iterator gives each item to one thread only
    deque(map(work, [shared]) if threads < 2 else _pool(threads).map(work, [shared] * threads), maxlen=0)


def _slices(start: int, end: int, size: int) -> Iterator[slice]:
    for begin in range(start, end, size):
        yield slice(begin, min(begin + size, end))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="blocks")
