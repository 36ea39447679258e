"""An optimizer step that changes only the open task's weights; all sealed and free weights keep their bits.

Masking gradients is not enough: weight decay moves weights that have no gradient, and momentum remembers earlier ones.
So the optimizer (any elementwise one) works on chunks of the layers. How a chunk is stepped depends on how many of its
weights the open task owns:

- all: it is stepped as it is;
- a share above `GATHER_UP_TO`: it is stepped whole, with the other weights' gradients masked from the first step on,
  and weight decay done here on the task's weights only (`MaskedChunks`). A trial shows whether the result has the bits
  that the optimizer alone would give, and leaves the other weights unchanged. If not, the other weights' bits are
  restored after each step (`RestoredChunk`);
- fewer: the task's weights are gathered with their gradients, stepped, and scattered back (`GatheredChunks`). No other
  weight is written, and the optimizer has no state for it;
- none: it is not stepped.

Chunks of small layers are stepped together, so that a network of many small layers takes few calls. A large layer can
be stepped within backward, which then frees its gradient. There is no second copy of the weights.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from packnet_core.network.owners import bits, positions
from packnet_core.training.chunks import (
    Chunk,
    Decay,
    GatheredChunks,
    MaskedChunks,
    PartialStep,
    RestoredChunk,
    chunks_of,
    grouped,
    share_scratch,
    squared_norm,
)

MakeOptimizer = Callable[[list[nn.Parameter]], Optimizer]
TRIAL_RATE = 1e6  # far above any learning rate: decay that changes no bit at this rate never changes one
LARGE = 1 << 24  # weights of a layer (64 MB) that can be stepped within backward
GATHER_UP_TO = 0.25  # share of a chunk up to which gathering takes less time and memory than masking


class GuardedOptimizer:
    """Steps the open task's weights with any elementwise `torch.optim` optimizer; all others keep their bits (§3).

    `make` creates the optimizer, in one parameter group. `weights` pairs each prunable parameter (float32) with its
    owners (uint8, same shape); `others` are trained whole: the task's head, and the shared rest for the first task.
    `task` is the open task's index. Between construction and the last step, owners must not change, and nothing else
    may change the weights. The optimizer must treat each element by itself, as SGD, Adam and AdamW do.

    guarded = GuardedOptimizer(lambda p: torch.optim.AdamW(p, lr=1e-3), pairs, network.train_mode(), network.open)
    loss.backward()
    guarded.step()
    """

    def __init__(
        self,
        make: MakeOptimizer,
        weights: Iterable[tuple[nn.Parameter, Tensor]],
        others: Iterable[nn.Parameter],
        task: int,
    ):
        self.task = task
        self._others = list(others)
        pairs = [(parameter, owner.view(-1)) for parameter, owner in weights]
        self._weights = [parameter for parameter, _ in pairs]
        self._layers = [list(chunks_of(parameter, owner, task)) for parameter, owner in pairs]
        device = (self._weights + self._others)[0].device
        decay = cache(lambda: kind_of_decay(make, device))  # tried at most once, and only if needed
        layers = list(zip(self._weights, self._layers, strict=True))
        small = [chunk for parameter, layer in layers if parameter.numel() < LARGE for chunk in layer]
        self._small = _ChunkGroup(small, self._others, task, decay)
        self._large = {p: _ChunkGroup(layer, [], task, decay) for p, layer in layers if layer and p.numel() >= LARGE}
        share_scratch([gathered for group in self._groups for gathered in group.gathered], device)
        parameters = [chunk.stepped for layer in self._layers for chunk in layer] + self._others
        self.optimizer = make(parameters)
        self._optimize = PartialStep(self.optimizer, parameters)

    @property
    def _groups(self) -> list["_ChunkGroup"]:
        return [*self._large.values(), self._small]

    def set_lr(self, lr: float) -> None:
        """Set the learning rate."""
        self._optimize.settings["lr"] = lr

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        for parameter in self._weights + self._others:
            parameter.grad = None

    def gradient_norm(self) -> float:
        """The 2-norm of the gradient of everything that is trained, without the weights of sealed tasks."""
        found = [square for group in self._groups for square in group.squared_norms()]
        return float(torch.stack(found).sum().sqrt()) if found else 0.0

    @contextmanager
    def step_in_backward(self) -> Iterator[None]:
        """While backward runs in this context, step each large layer once its gradient is complete, and free that.

        The next `step` steps the others. Not for steps that depend on all gradients, by their norm or by a factor.
        """
        hooks = [p.register_post_accumulate_grad_hook(self._step_large) for p in self._large if p.requires_grad]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _step_large(self, parameter: Tensor) -> None:
        self._large[parameter].step(self._optimize)  # type: ignore[index]
        parameter.grad = None

    def step(self, factor: float = 1.0) -> None:
        """Take one step on the gradients that the parameters hold, multiplied by `factor`."""
        if factor != 1.0:
            for parameter in self._weights + self._others:
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)
        for parameter, layer in self._large.items():
            if parameter.grad is not None:
                layer.step(self._optimize)
        self._small.step(self._optimize)

    # -- checkpoints --------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """The optimizer's state for a checkpoint, as tensors `<number>.<name>`, of the open task's weights only.

        Numbers count the layers, then `others`. The tensors do not depend on the size of chunks, which differs between
        devices.
        """
        found: dict[str, Tensor] = {}
        for index, layer in enumerate(self._layers):
            for name in self._state_names(layer[0].stepped) if layer else ():
                parts = [self._owned_state(chunk, name) for chunk in layer]
                found[f"{index}.{name}"] = torch.cat(parts) if parts[0].dim() else parts[0]
        for index, parameter in enumerate(self._others, len(self._layers)):
            found |= {f"{index}.{name}": self.optimizer.state[parameter][name] for name in self._state_names(parameter)}
        return found

    def restore(self, state: dict[str, Tensor]) -> None:
        """Load what `state` returned; weights, owners and settings must be the same."""
        for key, value in state.items():
            number, name = key.split(".", 1)
            index = int(number)
            if index >= len(self._layers):
                parameter = self._others[index - len(self._layers)]
                self.optimizer.state[parameter][name] = self._placed(value, parameter)
                continue
            layer = self._layers[index]
            parts = value.split([chunk.owned for chunk in layer]) if value.dim() else [value] * len(layer)
            for chunk, part in zip(layer, parts, strict=True):
                restored = self._placed(part, chunk.stepped)
                if part.dim() and restored.numel() != chunk.stepped.numel():
                    own = positions(chunk.owner, self.task).long()
                    restored = torch.zeros_like(chunk.values, dtype=part.dtype).scatter_(0, own, restored)
                self.optimizer.state[chunk.stepped][name] = restored

    def _state_names(self, parameter: nn.Parameter) -> list[str]:
        """The names of the tensors that the optimizer has as state of a parameter."""
        return [name for name, value in self.optimizer.state.get(parameter, {}).items() if isinstance(value, Tensor)]

    def _owned_state(self, chunk: Chunk, name: str) -> Tensor:
        """A tensor of the state of a chunk, of the task's weights only."""
        value: Tensor = self.optimizer.state[chunk.stepped][name]
        if not value.dim() or value.numel() == chunk.owned:
            return value
        return value[positions(chunk.owner, self.task).long()]

    def _placed(self, value: Tensor, parameter: nn.Parameter) -> Tensor:
        """A copy on the device that the optimizer expects: step counters on the CPU, unless the optimizer is fused."""
        moves = value.dim() or self._optimize.settings.get("fused") or self._optimize.settings.get("capturable")
        return value.to(parameter.device, copy=True) if moves else value.clone()


