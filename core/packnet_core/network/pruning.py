"""Which weights to free: the smallest of the open task's own, in every layer, exactly round(ratio * n) of them (§3).

The magnitude of a finite float is ordered like its bits without the sign, so magnitudes are compared as integers:
exactly, and alike on every machine. On a CPU a sample brackets the threshold; one pass counts what is below the
bracket and keeps the few weights inside, among which it is found. Elsewhere, or where the sample was misleading, it is
found by counting: one pass counts the upper half of those bits, a second looks only at the few weights that share the
threshold's upper half.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packnet_core.errors import Diverged
from packnet_core.network.blockwise import BLOCK, blocks, on_threads
from packnet_core.network.owners import Bytes, bits, equal, full_mask, less

Ints = NDArray[np.int32]

MAGNITUDE = 0x7FFFFFFF  # all bits but the sign
INFINITE = 0x7F800000  # this and above: infinity and NaN
SAMPLE = 1 << 16  # weights of a layer that are looked at first
MARGIN = 2.0  # of the sample's square root, to either side: four standard deviations of its median or more
LOW_BITS = 15  # 31 bits of magnitude: 16 counted first, then these
BUCKETS = 1 << 16


class Cut(NamedTuple):
    """Where a layer is cut: magnitudes below `key` go, and the first `ties` (by position) of those that equal it."""

    key: int
    ties: int


def find_cut(weight: Tensor, owner: Tensor, task: int, ratio: float, layer: str = "a layer") -> Cut:
    """The cut that frees exactly round(ratio * n) of the n weights that `task` owns; nothing is changed.

    `weight` is float32, `owner` uint8 of the same shape. Raises Diverged where one of the task's weights is NaN or
    infinite. Weights of other tasks are never looked at.
    """
    values, owners = bits(weight).view(-1), owner.view(-1)
    if values.device.type == "cpu":
        found = _bracketed(values.numpy(), owners.numpy(), task, ratio, layer)
        if found is not None:
            return found
    return _counted(values, owners, task, ratio, layer)


def _bracketed(values: Ints, owners: Bytes, task: int, ratio: float, layer: str) -> Cut | None:
    """The cut, by one pass over a layer; None where the sample's bracket does not hold it."""
    low, high = _bracket(values, owners, task, ratio)

    def count(stretch: Iterator[slice]) -> tuple[int, int, list[Ints]]:
        total = below = 0
        inside = []
        keys = np.empty(BLOCK["cpu"], values.dtype)  # made once: memory that is new to a process is slow
        flags = np.empty((3, BLOCK["cpu"]), np.bool_)
        for block in stretch:
            key = np.bitwise_and(values[block], MAGNITUDE, out=keys[: block.stop - block.start])
            own, within, smaller = flags[:, : key.size]
            np.equal(owners[block], task, out=own)
            total += int(np.count_nonzero(own))
            if key.max() >= INFINITE and bool((own & (key >= INFINITE)).any()):
                raise Diverged(f"{layer} has weights that are NaN or infinite; nothing was pruned")
            np.less(key, high, out=within)
            within &= own
            if low:
                np.less(key, low, out=smaller)
                smaller &= own
                below += int(np.count_nonzero(smaller))
                within ^= smaller
            inside.append(key[within])
        return total, below, inside

    parts = on_threads(count, values.size)
    wanted = round(ratio * sum(part[0] for part in parts))
    if wanted == 0:
        return Cut(0, 0)
    candidates = np.concatenate([key for part in parts for key in part[2]])
    rank = wanted - sum(part[1] for part in parts)  # of the threshold among the candidates, from 1
    if not 1 <= rank <= candidates.size:
        return None
    key = int(np.partition(candidates, rank - 1)[rank - 1])
    return Cut(key, rank - int(np.count_nonzero(candidates < key)))


def _bracket(values: Ints, owners: Bytes, task: int, ratio: float) -> tuple[int, int]:
    """Magnitudes between which the threshold is, most likely: from the first to below the second. From a sample."""
    if values.size <= SAMPLE:
        return 0, INFINITE
    step = values.size // SAMPLE
    sample = np.sort((values[::step] & MAGNITUDE)[owners[::step] == task])
    margin = round(MARGIN * math.sqrt(sample.size))
    low, high = round(ratio * sample.size) - margin, round(ratio * sample.size) + margin
    return (int(sample[low]) if low > 0 else 0), (int(sample[high]) + 1 if high < sample.size else INFINITE)


def _counted(values: Tensor, owners: Tensor, task: int, ratio: float, layer: str) -> Cut:
    """The cut, by two passes of counting."""
    histogram = torch.zeros(2 * BUCKETS, dtype=torch.int64, device=values.device)
    for block in blocks(values.numel(), values.device):
        histogram += torch.bincount(_bucket(values[block], owners[block], task), minlength=2 * BUCKETS)
    counted = histogram[:BUCKETS].cumsum(0)
    total = int(counted[-1])
    if int(counted[(INFINITE >> LOW_BITS) - 1]) != total:
        raise Diverged(f"{layer} has weights that are NaN or infinite; nothing was pruned")
    wanted = round(ratio * total)
    if wanted == 0:
        return Cut(0, 0)
    bucket = int(torch.searchsorted(counted, wanted))
    below = int(counted[bucket - 1]) if bucket else 0
    parts = []
    for block in blocks(values.numel(), values.device):
        inside = equal(_bucket(values[block], owners[block], task), bucket)
        if inside.any():
            parts.append((values[block] & MAGNITUDE)[inside])
    candidates = torch.cat(parts).sort().values
    key = int(candidates[wanted - below - 1])
    smaller = int(torch.searchsorted(candidates, key))
    return Cut(key, wanted - below - smaller)


def cut(weight: Tensor, owner: Tensor, task: int, at: Cut) -> int:
    """Free the task's weights under the cut, and any of its weights that are 0.0 already. Returns how many were freed.

    Both tensors are changed in place: freed weights become 0.0 and their owner 0.
    """
    values, owners = bits(weight).view(-1), owner.view(-1)
    ties, freed = at.ties, 0
    for block in blocks(values.numel(), weight.device):
        own = equal(owners[block], task)
        key = values[block] & MAGNITUDE
        gone = own & (less(key, at.key) | equal(key, 0))
        if ties:
            tied = own & equal(key, at.key)
            tied &= tied.cumsum(0) <= ties
            ties -= int(tied.sum())
            gone |= tied
        values[block] &= ~full_mask(gone)
        owners[block] *= ~gone
        freed += int(gone.sum())
    return freed


def _bucket(values: Tensor, owner: Tensor, task: int) -> Tensor:
    """The upper half of each magnitude; weights that are not the task's go to a second range beyond."""
    upper = (values >> LOW_BITS).bitwise_and_(BUCKETS - 1)
    return upper.add_(equal(owner, task).logical_not_().view(torch.uint8).to(torch.int32), alpha=BUCKETS)
