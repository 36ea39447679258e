"""Stretches of layers, and the three ways to step those that are only partly the open task's; see `guard`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from packnet_core.network.blockwise import BLOCK, block_size, blocks, each
from packnet_core.network.owners import bits, count, equal, full_mask, positions

Decay = Literal["none", "coupled", "decoupled"]  # added to the gradient (L2), or weights shrunk (AdamW)
ONE = np.float32(1.0).view(np.int32)


class Optimize:
    """A step of the optimizer on some of its parameters alone, perhaps with another weight decay than its own."""

    def __init__(self, optimizer: Optimizer, parameters: list[nn.Parameter]):
        self._optimizer, self._parameters = optimizer, parameters
        (self.settings,) = optimizer.param_groups  # as they are at each step

    def __call__(self, parameters: Sequence[nn.Parameter], **settings: float) -> None:
        own = {name: self.settings[name] for name in settings}
        self.settings.update(settings, params=parameters)
        try:
            self._optimizer.step()
        finally:
            self.settings.update(own, params=self._parameters)


class Stretch:
    """A stretch of one parameter that holds weights of the open task.

    `stepped` is what the optimizer gets of it: a parameter of one dimension, on the same memory.
    """

    def __init__(self, parameter: nn.Parameter, where: slice, owner: Tensor, own: int):
        self.parameter, self.where, self.owner, self.own = parameter, where, owner[where], own
        self.values = parameter.data.view(-1)[where]
        self.stepped = nn.Parameter(self.values)

    @property
    def size(self) -> int:
        return self.values.numel()

    @property
    def whole(self) -> bool:
        return self.own == self.size

    def gradient(self) -> Tensor | None:
        gradient = self.parameter.grad
        return None if gradient is None else gradient.reshape(-1)[self.where]


class Masked:
    """Stretches in which all weights but the task's get a gradient of zero.

    For an optimizer that then leaves them alone, but for its weight decay, which is done here, on the task's weights:
    before the optimizer's step, as it would itself.
    """

    def __init__(self, stretches: list[Stretch], task: int, decay: Decay):
        self.stretches, self.task, self.decay = stretches, task, decay
        self._total = sum(stretch.size for stretch in stretches)

    def step(self, optimize: Optimize) -> None:
        found = self._with_gradients()
        if not found:
            return
        shrink = 1.0
        if self.decay == "coupled":
            gradients = [gradient for s in found if (gradient := s.stepped.grad) is not None]
            torch._foreach_add_(gradients, [s.values for s in found], alpha=optimize.settings["weight_decay"])
        elif self.decay == "decoupled":
            shrink -= optimize.settings["lr"] * optimize.settings["weight_decay"]
        self._mask(found, shrink)
        parameters = [stretch.stepped for stretch in found]
        optimize(parameters) if self.decay == "none" else optimize(parameters, weight_decay=0.0)

    def square(self) -> Tensor | None:
        """The sum of squares of the task's part of the gradients; the rest of them becomes zero."""
        found = self._with_gradients()
        self._mask(found, 1.0)
        return _sum_of_squares([stretch.stepped.grad for stretch in found])

    def _with_gradients(self) -> list[Stretch]:
        for stretch in self.stretches:
            stretch.stepped.grad = stretch.gradient()
        return [stretch for stretch in self.stretches if stretch.stepped.grad is not None]

    def _mask(self, stretches: list[Stretch], shrink: float) -> None:
        """Gradients of all but the task's weights become 0.0, whatever they were; the task's shrink by a factor."""
        if not stretches:
            return
        device = stretches[0].values.device
        if device.type == "cpu":
            each(lambda some: self._mask_blocks(some, shrink), stretches, self._total, device)
            return
        for stretch in stretches:
            own = stretch.owner == self.task
            bits(stretch.stepped.grad).bitwise_and_(full_mask(own))  # type: ignore[arg-type]
            if shrink != 1.0:
                stretch.values.mul_(torch.where(own, shrink, 1.0))

    def _mask_blocks(self, stretches: Iterator[Stretch], shrink: float) -> None:
        """The same on a CPU, by NumPy: in integers, times 1 or 0, which is exact for every float."""
        flags, ones = np.empty(BLOCK["cpu"], np.bool_), np.empty(BLOCK["cpu"], np.int32)
        factor = np.float32(shrink).view(np.int32)
        for stretch in stretches:
            owner, values = stretch.owner.numpy(), stretch.values.numpy()
            gradient = bits(stretch.stepped.grad).numpy()  # type: ignore[arg-type]
            for block in blocks(len(owner), stretch.values.device):
                size = block.stop - block.start
                own = ones[:size]
                own[:] = np.equal(owner[block], self.task, out=flags[:size])
                np.multiply(gradient[block], own, out=gradient[block])
                if shrink != 1.0:
                    factors = np.add(np.multiply(own, factor - ONE, out=own), ONE, out=own).view(np.float32)
                    np.multiply(values[block], factors, out=values[block])


