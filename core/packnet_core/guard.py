"""The optimizer step that leaves every sealed and every free weight as it is, to the bit.

Masking gradients is not enough: weight decay moves weights without one, and momentum remembers those of before. So
each step lets any elementwise optimizer do as it likes with a block of weights, small enough to stay in the cache,
and then puts the bits back that are not the open task's. Blocks that are wholly the open task's need nothing put
back; blocks without any of its weights are not stepped at all. No second copy of the weights is kept.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from packnet_core.blockwise import blocks
from packnet_core.owners import bits, differ, equal, full_mask

MakeOptimizer = Callable[[list[nn.Parameter]], Optimizer]


class _Block:
    """A stretch of one parameter, as a parameter of its own on the same memory."""

    def __init__(self, parameter: nn.Parameter, where: slice, owner: Tensor):
        self.parameter, self.where, self.owner = parameter, where, owner
        self.weights = nn.Parameter(parameter.data.view(-1)[where])

    def take_gradient(self) -> None:
        gradient = self.parameter.grad
        self.weights.grad = None if gradient is None else gradient.reshape(-1)[self.where]


class GuardedOptimizer:
    """Steps the open task's weights with any elementwise `torch.optim` optimizer; all others keep their bits.

    `weights` pairs each prunable parameter with its owners (uint8, same shape); `others` are trained whole (the
    task's head, and the shared rest while the first task is open). Owners must not change while this is in use, and
    the optimizer must treat each element by itself: SGD, Adam, AdamW and their kin do.
    """

    def __init__(
        self,
        make: MakeOptimizer,
        weights: Iterable[tuple[nn.Parameter, Tensor]],
        others: Iterable[nn.Parameter],
        task: int,
    ):
        self.task = task
        self._mixed: list[_Block] = []
        self._own: list[_Block] = []
        self._others = list(others)
        for parameter, owner in weights:
            flat = owner.view(-1)
            if bool(equal(flat, task).all()):
                self._own.append(_Block(parameter, slice(0, flat.numel()), flat))
                continue
            for where in blocks(flat.numel(), flat.device):
                own = int(equal(flat[where], task).sum())
                if own:
                    full = own == where.stop - where.start
                    (self._own if full else self._mixed).append(_Block(parameter, where, flat[where]))
        self._parameters = [block.weights for block in self._mixed + self._own] + self._others
        self.optimizer = make(self._parameters)
        (self._group,) = self.optimizer.param_groups
        largest = max((block.weights.numel() for block in self._mixed), default=0)
        device = self._parameters[0].device
        # scratch of one block, made once: what is allocated and freed between the optimizer's tensors splits the heap
        self._before = torch.empty(largest, dtype=torch.int32, device=device)
        self._sealed = torch.empty(largest, dtype=torch.int32, device=device)

    def set_lr(self, lr: float) -> None:
        self._group["lr"] = lr

    def zero_grad(self) -> None:
        for parameter in {id(b.parameter): b.parameter for b in self._mixed + self._own}.values():
            parameter.grad = None
        for parameter in self._others:
            parameter.grad = None

    def gradient_norm(self) -> float:
        """The 2-norm of the gradient of all that is trained; what belongs to sealed tasks does not count."""
        squares = [self._square(block) for block in self._mixed]
        for block in self._own:
            block.take_gradient()
            squares.append(_square(block.weights.grad))
            block.weights.grad = None
        squares += [_square(parameter.grad) for parameter in self._others]
        return float(torch.stack([s for s in squares if s is not None]).sum().sqrt()) if squares else 0.0

    def _square(self, block: _Block) -> Tensor | None:
        block.take_gradient()
        gradient, block.weights.grad = block.weights.grad, None
        if gradient is None:
            return None
        own = full_mask(equal(block.owner, self.task), out=self._sealed[: gradient.numel()])
        mine = torch.bitwise_and(bits(gradient.contiguous()), own, out=self._before[: gradient.numel()])
        return _square(mine.view(torch.float32))

    def step(self, factor: float = 1.0) -> None:
        """One step of the optimizer on the gradients that the parameters hold now, times a factor."""
        if factor != 1.0:
            for gradient in self._gradients():
                gradient.mul_(factor)
        try:
            for block in self._mixed:
                block.take_gradient()
                now = bits(block.weights.data)
                before = self._before[: now.numel()].copy_(now)
                self._step([block.weights])
                sealed = full_mask(differ(block.owner, self.task), out=self._sealed[: now.numel()])
                now.bitwise_xor_(before.bitwise_xor_(now).bitwise_and_(sealed))  # changed bits back where not our own
                block.weights.grad = None
            for block in self._own:
                block.take_gradient()
            self._step([block.weights for block in self._own] + self._others)
            for block in self._own:
                block.weights.grad = None
        finally:
            self._group["params"] = self._parameters

    def _gradients(self) -> list[Tensor]:
        """The gradients of all that is trained, each once; those of mixed layers whole."""
        unique = {id(p): p for p in (*(b.parameter for b in self._mixed + self._own), *self._others)}
        return [p.grad for p in unique.values() if p.grad is not None]

    def _step(self, parameters: list[nn.Parameter]) -> None:
        self._group["params"] = parameters
        self.optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """The optimizer's tensors by name, for a checkpoint. `restore` takes them back."""
        found = {}
        for index, parameter in enumerate(self._parameters):
            for name, value in self.optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    found[f"{index}.{name}"] = value
        return found

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave; weights, owners and settings must be the same."""
        for key, value in state.items():
            index, name = key.split(".", 1)
            parameter = self._parameters[int(index)]
            keeps_host = value.dim() == 0  # step counters, where the optimizer itself keeps them
            self.optimizer.state[parameter][name] = value.clone() if keeps_host else value.to(parameter.device).clone()


def _square(gradient: Tensor | None) -> Tensor | None:
    """The sum of squares, as a tensor without dimensions."""
    return None if gradient is None else torch.linalg.vector_norm(gradient, dtype=torch.float32).square()