class _ChunkGroup:
    """Chunks, and parameters that are trained whole, that are stepped together."""

    def __init__(
        self,
        chunks: list[Chunk],
        others: list[nn.Parameter],
        task: int,
        decay: Callable[[], Decay | None],
    ):
        self._chunks, self._others = chunks, others
        self._whole = [c for c in chunks if c.whole]
        to_gather = [c for c in chunks if c.owned <= GATHER_UP_TO * c.size]
        to_mask = [c for c in chunks if not c.whole and c.owned > GATHER_UP_TO * c.size]
        self.gathered = [GatheredChunks(group, task) for group in grouped(to_gather)]
        kind = decay() if to_mask else None
        masked = [MaskedChunks(to_mask, task, kind)] if kind else [RestoredChunk(c, task) for c in to_mask]
        self._partly_owned: list[MaskedChunks | RestoredChunk | GatheredChunks] = [*self.gathered, *masked]

    def step(self, optimize: PartialStep) -> None:
        try:
            for part in self._partly_owned:
                part.step(optimize)
            for chunk in self._whole:
                chunk.stepped.grad = chunk.gradient()
            optimize([chunk.stepped for chunk in self._whole] + self._others)
        finally:
            for chunk in self._chunks:
                chunk.stepped.grad = None

    def squared_norms(self) -> list[Tensor]:
        """The squared norms of the gradients of all that is trained here, scalars."""
        gradients = [chunk.gradient() for chunk in self._whole] + [parameter.grad for parameter in self._others]
        norms = [None if gradient is None else squared_norm(gradient) for gradient in gradients]
        norms += [part.squared_norm() for part in self._partly_owned]
        return [norm for norm in norms if norm is not None]


