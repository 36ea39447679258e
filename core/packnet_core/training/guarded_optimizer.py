"""The optimizer step that leaves every sealed and every free weight as it is, to the bit.

Masking gradients is not enough: weight decay moves weights without one, and momentum remembers those of before. So
the optimizer, whichever elementwise one it is, works on stretches of the layers, each in one of these ways:

- where all weights are the open task's, it steps them as they are;
- where many are, the others get no gradient from the first step on, and weight decay is done here, on the task's
  alone: if a trial shows that the optimizer then does to the bit what it does by itself, and nothing to the others;
- if the trial does not, it steps all, and the bits that are not the task's are put back;
- where few are, it gets those alone: gathered with their gradients, stepped, and scattered back. No other weight is
  written, and the optimizer keeps nothing about it.

What holds none of the task's weights is left alone. Small stretches go together, so that a network of many small
layers takes few calls; a layer whose gradient weighs on memory can be stepped while backward goes on, and its gradient
freed. No second copy of the weights is kept.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from packnet_core.network.owners import bits, positions
from packnet_core.training.chunks import (
    Decay,
    Few,
    Masked,
    Mixed,
    Optimize,
    Stretch,
    grouped,
    share_scratch,
    square_of,
    stretches,
)

MakeOptimizer = Callable[[list[nn.Parameter]], Optimizer]
TRIAL_RATE = 1e6  # beyond any learning rate: what decays less than rounding shows at this one never decays
LARGE = 1 << 24  # weights of a layer whose gradient does not wait for those of the others: 64 MB
FEW = 0.25  # the open task's share of a stretch, up to which gathering takes less time and memory than masking


class GuardedOptimizer:
    """Steps the open task's weights with any elementwise `torch.optim` optimizer; all others keep their bits.

    `weights` pairs each prunable parameter with its owners (uint8, same shape); `others` are trained whole (the
    task's head, and the shared rest while the first task is open). While this is in use, owners must not change, nor
    the weights by anything else. The optimizer must treat each element by itself: SGD, Adam, AdamW and their kin do.
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
        self._layers = [list(stretches(parameter, owner, task)) for parameter, owner in pairs]
        device = (self._weights + self._others)[0].device
        decay = cache(lambda: kind_of_decay(make, device))  # found out once, and only where it is asked
        layers = list(zip(self._weights, self._layers, strict=True))
        small = [stretch for parameter, layer in layers if parameter.numel() < LARGE for stretch in layer]
        self._together = _Together(small, self._others, task, decay)
        self._alone = {p: _Together(layer, [], task, decay) for p, layer in layers if layer and p.numel() >= LARGE}
        share_scratch([few for part in self._parts for few in part.few], device)
        parameters = [stretch.stepped for layer in self._layers for stretch in layer] + self._others
        self.optimizer = make(parameters)
        self._optimize = Optimize(self.optimizer, parameters)

    @property
    def _parts(self) -> list["_Together"]:
        return [*self._alone.values(), self._together]

    def set_lr(self, lr: float) -> None:
        self._optimize.settings["lr"] = lr

    def zero_grad(self) -> None:
        for parameter in self._weights + self._others:
            parameter.grad = None

    def gradient_norm(self) -> float:
        """The 2-norm of the gradient of all that is trained; what belongs to sealed tasks does not count."""
        found = [square for part in self._parts for square in part.squares()]
        return float(torch.stack(found).sum().sqrt()) if found else 0.0

    @contextmanager
    def early(self) -> Iterator[None]:
        """While backward runs in here, large layers are stepped as soon as their gradients are whole, which go then.

        The `step` after it does the rest. Not where a step depends on all gradients: on their norm, or by a factor.
        """
        hooks = [p.register_post_accumulate_grad_hook(self._step_alone) for p in self._alone if p.requires_grad]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _step_alone(self, parameter: Tensor) -> None:
        self._alone[parameter].step(self._optimize)  # type: ignore[index]
        parameter.grad = None

    def step(self, factor: float = 1.0) -> None:
        """One step of the optimizer on the gradients that the parameters hold now, times a factor."""
        if factor != 1.0:
            for parameter in self._weights + self._others:
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)
        for parameter, layer in self._alone.items():
            if parameter.grad is not None:
                layer.step(self._optimize)
        self._together.step(self._optimize)

    # -- to be gone on with -------------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """The optimizer's tensors by layer and name, for a checkpoint: of the open task's weights alone, in order.

        They are the same however the layers are cut into stretches, here or on another device.
        """
        found: dict[str, Tensor] = {}
        for index, layer in enumerate(self._layers):
            for name in self._names(layer[0].stepped) if layer else ():
                parts = [self._own_state(stretch, name) for stretch in layer]
                found[f"{index}.{name}"] = torch.cat(parts) if parts[0].dim() else parts[0]
        for index, parameter in enumerate(self._others, len(self._layers)):
            found |= {f"{index}.{name}": self.optimizer.state[parameter][name] for name in self._names(parameter)}
        return found

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave; weights, owners and settings must be the same."""
        for key, value in state.items():
            number, name = key.split(".", 1)
            index = int(number)
            if index >= len(self._layers):
                parameter = self._others[index - len(self._layers)]
                self.optimizer.state[parameter][name] = self._placed(value, parameter)
                continue
            layer = self._layers[index]
            parts = value.split([s.own for s in layer]) if value.dim() else [value] * len(layer)
            for stretch, part in zip(layer, parts, strict=True):
                restored = self._placed(part, stretch.stepped)
                if part.dim() and restored.numel() != stretch.stepped.numel():
                    own = positions(stretch.owner, self.task).long()
                    restored = torch.zeros_like(stretch.values, dtype=part.dtype).scatter_(0, own, restored)
                self.optimizer.state[stretch.stepped][name] = restored

    def _names(self, parameter: nn.Parameter) -> list[str]:
        """What the optimizer keeps of a parameter, in tensors."""
        return [name for name, value in self.optimizer.state.get(parameter, {}).items() if isinstance(value, Tensor)]

    def _own_state(self, stretch: Stretch, name: str) -> Tensor:
        value: Tensor = self.optimizer.state[stretch.stepped][name]
        if not value.dim() or value.numel() == stretch.own:
            return value
        return value[positions(stretch.owner, self.task).long()]

    def _placed(self, value: Tensor, parameter: nn.Parameter) -> Tensor:
        """A copy where the optimizer keeps it: step counters stay on the host, unless it is fused."""
        moves = value.dim() or self._optimize.settings.get("fused") or self._optimize.settings.get("capturable")
        return value.to(parameter.device, copy=True) if moves else value.clone()


