"""Chunks of layers, and the three ways to step those that the open task owns in part; see `guarded_optimizer`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from packnet_core.network.blockwise import BLOCK, block_size, blocks, share_out
from packnet_core.network.owners import bits, count, equal, full_mask, positions

Decay = Literal["none", "coupled", "decoupled"]  # added to the gradient (L2), or weights shrunk (AdamW)
ONE = np.float32(1.0).view(np.int32)


class PartialStep:
    """Steps an optimizer on some of its parameters only.

    `settings` is the optimizer's only parameter group. Raises ValueError if it has several.
    """

    def __init__(self, optimizer: Optimizer, parameters: list[nn.Parameter]):
        self._optimizer, self._parameters = optimizer, parameters
        (self.settings,) = optimizer.param_groups

    def __call__(self, parameters: Sequence[nn.Parameter], **settings: float) -> None:
        """Take one step on these parameters; keyword arguments replace settings for this step."""
        kept = {name: self.settings[name] for name in settings}
        self.settings.update(settings, params=parameters)
        try:
            self._optimizer.step()
        finally:
            self.settings.update(kept, params=self._parameters)


class Chunk:
    """Consecutive weights of one parameter, of which the open task owns some.

    `where` is their slice of the flat parameter, `owner` their owners (uint8), `owned` the number that the task owns,
    `values` a view of the weights. The optimizer gets `stepped`, a flat parameter: on the same memory, or a copy of the
    task's weights (`GatheredChunks`).
    """

    def __init__(self, parameter: nn.Parameter, where: slice, owner: Tensor, owned: int):
        self.parameter, self.where, self.owner, self.owned = parameter, where, owner[where], owned
        self.values = parameter.data.view(-1)[where]
        self.stepped = nn.Parameter(self.values)

    @property
    def size(self) -> int:
        """The number of its weights."""
        return self.values.numel()

    @property
    def whole(self) -> bool:
        """Whether the task owns all of them."""
        return self.owned == self.size

    def gradient(self) -> Tensor | None:
        """The chunk's part of the parameter's gradient, flat; None without a gradient."""
        gradient = self.parameter.grad
        return None if gradient is None else gradient.reshape(-1)[self.where]


class MaskedChunks:
    """Chunks stepped whole, with gradients masked to zero for all weights but the task's.

    For an optimizer that leaves such weights unchanged, apart from weight decay. Weight decay is therefore done here,
    on the task's weights only and before the optimizer's step, with the same bits as a result (see `kind_of_decay`).
    """

    def __init__(self, chunks: list[Chunk], task: int, decay: Decay):
        self.chunks, self.task, self.decay = chunks, task, decay
        self._total = sum(chunk.size for chunk in chunks)

    def step(self, optimize: PartialStep) -> None:
        """Step the task's weights on the gradients that the parameters hold."""
        found = self._with_gradients()
        if not found:
            return
        shrink = 1.0
        if self.decay == "coupled":
            gradients = [gradient for chunk in found if (gradient := chunk.stepped.grad) is not None]
            torch._foreach_add_(gradients, [chunk.values for chunk in found], alpha=optimize.settings["weight_decay"])
        elif self.decay == "decoupled":
            shrink -= optimize.settings["lr"] * optimize.settings["weight_decay"]
        self._mask(found, shrink)
        parameters = [chunk.stepped for chunk in found]
        optimize(parameters) if self.decay == "none" else optimize(parameters, weight_decay=0.0)

    def squared_norm(self) -> Tensor | None:
        """The squared norm of the task's part of the gradients, a scalar; sets the other gradients to zero."""
        found = self._with_gradients()
        self._mask(found, 1.0)
        return _total_squared_norm([chunk.stepped.grad for chunk in found])

    def _with_gradients(self) -> list[Chunk]:
        for chunk in self.chunks:
            chunk.stepped.grad = chunk.gradient()
        return [chunk for chunk in self.chunks if chunk.stepped.grad is not None]

    def _mask(self, chunks: list[Chunk], shrink: float) -> None:
        """Set the gradients of all but the task's weights to 0.0, even NaN; multiply the task's weights by `shrink`."""
        if not chunks:
            return
        device = chunks[0].values.device
        if device.type == "cpu":
            share_out(lambda some: self._mask_blocks(some, shrink), chunks, self._total, device)
            return
        for chunk in chunks:
            own = chunk.owner == self.task
            bits(chunk.stepped.grad).bitwise_and_(full_mask(own))  # type: ignore[arg-type]
            if shrink != 1.0:
                chunk.values.mul_(torch.where(own, shrink, 1.0))

    def _mask_blocks(self, chunks: Iterator[Chunk], shrink: float) -> None:
        """`_mask` on a CPU, by NumPy: bits as integers, times 1 or 0, which is exact for every float."""
        flags, ones = np.empty(BLOCK["cpu"], np.bool_), np.empty(BLOCK["cpu"], np.int32)
        factor = np.float32(shrink).view(np.int32)
        for chunk in chunks:
            owner, values = chunk.owner.numpy(), chunk.values.numpy()
            gradient = bits(chunk.stepped.grad).numpy()  # type: ignore[arg-type]
            for block in blocks(len(owner), chunk.values.device):
                size = block.stop - block.start
                own = ones[:size]
                own[:] = np.equal(owner[block], self.task, out=flags[:size])
                np.multiply(gradient[block], own, out=gradient[block])
                if shrink != 1.0:
                    factors = np.add(np.multiply(own, factor - ONE, out=own), ONE, out=own).view(np.float32)
                    np.multiply(values[block], factors, out=values[block])