class Mixed:
    """A stretch of which all weights are stepped, by an optimizer of any kind, and those not the task's put back."""

    def __init__(self, stretch: Stretch, task: int):
        self.stretch, self.task = stretch, task

    def step(self, optimize: Optimize) -> None:
        before = bits(self.stretch.values.clone())
        self.stretch.stepped.grad = self.stretch.gradient()
        optimize([self.stretch.stepped])
        now = bits(self.stretch.values)
        now.copy_(torch.where(equal(self.stretch.owner, self.task), now, before))

    def square(self) -> Tensor | None:
        """The sum of squares of the task's part of the gradient."""
        gradient = self.stretch.gradient()
        if gradient is None:
            return None
        return square_of(torch.where(equal(self.stretch.owner, self.task), gradient, 0.0))


class Few:
    """Stretches of which the task's weights alone are stepped: a copy of them, which nothing else may change meanwhile.

    Only what is the task's goes through memory then: its gradients are gathered, and its weights scattered back.
    """

    def __init__(self, stretches: list[Stretch], task: int):
        self.stretches = stretches
        self.indices = [positions(s.owner, task) for s in stretches]
        for stretch, index in zip(stretches, self.indices, strict=True):
            stretch.stepped = nn.Parameter(stretch.values.index_select(0, index))

    @property
    def own(self) -> int:
        """How many weights of the task there are."""
        return sum(stretch.own for stretch in self.stretches)

    def share(self, gradients: Tensor) -> None:
        """Take scratch that all groups share: one element a weight of the task."""
        self._gradients = gradients[: self.own].split([s.own for s in self.stretches])

    def step(self, optimize: Optimize) -> None:
        self._each(self._gather)
        optimize([stretch.stepped for stretch in self.stretches])
        self._each(self._scatter)

    def square(self) -> Tensor | None:
        """The sum of squares of the task's part of the gradients."""
        self._each(self._gather)
        found = _sum_of_squares([s.stepped.grad for s in self.stretches])
        for stretch in self.stretches:
            stretch.stepped.grad = None
        return found

    def _each(self, work: Callable[[int], None]) -> None:
        """Do something with each stretch; torch gathers and scatters on one thread at a time."""

        def some(numbers: Iterator[int]) -> None:
            for number in numbers:
                work(number)

        sizes = sum(s.size for s in self.stretches)
        each(some, range(len(self.stretches)), sizes, self.indices[0].device)

    def _gather(self, number: int) -> None:
        stretch, index, into = self.stretches[number], self.indices[number], self._gradients[number]
        gradient = stretch.gradient()
        stretch.stepped.grad = None if gradient is None else torch.index_select(gradient, 0, index, out=into)

    def _scatter(self, number: int) -> None:
        stretch = self.stretches[number]
        stretch.values.scatter_(0, self.indices[number].long(), stretch.stepped.data)


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


def grouped(stretches: list[Stretch]) -> Iterator[list[Stretch]]:
    """Stretches in groups, each with as many weights of the task as one stretch may have."""
    room = stretch_size(stretches[0].values.device) if stretches else 0
    group: list[Stretch] = []
    taken = 0
    for stretch in stretches:
        if group and taken + stretch.own > room:
            yield group
            group, taken = [], 0
        group.append(stretch)
        taken += stretch.own
    if group:
        yield group


def share_scratch(groups: Sequence[Few], device: torch.device) -> None:
    """Give all groups the same scratch, of the largest one's size.

    Made once: what is allocated and freed between the optimizer's tensors splits the heap.
    """
    scratch = torch.empty(max((group.own for group in groups), default=0), device=device)
    for group in groups:
        group.share(scratch)


def square_of(gradient: Tensor) -> Tensor:
    """The sum of squares, as a tensor without dimensions."""
    norm: Tensor = torch.linalg.vector_norm(gradient, dtype=torch.float32)
    return norm.square()


def _sum_of_squares(gradients: Sequence[Tensor | None]) -> Tensor | None:
    """Of all of them together; None where there is none."""
    found = [square_of(gradient) for gradient in gradients if gradient is not None]
    return torch.stack(found).sum() if found else None