class _Together:
    """Stretches of layers that are stepped at once, each in its way, and parameters that are trained whole."""

    def __init__(
        self,
        stretches: list[Stretch],
        others: list[nn.Parameter],
        task: int,
        decay: Callable[[], Decay | None],
    ):
        self._stretches, self._others = stretches, others
        self._whole = [s for s in stretches if s.whole]
        few = [s for s in stretches if s.own <= FEW * s.size]
        many = [s for s in stretches if not s.whole and s.own > FEW * s.size]
        self.few = [Few(group, task) for group in grouped(few)]
        kind = decay() if many else None
        masked = [Masked(many, task, kind)] if kind else [Mixed(s, task) for s in many]
        self._ways: list[Masked | Mixed | Few] = [*self.few, *masked]

    def step(self, optimize: Optimize) -> None:
        try:
            for way in self._ways:
                way.step(optimize)
            for stretch in self._whole:
                stretch.stepped.grad = stretch.gradient()
            optimize([s.stepped for s in self._whole] + self._others)
        finally:
            for stretch in self._stretches:
                stretch.stepped.grad = None

    def squares(self) -> list[Tensor]:
        """The sums of squares of the gradients of what is trained."""
        gradients = [s.gradient() for s in self._whole] + [parameter.grad for parameter in self._others]
        squares = [None if gradient is None else square_of(gradient) for gradient in gradients]
        squares += [way.square() for way in self._ways]
        return [square for square in squares if square is not None]


def kind_of_decay(make: MakeOptimizer, device: torch.device) -> Decay | None:
    """How an optimizer moves weights whose gradients are all zero from its first step on, found by trial.

    "none": it keeps their bits. "coupled", "decoupled": it does so without its weight decay, which is, to the bit,
    the weights times `weight_decay` added to the gradients, or the weights times 1 - lr * weight_decay before a step.
    None: it is none of these.
    """
    magnitudes = torch.cat([torch.zeros(1), torch.logspace(-30, 30, 61), -torch.logspace(-30, 30, 61)]).to(device)
    zeros = torch.zeros_like(magnitudes)  # -0.0 is not among them, for no sealed or free weight is
    if _same(magnitudes, _tried(make, magnitudes, zeros, lr=TRIAL_RATE)):
        return "none"
    if not _same(magnitudes, _tried(make, magnitudes, zeros, lr=TRIAL_RATE, weight_decay=0.0)):
        return None
    small = torch.linspace(-0.1, 0.1, 1 << 12, device=device)  # of like size, and a strong decay: rounding shows
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
    """The weights after three steps; with a kind of weight decay by hand, where one is given, instead of its own."""
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
    return torch.equal(bits(one), bits(other))
