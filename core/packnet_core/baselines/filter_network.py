"""FilterNetwork: a chain of filters, some freed for one newer task; one pass answers both tasks (§5.5).

A filter is older (the first task's) or freed; the newer task gets the freed filters. Every element of a parameter has
an owner (uint8: 0 free, 1 the first task, 2 the newer task, 255 NEVER):

| | from older filters | from newer filters | bias, normalisation |
| --- | --- | --- | --- |
| into an older filter | 1 | NEVER, and 0.0 | 1 |
| into a newer filter | 2 | 2 | 2 |
| into the first task's head | 1 | NEVER, and 0.0 | 1 |
| into the newer task's head | 2 | 2 | 2 |

So the output of an older filter does not depend on newer ones, and one network serves both tasks without a mask.
"""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from packnet_core.baselines.filter_chain import FilterLayer, Norm, find_chain
from packnet_core.errors import Diverged, RequestError
from packnet_core.network import digests
from packnet_core.training.evaluate import Forward

NEVER = 255  # a weight from a newer filter into an older one: always 0.0


class Heads(nn.ModuleList):
    """All tasks' heads, on the same features. Its parameters are named by the task's index, from 0."""

    def forward(self, features: Tensor) -> list[Tensor]:
        """The logits by each head, N×classes, of features N×width."""
        return [head(features) for head in self]