def kind_of_decay(make: MakeOptimizer, device: torch.device) -> Decay | None:
    """How an optimizer changes weights whose gradients have been zero from the first step on, found by a trial.

    "none": it does not change their bits. "coupled" and "decoupled": weight decay alone changes them, to the bit.
    Coupled decay adds the weights times `weight_decay` to the gradients, decoupled decay multiplies the weights by
    1 - lr * weight_decay before the step. None: it changes them in another way.
    """
    magnitudes = torch.cat([torch.zeros(1), torch.logspace(-30, 30, 61), -torch.logspace(-30, 30, 61)]).to(device)
    zeros = torch.zeros_like(magnitudes)  # without -0.0, since no sealed or free weight is -0.0
    if _same(magnitudes, _tried(make, magnitudes, zeros, lr=TRIAL_RATE)):
        return "none"
    if not _same(magnitudes, _tried(make, magnitudes, zeros, lr=TRIAL_RATE, weight_decay=0.0)):
        return None
    small = torch.linspace(-0.1, 0.1, 1 << 12, device=device)  # similar magnitudes and strong decay, so rounding shows
    gradients = small.roll(1 << 10) / 8
    by_itself = _tried(make, small, gradients, lr=0.1, weight_decay=0.1)
    for kind in ("coupled", "decoupled"):
        if _same(by_itself, _tried(make, small, gradients, kind, lr=0.1, weight_decay=0.1)):
            return kind
    return None


def _tried(
    make: MakeOptimizer,
    weights: Tensor,
    gradients: Tensor,
    by_hand: Decay = "none",
    *,
    lr: float,
    weight_decay: float | None = None,
) -> Tensor:
    """The weights after three steps. Weight decay is done by the optimizer, or here if `by_hand` is a kind of it."""
    parameter = nn.Parameter(weights.clone())
    optimizer = make([parameter])
    (group,) = optimizer.param_groups
    group["lr"] = lr
    amount = weight_decay or 0.0
    if weight_decay is not None:
        group["weight_decay"] = amount if by_hand == "none" else 0.0
    for _ in range(3):
        parameter.grad = gradients.clone()
        if by_hand == "coupled":
            parameter.grad.add_(parameter.data, alpha=amount)
        elif by_hand == "decoupled":
            parameter.data.mul_(1 - lr * amount)
        optimizer.step()
    return parameter.data


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same bits."""
    return torch.equal(bits(one), bits(other))
