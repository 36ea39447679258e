"""Who owns each weight: one byte a weight in memory, ceil(log2 N) bits a weight in the file (paper §3).

0 is free, k is task k. A task uses what it and the tasks before it own; everything else is 0.0 to it.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packnet_core.network.blockwise import BLOCK, blocks, on_threads
from packnet_core.schema.document import planes

Bytes = NDArray[np.uint8]
FEW = 16  # tasks that are counted one by one faster than all at once
ONES = np.uint64(0x0101010101010101)
# for every byte its eight bits, a byte each, the least significant first
SPREAD = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").reshape(-1).view("<u8")


def bits(tensor: Tensor) -> Tensor:
    """The same memory seen as 32-bit integers: exact to compare and to copy for every float, -0.0 and NaN too."""
    return tensor.view(torch.int32)


def equal(values: Tensor, value: int) -> Tensor:
    """`values == value`; on a CPU by NumPy, which compares integers ten times faster than torch does."""
    return torch.from_numpy(values.numpy() == value) if values.device.type == "cpu" else values == value


def less(values: Tensor, value: int) -> Tensor:
    """`values < value`, likewise."""
    return torch.from_numpy(values.numpy() < value) if values.device.type == "cpu" else values < value


def positions(owner: Tensor, task: int) -> Tensor:
    """Where in a stretch of owners a task's are: int32, ascending."""
    if owner.device.type != "cpu":
        return torch.nonzero(owner == task).view(-1).int()
    return torch.from_numpy(np.flatnonzero(owner.numpy() == task).astype(np.int32))


def count(owner: Tensor, task: int) -> int:
    """How many weights of a stretch a task owns."""
    if owner.device.type != "cpu":
        return int((owner == task).sum())
    return int(np.count_nonzero(owner.numpy() == task))


def full_mask(condition: Tensor) -> Tensor:
    """A bool tensor as int32 with all bits set where it is true. `x & mask` is then x or +0.0, exactly."""
    return condition.view(torch.int8).neg().to(torch.int32)  # a byte's sign fills the word


@torch.inference_mode(mode=False)  # wherever it is called: the view may be kept, and used where gradients are wanted
def masked(weight: Tensor, owner: Tensor, task: int) -> Tensor:
    """What task `task` sees of a layer: a new tensor with its own and earlier tasks' weights, 0.0 elsewhere (§3).

    `weight` is float32, `owner` uint8 of the same shape. The weights themselves stay as they are.
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
    """The same on a CPU, on as many threads as torch has, each with scratch that it keeps for all its blocks."""

    def mask(stretch: Iterator[slice]) -> None:
        flags, full = np.empty(BLOCK["cpu"], np.bool_), np.empty(BLOCK["cpu"], np.int32)
        for block in stretch:
            size = block.stop - block.start
            sign = np.less_equal(owned_by[block], task, out=flags[:size]).view(np.int8)
            full[:size] = np.negative(sign, out=sign)
            np.bitwise_and(source[block], full[:size], out=target[block])

    on_threads(mask, source.size)


def counts(owner: Tensor, tasks: int) -> list[int]:
    """How many weights each of the tasks 1..tasks owns."""
    flat = owner.view(-1)
    if flat.device.type != "cpu" or tasks > FEW:
        return [int(n) for n in torch.bincount(flat, minlength=tasks + 1)[1 : tasks + 1]]
    values = flat.numpy()

    def count(stretch: Iterator[slice]) -> list[int]:
        found = [0] * tasks
        for block in stretch:
            for task in range(tasks):
                found[task] += int(np.count_nonzero(values[block] == task + 1))
        return found

    parts = on_threads(count, values.size)
    return [sum(part[task] for part in parts) for task in range(tasks)]


def encode(owner: Bytes, tasks: int) -> Bytes:
    """Owners as bit planes `[bits, ceil(n/8)]` of the code `owner - 1` (0 for free), least significant bit first."""
    flat = owner.reshape(-1)
    out = np.empty((planes(tasks), (flat.size + 7) // 8), np.uint8)

    def pack(stretch: Iterator[slice]) -> None:
        for block in stretch:
            code = flat[block] - (flat[block] > 0)
            for bit, plane in enumerate(out):
                plane[_bytes(block)] = np.packbits(code & np.uint8(1 << bit), bitorder="little")

    on_threads(pack, flat.size)
    return out


def decode(code_planes: Bytes | None, weight: NDArray[np.float32], open_dense: int = 0) -> Bytes:
    """Owners from bit planes (None where there is one task) and the weights they belong to, both row-major.

    A weight that is exactly 0.0 is free whatever its code; unless task `open_dense` (if not 0) is still dense: then
    it owns all that no sealed task owns.
    """
    flat = weight.reshape(-1)
    # eight owners each; torch's memory, because NumPy asks for large pages, which take long where there are few
    words = torch.empty((flat.size + 7) // 8, dtype=torch.int64).numpy().view(np.uint64)
    owner = words.view(np.uint8)[: flat.size]

    def unpack(stretch: Iterator[slice]) -> None:
        bit_of = np.empty(BLOCK["cpu"] // 8, np.uint64)
        flags = np.empty(BLOCK["cpu"], np.bool_)
        for block in stretch:
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
    """The bytes of a plane that a block's bits are in; blocks begin at multiples of 8."""
    return slice(block.start // 8, (block.stop + 7) // 8)