class RestoredChunk:
    """A chunk stepped whole, by any optimizer. Then the bits of all weights but the task's are restored."""

    def __init__(self, chunk: Chunk, task: int):
        self.chunk, self.task = chunk, task

    def step(self, optimize: PartialStep) -> None:
        """Step the task's weights on the gradient that the parameter holds."""
        before = bits(self.chunk.values.clone())
        self.chunk.stepped.grad = self.chunk.gradient()
        optimize([self.chunk.stepped])
        now = bits(self.chunk.values)
        now.copy_(torch.where(equal(self.chunk.owner, self.task), now, before))

    def squared_norm(self) -> Tensor | None:
        """The squared norm of the task's part of the gradient, a scalar."""
        gradient = self.chunk.gradient()
        if gradient is None:
            return None
        return squared_norm(torch.where(equal(self.chunk.owner, self.task), gradient, 0.0))


class GatheredChunks:
    """Chunks of which only the task's weights are stepped: gathered with their gradients, stepped, scattered back.

    The optimizer reads and writes the task's part only. The gathered weights are a copy, so nothing else may change the
    weights.
    """

    def __init__(self, chunks: list[Chunk], task: int):
        self.chunks = chunks
        self.indices = [positions(chunk.owner, task) for chunk in chunks]
        for chunk, index in zip(chunks, self.indices, strict=True):
            chunk.stepped = nn.Parameter(chunk.values.index_select(0, index))

    @property
    def owned(self) -> int:
        """The number of weights that the task owns."""
        return sum(chunk.owned for chunk in self.chunks)

    def use_scratch(self, scratch: Tensor) -> None:
        """Gather gradients into this memory: float32, one element per weight of the task or more."""
        self._gradients = scratch[: self.owned].split([chunk.owned for chunk in self.chunks])

    def step(self, optimize: PartialStep) -> None:
        """Step the task's weights on the gradients that the parameters hold."""
        self._each(self._gather)
        optimize([chunk.stepped for chunk in self.chunks])
        self._each(self._scatter)

    def squared_norm(self) -> Tensor | None:
        """The squared norm of the task's part of the gradients, a scalar."""
        self._each(self._gather)
        found = _total_squared_norm([chunk.stepped.grad for chunk in self.chunks])
        for chunk in self.chunks:
            chunk.stepped.grad = None
        return found

    def _each(self, work: Callable[[int], None]) -> None:
        """Call `work` with the number of each chunk, on several threads: torch uses one to gather or scatter."""

        def some(numbers: Iterator[int]) -> None:
            for number in numbers:
                work(number)

        size = sum(chunk.size for chunk in self.chunks)
        share_out(some, range(len(self.chunks)), size, self.indices[0].device)

    def _gather(self, number: int) -> None:
        chunk, index, out = self.chunks[number], self.indices[number], self._gradients[number]
        gradient = chunk.gradient()
        chunk.stepped.grad = None if gradient is None else torch.index_select(gradient, 0, index, out=out)

    def _scatter(self, number: int) -> None:
        chunk = self.chunks[number]
        chunk.values.scatter_(0, self.indices[number].long(), chunk.stepped.data)


def chunks_of(parameter: nn.Parameter, owner: Tensor, task: int) -> Iterator[Chunk]:
    """The chunks of a layer in which a task owns weights; one chunk if it owns the whole layer.

    `owner` has the owners of the parameter's weights, flat, uint8.
    """
    found = [Chunk(parameter, where, owner, owned) for where, owned in _owned_counts(owner, task) if owned]
    if sum(chunk.owned for chunk in found) == owner.numel():
        found = [Chunk(parameter, slice(0, owner.numel()), owner, owner.numel())]
    yield from found


def _owned_counts(owner: Tensor, task: int) -> Iterator[tuple[slice, int]]:
    for where in blocks(owner.numel(), owner.device, chunk_size(owner.device)):
        yield where, count(owner[where], task)


def chunk_size(device: torch.device) -> int:
    """The number of weights in a chunk. On a CPU four blocks, since each call of an optimizer takes about 50 µs."""
    return block_size(device) * (4 if device.type == "cpu" else 1)


def grouped(chunks: list[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks in groups, each with at most as many weights of the task as one chunk can have."""
    room = chunk_size(chunks[0].values.device) if chunks else 0
    group: list[Chunk] = []
    taken = 0
    for chunk in chunks:
        if group and taken + chunk.owned > room:
            yield group
            group, taken = [], 0
        group.append(chunk)
        taken += chunk.owned
    if group:
        yield group


def share_scratch(groups: Sequence[GatheredChunks], device: torch.device) -> None:
    """Give all groups the same scratch memory, as large as the largest of them needs.

    It is allocated once: memory allocated and freed between the optimizer's tensors would fragment the heap.
    """
    scratch = torch.empty(max((group.owned for group in groups), default=0), device=device)
    for group in groups:
        group.use_scratch(scratch)


def squared_norm(gradient: Tensor) -> Tensor:
    """The sum of squares of a gradient, a float32 scalar tensor."""
    norm: Tensor = torch.linalg.vector_norm(gradient, dtype=torch.float32)
    return norm.square()


def _total_squared_norm(gradients: Sequence[Tensor | None]) -> Tensor | None:
    """The squared norm of all gradients together; None without any gradient."""
    found = [squared_norm(gradient) for gradient in gradients if gradient is not None]
    return torch.stack(found).sum() if found else None
