"""Pruning by magnitude: free exactly round(ratio * n) of the n weights of the open task in a layer (§3).

The order of finite floats by magnitude is that of their bits without the sign. So magnitudes are compared as integers:
exactly, and with the same result on every machine. On a CPU a sample gives two bounds of the threshold; one pass counts
the weights below them and keeps the few between them, among which the threshold is found. On other devices, or if the
sample was misleading, two passes of counting find the threshold: first by the upper half of the bits, then among the
few weights that share the threshold's upper half.
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

Int32s = NDArray[np.int32]

MAGNITUDE = 0x7FFFFFFF  # all bits but the sign
INFINITE = 0x7F800000  # this and above: infinity and NaN
SAMPLE = 1 << 16  # weights of a layer in the sample, at least
MARGIN = 2.0  # square roots of the sample's size on either side: at least four standard deviations of its median
LOW_BITS = 15  # the lower of the 31 bits of a magnitude, which the second pass counts
BUCKETS = 1 << 16


class Threshold(NamedTuple):
    """Which weights of a layer to free: magnitudes below `key`, and the first `ties` (by position) equal to it."""

    key: int  # a magnitude's bits
    ties: int


def find_threshold(weight: Tensor, owner: Tensor, task: int, ratio: float, layer: str = "a layer") -> Threshold:
    """The threshold that frees exactly round(ratio * n) of the n weights that `task` owns (§3). Nothing is changed.

    `weight` is float32, `owner` uint8 of the same shape, `ratio` a share from 0 to 1. Weights of other tasks do not
    count. Raises Diverged, naming the `layer`, if one of the task's weights is NaN or infinite.
    """
    values, owners = bits(weight).view(-1), owner.view(-1)
    if values.device.type == "cpu":
        found = _by_sample(values.numpy(), owners.numpy(), task, ratio, layer)
        if found is not None:
            return found
    return _by_counting(values, owners, task, ratio, layer)


def _by_sample(values: Int32s, owners: Bytes, task: int, ratio: float, layer: str) -> Threshold | None:
    """The threshold, by one pass over a layer; None if it is not between the sample's bounds."""
    low, high = _bounds(values, owners, task, ratio)

    def count(slices: Iterator[slice]) -> tuple[int, int, list[Int32s]]:
        total = below = 0
        inside = []
        keys = np.empty(BLOCK["cpu"], values.dtype)  # allocated once: new memory is slow
        flags = np.empty((3, BLOCK["cpu"]), np.bool_)
        for block in slices:
            key = np.bitwise_and(values[block], MAGNITUDE, out=keys[: block.stop - block.start])
            own, within, smaller = flags[:, : key.size]
            np.equal(owners[block], task, out=own)
            total += int(np.count_nonzero(own))
            if key.max() >= INFINITE and bool((own & (key >= INFINITE)).any()):
                raise Diverged(
                    f"{layer} has weights that are NaN or infinite, and nothing was pruned; try a smaller --lr"
                )
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
        return Threshold(0, 0)
    candidates = np.concatenate([key for part in parts for key in part[2]])
    rank = wanted - sum(part[1] for part in parts)  # the threshold's among the candidates, from 1
    if not 1 <= rank <= candidates.size:
        return None
    key = int(np.partition(candidates, rank - 1)[rank - 1])
    return Threshold(key, rank - int(np.count_nonzero(candidates < key)))


def _bounds(values: Int32s, owners: Bytes, task: int, ratio: float) -> tuple[int, int]:
    """Two magnitudes, from a sample: most likely the threshold is the first, or between it and the second."""
    if values.size <= SAMPLE:
        return 0, INFINITE
    step = values.size // SAMPLE
    sample = np.sort((values[::step] & MAGNITUDE)[owners[::step] == task])
    margin = round(MARGIN * math.sqrt(sample.size))
    low, high = round(ratio * sample.size) - margin, round(ratio * sample.size) + margin
    return (int(sample[low]) if low > 0 else 0), (int(sample[high]) + 1 if high < sample.size else INFINITE)


def _by_counting(values: Tensor, owners: Tensor, task: int, ratio: float, layer: str) -> Threshold:
    """The threshold, by two passes of counting."""
    histogram = torch.zeros(2 * BUCKETS, dtype=torch.int64, device=values.device)
    for block in blocks(values.numel(), values.device):
        histogram += torch.bincount(_bucket(values[block], owners[block], task), minlength=2 * BUCKETS)
    counted = histogram[:BUCKETS].cumsum(0)
    total = int(counted[-1])
    if int(counted[(INFINITE >> LOW_BITS) - 1]) != total:
        raise Diverged(f"{layer} has weights that are NaN or infinite, and nothing was pruned; try a smaller --lr")
    wanted = round(ratio * total)
    if wanted == 0:
        return Threshold(0, 0)
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
    return Threshold(key, wanted - below - smaller)


def free_below(weight: Tensor, owner: Tensor, task: int, threshold: Threshold) -> int:
    """Free the task's weights below the threshold, and those that are 0.0 already. Returns how many were freed.

    `weight` (float32) and `owner` (uint8, same shape) change in place: freed weights become 0.0, their owners 0.
    """
    values, owners = bits(weight).view(-1), owner.view(-1)
    ties, freed = threshold.ties, 0
    for block in blocks(values.numel(), weight.device):
        own = equal(owners[block], task)
        key = values[block] & MAGNITUDE
        gone = own & (less(key, threshold.key) | equal(key, 0))
        if ties:
            tied = own & equal(key, threshold.key)
            tied &= tied.cumsum(0) <= ties
            ties -= int(tied.sum())
            gone |= tied
        values[block] &= ~full_mask(gone)
        owners[block] *= ~gone
        freed += int(gone.sum())
    return freed


def _bucket(values: Tensor, owner: Tensor, task: int) -> Tensor:
    """The upper half of each magnitude's bits; for weights of other owners, that plus BUCKETS."""
    upper = (values >> LOW_BITS).bitwise_and_(BUCKETS - 1)
    return upper.add_(equal(owner, task).logical_not_().view(torch.uint8).to(torch.int32), alpha=BUCKETS)


def is_finite(tensor: Tensor) -> bool:
    """Whether no value of a tensor is NaN or infinite."""
    if not tensor.is_floating_point() or bool(torch.isfinite(tensor.detach().sum())):
        return True
    return bool(torch.isfinite(tensor.detach()).all())  # or only the sum overflowed
