"""The owner of each weight: one byte per weight in memory, ceil(log2 N) bits per weight in the file, for N tasks (§3).

0 means free, k means task k. A task uses the weights that it and the tasks before it own; it sees all others as 0.0.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packnet_core.network.blockwise import BLOCK, blocks, on_threads
from packnet_core.schema.document import planes

Bytes = NDArray[np.uint8]
FEW_TASKS = 16  # up to this many, counting one task at a time is faster than a histogram
ONES = np.uint64(0x0101010101010101)
# the eight bits of every byte, one byte per bit, the least significant first
SPREAD = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").reshape(-1).view("<u8")


def bits(tensor: Tensor) -> Tensor:
    """A view of the tensor as int32, so that every float, even -0.0 and NaN, is compared and copied exactly."""
    return tensor.view(torch.int32)


def equal(values: Tensor, value: int) -> Tensor:
    """`values == value`, a bool tensor; on a CPU by NumPy, which compares integers ten times faster than torch."""
    return torch.from_numpy(values.numpy() == value) if values.device.type == "cpu" else values == value


def less(values: Tensor, value: int) -> Tensor:
    """`values < value`, computed like `equal`."""
    return torch.from_numpy(values.numpy() < value) if values.device.type == "cpu" else values < value


def positions(owner: Tensor, task: int) -> Tensor:
    """The positions of a task's weights in a flat uint8 tensor of owners: int32, ascending."""
    if owner.device.type != "cpu":
        return torch.nonzero(owner == task).view(-1).int()
    return torch.from_numpy(np.flatnonzero(owner.numpy() == task).astype(np.int32))


def count(owner: Tensor, task: int) -> int:
    """How many weights a task owns, from a uint8 tensor of owners."""
    if owner.device.type != "cpu":
        return int((owner == task).sum())
    return int(np.count_nonzero(owner.numpy() == task))


def contains(owner: Tensor, task: int) -> bool:
    """Whether a task owns any weight of a layer, from its uint8 tensor of owners."""
    flat = owner.view(-1)
    return any(count(flat[block], task) for block in blocks(flat.numel(), flat.device))


def full_mask(condition: Tensor) -> Tensor:
    """A bool tensor as an int32 mask, all bits set for true: `bits(x) & mask` is exactly x or +0.0."""
    return condition.view(torch.int8).neg().to(torch.int32)  # -1, whose bits are all set, or 0


@torch.inference_mode(mode=False)  # TaskViews may keep the result, for a caller that needs gradients
def masked(weight: Tensor, owner: Tensor, task: int) -> Tensor:
    """A copy of a layer's weights as a task sees them: its own and earlier tasks' weights, 0.0 elsewhere (§3).

    `weight` is float32, `owner` uint8 of the same shape.

    masked(torch.tensor([5.0, 6.0, 7.0]), torch.tensor([1, 2, 3], dtype=torch.uint8), 2)    # 5, 6, 0
    """
    out = torch.empty_like(weight)
    source, target, owned_by = bits(weight).view(-1), bits(out).view(-1), owner.view(-1)
    if weight.device.type == "cpu":
        _mask(source.numpy(), target.numpy(), owned_by.numpy(), task)
        return out
    for block in blocks(source.numel(), weight.device):
        torch.bitwise_and(source[block], full_mask(owned_by[block] <= task), out=target[block])
    return out


def _mask(source: NDArray[np.int32], target: NDArray[np.int32], owned_by: Bytes, task: int) -> None:
    """`masked` on a CPU; each thread keeps its scratch memory for all its blocks."""

    def mask(slices: Iterator[slice]) -> None:
        flags, full = np.empty(BLOCK["cpu"], np.bool_), np.empty(BLOCK["cpu"], np.int32)
        for block in slices:
            size = block.stop - block.start
            sign = np.less_equal(owned_by[block], task, out=flags[:size]).view(np.int8)
            full[:size] = np.negative(sign, out=sign)
            np.bitwise_and(source[block], full[:size], out=target[block])

    on_threads(mask, source.size)


def counts(owner: Tensor, tasks: int) -> list[int]:
    """How many weights each of the tasks 1 to `tasks` owns, from a uint8 tensor of owners."""
    flat = owner.view(-1)
    if flat.device.type != "cpu" or tasks > FEW_TASKS:
        return [int(n) for n in torch.bincount(flat, minlength=tasks + 1)[1 : tasks + 1]]
    values = flat.numpy()

    def count(slices: Iterator[slice]) -> list[int]:
        found = [0] * tasks
        for block in slices:
            for task in range(tasks):
                found[task] += int(np.count_nonzero(values[block] == task + 1))
        return found

    parts = on_threads(count, values.size)
    return [sum(part[task] for part in parts) for task in range(tasks)]


def encode(owner: Bytes, tasks: int) -> Bytes:
    """Encode owners (uint8, n of them, any shape) as bit planes, uint8 [bits, ceil(n/8)], least significant first (§3).

    The code of a weight is `owner - 1`, or 0 for a free weight.
    """
    flat = owner.reshape(-1)
    out = np.empty((planes(tasks), (flat.size + 7) // 8), np.uint8)

    def pack(slices: Iterator[slice]) -> None:
        for block in slices:
            code = flat[block] - (flat[block] > 0)
            for bit, plane in enumerate(out):
                plane[_bytes(block)] = np.packbits(code & np.uint8(1 << bit), bitorder="little")

    on_threads(pack, flat.size)
    return out


def decode(code_planes: Bytes | None, weight: NDArray[np.float32], open_dense: int = 0) -> Bytes:
    """Decode owners, uint8 of the shape of `weight`, from the bit planes of `encode` (None if there is one task).

    A weight that is exactly 0.0 is free, and its code is ignored. If `open_dense` is not 0, the task of that index is
    still dense and owns those weights instead.
    """
    flat = weight.reshape(-1)
    # eight owners per word; memory from torch, since NumPy asks for huge pages, which is slow if few are free
    words = torch.empty((flat.size + 7) // 8, dtype=torch.int64).numpy().view(np.uint64)
    owner = words.view(np.uint8)[: flat.size]

    def unpack(slices: Iterator[slice]) -> None:
        bit_of = np.empty(BLOCK["cpu"] // 8, np.uint64)
        flags = np.empty(BLOCK["cpu"], np.bool_)
        for block in slices:
            values = flat[block]
            part = words[_bytes(block)]
            part[:] = ONES
            for bit, plane in enumerate(code_planes if code_planes is not None else ()):
                found = SPREAD.take(plane[_bytes(block)], out=bit_of[: part.size], mode="clip")
                found <<= np.uint64(bit)
                part += found
            used = np.not_equal(values, 0, out=flags[: values.size])
            owner[block] *= used
            if open_dense:
                np.putmask(owner[block], ~used, open_dense)

    on_threads(unpack, flat.size)
    return owner.reshape(weight.shape)


def _bytes(block: slice) -> slice:
    """The bytes of a plane that hold a block's bits; blocks begin at multiples of 8."""
    return slice(block.start // 8, (block.stop + 7) // 8)