class FilterNetwork:
    """A network whose filters can be freed for one newer task; a `Trainable` of `training.trainable`.

    It modifies the model, whose head is the first task's. `model` returns a list of logits, one N×classes per task.
    `layers` are the layers before the heads; `freed` has, for each, one bool per filter. `weights` are all parameters
    by name, `owners` their owners, uint8 of the same shapes. `open` is the task that trains, 1 or 2.

    Raises RequestError for a network that is not a plain chain of filters with a linear head.
    """

    def __init__(self, model: nn.Module, head: str):
        *self.layers, self._head_layer = find_chain(model, head)
        given = model.get_submodule(head)
        if not isinstance(given, nn.Linear):
            raise RequestError(f"the head {head!r} is a {type(given).__name__}, and should be a linear layer")
        self.model = model
        self.features = given.in_features
        self.freed = [torch.zeros(layer.filters, dtype=torch.bool) for layer in self.layers]
        self._head = head
        self._heads = Heads([given])
        model.set_submodule(head, self._heads)
        self.open = 1
        self.assign_owners()

    @property
    def heads(self) -> Sequence[nn.Linear]:
        """One linear layer per task."""
        return [head for head in self._heads if isinstance(head, nn.Linear)]

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.model.parameters()).device

    def to(self, device: torch.device | str) -> None:
        """Move the network, with its owners."""
        self.model.to(device)
        self.assign_owners()

    # -- who owns what ------------------------------------------------------------------------------------------

    def assign_owners(self) -> None:
        """Compute the owners of every parameter, from the freed filters and the number of tasks."""
        self.weights = dict(self.model.named_parameters())
        newer = 2 if len(self._heads) > 1 else 0
        owners = {
            name: torch.full(weight.shape, 1, dtype=torch.uint8, device=self.device)
            for name, weight in self.weights.items()
        }
        freed_before = None  # filters of the layer before
        for layer, freed in zip(self.layers, self.freed, strict=True):
            freed = freed.to(self.device)
            if freed_before is not None:
                columns = freed_before.repeat_interleave(layer.columns_per_filter)
                owners[f"{layer.name}.weight"][:, columns] = NEVER
            for name in self.parameters_of(layer):
                owners[name][freed] = newer
            freed_before = freed
        assert freed_before is not None
        for name, owner in owners.items():
            if name == f"{self._head}.0.weight":
                owner[:, freed_before.repeat_interleave(self._head_layer.columns_per_filter)] = NEVER
            elif name.startswith(f"{self._head}.1."):
                owner[:] = newer
        self.owners = owners

    def parameters_of(self, layer: FilterLayer) -> list[str]:
        """The names of the parameters whose first dimension is this layer's filters."""
        names = [f"{layer.name}.weight", f"{layer.name}.bias", f"{layer.norm_name}.weight", f"{layer.norm_name}.bias"]
        return [name for name in names if name in self.weights]

    def free(self, filters: Sequence[Tensor]) -> int:
        """Free filters, given per layer as one bool per filter, and set all values but the first task's to 0.0.

        Returns how many values are now free for the newer task.
        """
        self.freed = [freed | more for freed, more in zip(self.freed, filters, strict=True)]
        self.assign_owners()
        for name, weight in self.weights.items():
            weight.data[self.owners[name] != 1] = 0.0
        return sum(int((owner == 0).sum()) for owner in self.owners.values())

    def add_task(self, classes: int, generator: torch.Generator | None = None) -> None:
        """Give the freed filters, with new values, to a newer task with a new head.

        Filters are initialised as by He et al. (at 0.0 no gradient would pass the ReLU), normalisation as in a new
        layer, the head uniformly in ±1/sqrt(features). Raises RequestError if there are two tasks already or no filter
        is free.
        """
        if len(self._heads) > 1:
            raise RequestError("filter pruning adds one task (Table 6), and this network has two already")
        if not any(bool(freed.any()) for freed in self.freed):
            raise RequestError("no filter is free; prune the first task's filters before another task is added")
        head = nn.Linear(self.features, classes)
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.uniform_(-(self.features**-0.5), self.features**-0.5, generator=generator)
            for layer, freed in zip(self.layers, self.freed, strict=True):
                self._reinitialise(layer, freed, generator)
        self.append_head(head)

    def append_head(self, head: nn.Linear) -> None:
        """Give the freed filters to a newer task with this head, and open it."""
        self._heads.append(head.to(self.device))
        self.open = 2
        self.assign_owners()
        for layer, freed in zip(self.layers, self.freed, strict=True):
            if layer.norm is not None and bool(freed.any()):
                layer.norm.register_forward_hook(partial(self._normalise_newer, freed.nonzero()[:, 0]))

    def _reinitialise(self, layer: FilterLayer, freed: Tensor, generator: torch.Generator | None) -> None:
        weight = layer.module.weight
        values = torch.randn((int(freed.sum()), *weight.shape[1:]), generator=generator)
        rows = freed.to(self.device)
        weight[rows] = values.mul_((2 / weight[0].numel()) ** 0.5).to(self.device)
        if layer.norm is not None:
            assert layer.norm.running_mean is not None
            assert layer.norm.running_var is not None
            layer.norm.weight[rows], layer.norm.running_mean[rows], layer.norm.running_var[rows] = 1.0, 0.0, 1.0

    # -- training and answers -----------------------------------------------------------------------------------

    def restore_buffers(self) -> None:
        """Nothing: running statistics are all the buffers that there are (see `train_mode`)."""

    def train_mode(self, only: Container[str] | None = None) -> list[nn.Parameter]:
        """Prepare the model to train the open task, or only its parameters named in `only`.

        For the newer task, older filters are normalised by their running statistics, which do not change, and newer
        ones by the batch, which updates their running statistics. Returns the parameters to train besides `weights`:
        none.
        """
        self.model.train()
        for name, weight in self.weights.items():
            trains = only is None or name in only
            weight.requires_grad_(trains and bool((self.owners[name] == self.open).any()))
        for layer in self.layers:
            if self.open == 2 and layer.norm is not None:
                layer.norm.eval()
        return []

    def trained_rest(self, only: Container[str] | None = None) -> dict[str, Tensor]:
        """The other tensors that change in training, by name: running statistics."""
        return dict(self.model.named_buffers())

    def _normalise_newer(self, newer: Tensor, norm: Norm, given: tuple[Tensor], out: Tensor) -> Tensor | None:
        """In training, normalise newer channels by the batch; `out` has them normalised by running statistics."""
        if not self.model.training:
            return None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        newer = newer.to(out.device)
        mean, variance = norm.running_mean[newer], norm.running_var[newer]
        channels, gain, bias = given[0].index_select(1, newer), norm.weight[newer], norm.bias[newer]
        fresh = F.batch_norm(channels, mean, variance, gain, bias, True, norm.momentum or 0.0, norm.eps)
        # through `data`: autograd keeps these tensors for the gradients of `out`, where newer channels do not count
        norm.running_mean.data[newer], norm.running_var.data[newer] = mean, variance
        return out.index_copy(1, newer, fresh)

    def answers(self, images: Tensor) -> list[Tensor]:
        """Every task's logits, N×classes each, from one pass in evaluation mode; the network is unchanged."""
        with self._evaluating(), torch.inference_mode():
            logits: list[Tensor] = self.model(images)
        return logits

    @contextmanager
    def viewing(self, task: int) -> Iterator[Forward]:
        """A context with a function from images to the logits of a task (from 1), in evaluation mode."""
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
        """Check the values after a phase. Raises Diverged, naming the tensor, if one is NaN or infinite."""
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise Diverged(f"{name} has values that are NaN or infinite; try a smaller --lr")

    # -- facts --------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, tuple[int, int]]:
        """Per layer, the number of filters that are freed (or the newer task's), and the number of all filters."""
        pairs = zip(self.layers, self.freed, strict=True)
        return {layer.name: (int(freed.sum()), layer.filters) for layer, freed in pairs}

    def available(self) -> float:
        """The share of the layers' weights, without biases, normalisation and heads, that the newer task may train."""
        owners = [self.owners[f"{layer.name}.weight"] for layer in self.layers]
        free = sum(int(((owner == 0) | (owner == 2)).sum()) for owner in owners)
        return free / sum(owner.numel() for owner in owners)

    def digest(self) -> str:
        """Hex digest of all that the first task uses: its parameters, their positions, and its running statistics."""
        newer = f"{self._head}.1."
        parameters = ((n, weight, self.owners[n]) for n, weight in self.weights.items() if not n.startswith(newer))
        statistics = {
            f"{layer.norm_name}.{part}": tensor[~freed.to(tensor.device)]
            for layer, freed in zip(self.layers, self.freed, strict=True)
            for part, tensor in (layer.norm.named_buffers() if layer.norm else ())
            if tensor.dim()
        }
        return digests.weights_digest(parameters, 1) + digests.tensors_digest(statistics)
