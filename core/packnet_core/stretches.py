"""Stretches of layers, and the three ways to step those that are only partly the open task's; see `guard`.

Small stretches go together in groups, and all groups of a kind share their scratch, of one group's size.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from packnet_core.blockwise import block_size, blocks, each
from packnet_core.owners import bits, count, differ, positions

Optimize = Callable[[Sequence[nn.Parameter]], None]


class Stretch:
    """A stretch of one parameter that holds weights of the open task.

    `stepped` is what the optimizer gets of it: a parameter of one dimension, on the same memory.
    """

    def __init__(self, parameter: nn.Parameter, where: slice, owner: Tensor, own: int):
        self.parameter, self.where, self.owner, self.own = parameter, where, owner[where], own
        self.values = parameter.data.view(-1)[where]
        self.stepped = nn.Parameter(self.values)

    @property
    def whole(self) -> bool:
        return self.own == self.values.numel()

    def gradient(self) -> Tensor | None:
        gradient = self.parameter.grad
        return None if gradient is None else gradient.reshape(-1)[self.where]


class Mixed:
    """Stretches of which all weights are stepped, and those that are not the task's put back."""

    def __init__(self, stretches: list[Stretch], task: int):
        self.stretches, self.task = stretches, task
        self.now = [bits(s.values) for s in stretches]
        self.sizes = [s.values.numel() for s in stretches]

    def share(self, before: Tensor, mask: Tensor, mark: Tensor) -> None:
        """Take scratch that all groups share: one element a weight, int32, int32 and bool."""
        total = sum(self.sizes)
        self._before, self._mask, self._mark = before[:total], mask[:total], mark[:total]
        self._befores, self._masks, self._marks = (
            list(t.split(self.sizes)) for t in (self._before, self._mask, self._mark)
        )

    def step(self, optimize: Optimize) -> None:
        torch._foreach_copy_(self._befores, self.now)
        for stretch in self.stretches:
            stretch.stepped.grad = stretch.gradient()
        optimize([stretch.stepped for stretch in self.stretches])
        self._mask.copy_(self._foreign())
        # now + (before - now) * 1 or * 0, in integers, which wrap: exact for all bits
        torch._foreach_sub_(self._befores, self.now)
        torch._foreach_addcmul_(self.now, self._befores, self._masks)

    def square(self) -> Tensor:
        """The sum of squares of the task's part of the gradients; the rest of them becomes zero."""
        found = [square_of(gradient) for gradient in self._own_gradients() if gradient is not None]
        return torch.stack(found).sum() if found else torch.zeros((), device=self._mask.device)

    def _own_gradients(self) -> Iterator[Tensor | None]:
        """The gradient of each stretch, 0.0 in place where a weight is not the task's, whatever it was."""
        self._mask.copy_(self._foreign().sub_(1))  # all bits set, or none: a byte's sign fills the word
        for stretch, mask in zip(self.stretches, self._masks, strict=True):
            gradient = stretch.gradient()
            if gradient is not None:
                bits(gradient).bitwise_and_(mask)
            yield gradient

    def _foreign(self) -> Tensor:
        """1 where a weight is not the task's, else 0: int8."""
        for stretch, mark in zip(self.stretches, self._marks, strict=True):
            differ(stretch.owner, self.task, out=mark)
        return self._mark.view(torch.int8)


class Masked(Mixed):
    """The same for an optimizer that leaves alone what has no gradient: the gradients of all others become zero."""

    def step(self, optimize: Optimize) -> None:
        for stretch, gradient in zip(self.stretches, self._own_gradients(), strict=True):
            stretch.stepped.grad = gradient
        optimize([stretch.stepped for stretch in self.stretches])


