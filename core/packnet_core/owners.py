"""Who owns each weight: one byte a weight in memory, ceil(log2 N) bits a weight in the file (paper §3).

0 is free, k is task k. A task uses what it and the tasks before it own; everything else is 0.0 to it.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packnet_core.records import planes

Bytes = NDArray[np.uint8]
# Elements worked on at once. On a CPU a few such pieces stay in cache; on a GPU a launch must be worth its while.
BLOCK = {"cpu": 1 << 18, "cuda": 1 << 24}


def blocks(count: int, device: torch.device) -> Iterator[slice]:
    """Slices that cover `count` elements, of a size that suits the device."""
    size = BLOCK.get(device.type, 1 << 24)
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def bits(tensor: Tensor) -> Tensor:
    """The same memory seen as 32-bit integers: exact to compare and to copy for every float, -0.0 and NaN too."""
    return tensor.view(torch.int32)


def equal(values: Tensor, value: int) -> Tensor:
    """`values == value`; on a CPU by NumPy, which compares integers ten times faster than torch does."""
    return torch.from_numpy(values.numpy() == value) if values.device.type == "cpu" else values == value


def differ(values: Tensor, value: int) -> Tensor:
    """`values != value`, likewise."""
    return torch.from_numpy(values.numpy() != value) if values.device.type == "cpu" else values != value


def less(values: Tensor, value: int) -> Tensor:
    """`values < value`, likewise."""
    return torch.from_numpy(values.numpy() < value) if values.device.type == "cpu" else values < value


def full_mask(condition: Tensor, out: Tensor | None = None) -> Tensor:
    """A bool tensor as int32 with all bits set where it is true. `x & mask` is then x or +0.0, exactly."""
    sign = condition.view(torch.int8).neg()  # a byte's sign fills the word
    return sign.to(torch.int32) if out is None else out.copy_(sign)


def masked(weight: Tensor, owner: Tensor, task: int) -> Tensor:
    """What task `task` sees of a layer: a new tensor with its own and earlier tasks' weights, 0.0 elsewhere (§3).

    `weight` is float32, `owner` uint8 of the same shape. The weights themselves stay as they are.
    """
    out = torch.empty_like(weight)
    source, target, owned_by = bits(weight).view(-1), bits(out).view(-1), owner.view(-1)
    for block in blocks(source.numel(), weight.device):
        torch.bitwise_and(source[block], full_mask(less(owned_by[block], task + 1)), out=target[block])
    return out


def counts(owner: Tensor, tasks: int) -> list[int]:
    """How many weights each of the tasks 1..tasks owns."""
    return [int(n) for n in torch.bincount(owner.view(-1), minlength=tasks + 1)[1 : tasks + 1]]


def encode(owner: Bytes, tasks: int) -> Bytes:
    """Owners as bit planes `[bits, ceil(n/8)]` of the code `owner - 1` (0 for free), least significant bit first."""
    code = np.where(owner > 0, owner - np.uint8(1), np.uint8(0)).astype(np.uint8).ravel()
    return np.stack([np.packbits((code >> bit) & 1, bitorder="little") for bit in range(planes(tasks))])


def decode(code_planes: Bytes | None, weight: NDArray[np.float32], open_dense: int = 0) -> Bytes:
    """Owners from bit planes (None where there is one task) and the weights they belong to, both row-major.

    A weight that is exactly 0.0 is free whatever its code; unless task `open_dense` (if not 0) is still dense: then
    it owns all that no sealed task owns.
    """
    flat = weight.reshape(-1)
    owner = np.empty(flat.size, np.uint8)
    for start in range(0, flat.size, 1 << 18):  # a multiple of 8, and small enough to stay in cache
        values = flat[start : start + (1 << 18)]
        part = owner[start : start + (1 << 18)]
        part[:] = 1
        if code_planes is not None:
            for bit, plane in enumerate(code_planes):
                part += (
                    np.unpackbits(plane[start // 8 :][: (values.size + 7) // 8], bitorder="little")[: values.size]
                    << bit
                )
        part *= values != 0
        if open_dense:
            part[part == 0] = open_dense
    return owner.reshape(weight.shape)
