"""FilterNetwork: a chain of filters, some of them freed for one newer task, and answers to both in one pass (§5.5).

Filters are older (the first task's) or freed, and freed ones are the newer task's once it is added. Every parameter
has owners, element by element (uint8: 0 free, 1 the first task, 2 the newer one):

| | from older filters | from newer filters | bias, normalisation |
| --- | --- | --- | --- |
| into an older filter | 1 | NEVER, and 0.0 | 1 |
| into a newer filter | 2 | 2 | 2 |
| into the first task's head | 1 | NEVER, and 0.0 | 1 |
| into the newer task's head | 2 | 2 | 2 |

So what an older filter gives does not depend on newer ones, and one network holds both tasks unmasked.
"""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from packnet_core.baselines.filter_chain import Norm, Unit, find
from packnet_core.errors import Diverged, RequestError
from packnet_core.network import digests
from packnet_core.training.evaluate import Forward

NEVER = 255  # flows from a newer filter into an older one: 0.0, for good


class Heads(nn.ModuleList):
    """All tasks' heads, on the same features. As a ModuleList its parameters are named by the task's place, from 0."""

    def forward(self, features: Tensor) -> list[Tensor]:
        return [head(features) for head in self]


class FilterNetwork:
    """A network whose filters can be freed for one newer task. It takes the model over, its head as the first task's.

    `model` gives a list of logits, N × classes a task, for images. `units` are the layers before the heads, `freed`
    says for each which filters are freed (bool). `weights` are all parameters by name, `owners` their owners; `open` is
    the task that trains. With its methods it is `training.Trainable`.

    Raises RequestError for a network that is no plain chain of filters, or has no linear head.
    """

    def __init__(self, model: nn.Module, head: str):
        *self.units, self._into_head = find(model, head)
        given = model.get_submodule(head)
        if not isinstance(given, nn.Linear):
            raise RequestError(f"the head {head!r} is a {type(given).__name__}, and should be a linear layer")
        self.model = model
        self.features = given.in_features
        self.freed = [torch.zeros(unit.filters, dtype=torch.bool) for unit in self.units]
        self._head = head
        self._heads = Heads([given])
        model.set_submodule(head, self._heads)
        self.open = 1
        self.own()

    @property
    def heads(self) -> Sequence[nn.Linear]:
        return [head for head in self._heads if isinstance(head, nn.Linear)]

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def to(self, device: torch.device | str) -> None:
        self.model.to(device)
        self.own()

    # -- who owns what ------------------------------------------------------------------------------------------

    def own(self) -> None:
        """Work out the owners of every parameter anew, from which filters are freed and how many tasks there are."""
        self.weights = dict(self.model.named_parameters())
        newer = 2 if len(self._heads) > 1 else 0
        owners = {
            name: torch.full(weight.shape, 1, dtype=torch.uint8, device=self.device)
            for name, weight in self.weights.items()
        }
        silent = None  # the freed ones of the columns of the layer under way
        for unit, freed in zip(self.units, self.freed, strict=True):
            freed = freed.to(self.device)
            if silent is not None:
                owners[f"{unit.name}.weight"][:, silent.repeat_interleave(unit.spread)] = NEVER
            for name in self.parameters_of(unit):
                owners[name][freed] = newer
            silent = freed
        assert silent is not None
        for name, owner in owners.items():
            if name == f"{self._head}.0.weight":
                owner[:, silent.repeat_interleave(self._into_head.spread)] = NEVER
            elif name.startswith(f"{self._head}.1."):
                owner[:] = newer
        self.owners = owners

    def parameters_of(self, unit: Unit) -> list[str]:
        """The parameters whose first dimension is this layer's filters."""
        names = [f"{unit.name}.weight", f"{unit.name}.bias", f"{unit.norm_name}.weight", f"{unit.norm_name}.bias"]
        return [name for name in names if name in self.weights]

    def free(self, filters: Sequence[Tensor]) -> int:
        """Free filters, a bool for each of each layer; all that is not the first task's is 0.0 then.

        Returns how many parameters are free now: they can be the newer task's.
        """
        self.freed = [freed | more for freed, more in zip(self.freed, filters, strict=True)]
        self.own()
        for name, weight in self.weights.items():
            weight.data[self.owners[name] != 1] = 0.0
        return sum(int((owner == 0).sum()) for owner in self.owners.values())

    def add_task(self, classes: int, generator: torch.Generator | None = None) -> None:
        """Give the freed filters to a newer task, with new values, and a head.

        Filters begin as He et al. draw them (from 0.0 no ReLU would ever let a gradient through), their normalisation
        as new, the head uniform in ±1/sqrt(features). Raises RequestError where there are two tasks already, or nothing
        is free.
        """
        if len(self._heads) > 1:
            raise RequestError("filter pruning adds one task (Table 6), and this network has two already")
        if not any(bool(freed.any()) for freed in self.freed):
            raise RequestError("no filter is free; prune the first task's before another is added")
        head = nn.Linear(self.features, classes)
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.uniform_(-(self.features**-0.5), self.features**-0.5, generator=generator)
            for unit, freed in zip(self.units, self.freed, strict=True):
                self._begin_anew(unit, freed, generator)
        self.append_head(head)

    def append_head(self, head: nn.Linear) -> None:
        """Make the freed filters the newer task's, which has this head; it is open."""
        self._heads.append(head.to(self.device))
        self.open = 2
        self.own()
        for unit, freed in zip(self.units, self.freed, strict=True):
            if unit.norm is not None and bool(freed.any()):
                unit.norm.register_forward_hook(partial(self._normalise_newer, freed.nonzero()[:, 0]))

    def _begin_anew(self, unit: Unit, freed: Tensor, generator: torch.Generator | None) -> None:
        weight = unit.layer.weight
        drawn = torch.randn((int(freed.sum()), *weight.shape[1:]), generator=generator)
        rows = freed.to(self.device)
        weight[rows] = drawn.mul_((2 / weight[0].numel()) ** 0.5).to(self.device)
        if unit.norm is not None:
            assert unit.norm.running_mean is not None
            assert unit.norm.running_var is not None
            unit.norm.weight[rows], unit.norm.running_mean[rows], unit.norm.running_var[rows] = 1.0, 0.0, 1.0

    # -- training and answers -----------------------------------------------------------------------------------

    def train_mode(self, only: Container[str] | None = None) -> list[nn.Parameter]:
        """Make the model ready to train the open task; nothing is trained besides `weights`, so the list is empty.

        For the newer task, older filters are normalised by their running statistics, which stay; newer ones by the
        batch's, which move theirs.
        """
        self.model.train()
        for name, weight in self.weights.items():
            trains = only is None or name in only
            weight.requires_grad_(trains and bool((self.owners[name] == self.open).any()))
        for unit in self.units:
            if self.open == 2 and unit.norm is not None:
                unit.norm.eval()
        return []

    def trained_rest(self, only: Container[str] | None = None) -> dict[str, Tensor]:
        """What else changes meanwhile, by name: running statistics."""
        return dict(self.model.named_buffers())

    def _normalise_newer(self, newer: Tensor, norm: Norm, given: tuple[Tensor], out: Tensor) -> Tensor | None:
        """In training, newer channels normalised by the batch, in place of what the running statistics gave."""
        if not self.model.training:
            return None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        newer = newer.to(out.device)
        mean, variance = norm.running_mean[newer], norm.running_var[newer]
        channels, gain, bias = given[0].index_select(1, newer), norm.weight[newer], norm.bias[newer]
        fresh = F.batch_norm(channels, mean, variance, gain, bias, True, norm.momentum or 0.0, norm.eps)
        # `data`, as the pass that gave `out` keeps these tensors for its gradients, where newer ones count for nothing
        norm.running_mean.data[newer], norm.running_var.data[newer] = mean, variance
        return out.index_copy(1, newer, fresh)

    def answers(self, images: Tensor) -> list[Tensor]:
        """Every task's logits, N × classes each, of one pass; in evaluation mode, the network stays as it was."""
        with self._evaluating(), torch.inference_mode():
            logits: list[Tensor] = self.model(images)
        return logits

    @contextmanager
    def viewing(self, task: int) -> Iterator[Forward]:
        """The answers of one task, in evaluation mode; the pass gives those of all."""
        with self._evaluating():
            yield lambda images: self.model(images)[task - 1]

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        modes = {module: module.training for module in self.model.modules()}
        try:
            self.model.eval()
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode

    def end_phase(self, dense: bool = False) -> None:
        """Raises Diverged, naming the tensor, where a value is NaN or infinite. Freed filters stay freed."""
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise Diverged(f"{name} has values that are NaN or infinite")

    # -- facts --------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, tuple[int, int]]:
        """For every layer, how many filters are freed (or the newer task's), of how many."""
        return {unit.name: (int(freed.sum()), unit.filters) for unit, freed in zip(self.units, self.freed, strict=True)}

    def available(self) -> float:
        """The share of the layers' weights (biases, normalisation and heads left out) that the newer task may train."""
        owners = [self.owners[f"{unit.name}.weight"] for unit in self.units]
        free = sum(int(((owner == 0) | (owner == 2)).sum()) for owner in owners)
        return free / sum(owner.numel() for owner in owners)

    def digest(self) -> str:
        """Hex digest of all that the first task uses: its parameters, where they are, and its running statistics."""
        newer = f"{self._head}.1."
        parameters = ((n, weight, self.owners[n]) for n, weight in self.weights.items() if not n.startswith(newer))
        statistics = {
            f"{unit.norm_name}.{part}": tensor[~freed.to(tensor.device)]
            for unit, freed in zip(self.units, self.freed, strict=True)
            for part, tensor in (unit.norm.named_buffers() if unit.norm else ())
            if tensor.dim()
        }
        return digests.weights_digest(parameters, 1) + digests.tensors_digest(statistics)