class Few:
    """Stretches of which the task's weights alone are stepped."""

    def __init__(self, stretches: list[Stretch], task: int):
        self.stretches = stretches
        self.indices = [positions(s.owner, task) for s in stretches]

    def share(self, values: Tensor, gradients: Tensor, index: Tensor) -> None:
        """Take scratch that all groups share: one element a weight of the task, float32, float32 and int64."""
        sizes = [s.own for s in self.stretches]
        self._index = list(index[: sum(sizes)].split(sizes))
        self._gradients = list(gradients[: sum(sizes)].split(sizes))
        for stretch, part in zip(self.stretches, values[: sum(sizes)].split(sizes), strict=True):
            stretch.stepped = nn.Parameter(part)

    def step(self, optimize: Optimize) -> None:
        self._each(self._gather)
        optimize([stretch.stepped for stretch in self.stretches])
        self._each(self._scatter)

    def square(self) -> Tensor:
        """The sum of squares of the task's part of the gradients."""
        self._each(self._gather)
        found = [square_of(s.stepped.grad) for s in self.stretches if s.stepped.grad is not None]
        for stretch in self.stretches:
            stretch.stepped.grad = None
        return torch.stack(found).sum() if found else torch.zeros((), device=self._index[0].device)

    def _each(self, work: Callable[[int], None]) -> None:
        """Do something with each stretch; torch gathers and scatters on one thread at a time."""
        each(work, range(len(self.stretches)), sum(s.values.numel() for s in self.stretches), self._index[0].device)

    def _gather(self, number: int) -> None:
        stretch, index = self.stretches[number], self._index[number].copy_(self.indices[number])
        torch.index_select(stretch.values, 0, index, out=stretch.stepped.data)
        gradient, into = stretch.gradient(), self._gradients[number]
        stretch.stepped.grad = None if gradient is None else torch.index_select(gradient, 0, index, out=into)

    def _scatter(self, number: int) -> None:
        stretch = self.stretches[number]
        stretch.values.scatter_(0, self._index[number], stretch.stepped.data)


def stretches(parameter: nn.Parameter, owner: Tensor, task: int) -> Iterator[Stretch]:
    """The stretches of a layer that hold weights of a task; the layer itself where it is all the task's."""
    found = [Stretch(parameter, where, owner, own) for where, own in _own_counts(owner, task) if own]
    if sum(stretch.own for stretch in found) == owner.numel():
        found = [Stretch(parameter, slice(0, owner.numel()), owner, owner.numel())]
    yield from found


def _own_counts(owner: Tensor, task: int) -> Iterator[tuple[slice, int]]:
    for where in blocks(owner.numel(), owner.device, stretch_size(owner.device)):
        yield where, count(owner[where], task)


def stretch_size(device: torch.device) -> int:
    """Weights that are stepped at once. On a CPU four blocks: each call of an optimizer takes Python about 50 µs."""
    return block_size(device) * (4 if device.type == "cpu" else 1)


def grouped(stretches: list[Stretch], size: Callable[[Stretch], int], room: int) -> Iterator[list[Stretch]]:
    """Stretches in groups, of `room` elements in all at the most."""
    group: list[Stretch] = []
    taken = 0
    for stretch in stretches:
        if group and taken + size(stretch) > room:
            yield group
            group, taken = [], 0
        group.append(stretch)
        taken += size(stretch)
    if group:
        yield group


def share_scratch(
    groups: Sequence[Mixed | Few],
    size: Callable[[Stretch], int],
    dtypes: tuple[torch.dtype, torch.dtype, torch.dtype],
    device: torch.device,
) -> None:
    """Give all groups the same scratch."""
    largest = max((sum(map(size, group.stretches)) for group in groups), default=0)
    scratch = [torch.empty(largest, dtype=dtype, device=device) for dtype in dtypes]
    for group in groups:
        group.share(*scratch)


def square_of(gradient: Tensor) -> Tensor:
    """The sum of squares, as a tensor without dimensions."""
    norm: Tensor = torch.linalg.vector_norm(gradient, dtype=torch.float32)
    return norm.square()
