"""PackedNetwork: one network, the owner of each of its weights, and one head per task (§3).

network = PackedNetwork(model, head="fc")
network.open_task(classes=10)                    # task 1 owns every weight
...train the parameters of network.model...
network.prune({"conv1.weight": 0.5, ...})        # half of that layer becomes free
network.end_phase()
network.open_task(classes=3)                     # task 2 owns all that was free; task 1 is sealed
with network.viewing(1) as model: model(images)  # the logits of task 1, the same as before
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from packnet_core.errors import Diverged, RequestError
from packnet_core.network import digests, layers, owners, pruning
from packnet_core.network.frozen_buffers import FrozenBuffers
from packnet_core.network.task_views import TaskViews, separate_model
from packnet_core.schema.document import MOST_TASKS, Own


class PackedNetwork:
    """A network with its owners and heads.

    model     has all tasks' weights and the newest task's head, so that it can be trained
    head      name of the module that the tasks' heads replace
    features  width of that module's input
    weights   prunable parameters by name
    owners    their owners by name, uint8 of the same shape: 0 free, k task k
    rest      the shared rest by name
    own       per task, the tensors that replace the shared ones, by name
    heads     one linear layer per task
    open      index of the open task, from 1; 0 if no task is open

    Raises RequestError for a network that can't be packed (see `layers.partition`).
    """

    def __init__(self, model: nn.Module, head: str):
        given = model.get_submodule(head)
        if not isinstance(given, nn.Linear):
            raise RequestError(f"the head {head!r} is a {type(given).__name__}, and should be a linear layer")
        found = layers.partition(model, head)
        self.model = model
        self.head = head
        self.features = given.in_features
        self.head_bias = given.bias is not None  # else the heads' biases stay 0.0
        self.weights = found.weights
        self._model_rest = found.rest  # the model's own tensors, which hold the newest task's rest
        self.rest = {name: tensor.data for name, tensor in found.rest.items()}
        self.own: list[dict[str, Tensor]] = []
        # NumPy's zeros take no memory until they are written to, and a file's owners replace them
        self.owners = {
            name: torch.from_numpy(np.zeros(w.shape, np.uint8)).to(w.device) for name, w in self.weights.items()
        }
        self.heads: list[nn.Linear] = []
        self.open = 0
        self._views = TaskViews()
        self._frozen = FrozenBuffers(nn.Module())

    @property
    def tasks(self) -> int:
        """The number of tasks."""
        return len(self.heads)

    @property
    def device(self) -> torch.device:
        """The device that all tensors are on."""
        return next(iter(self.weights.values())).device

    @property
    def ready_bytes(self) -> int:
        """Memory in bytes for masked copies of earlier tasks' weights: 4 bytes per weight and task. 0 keeps no copy."""
        return self._views.budget

    @ready_bytes.setter
    def ready_bytes(self, budget: int) -> None:
        self._views.budget = budget
        self._views.forget()

    def to(self, device: torch.device | str) -> None:
        """Move the model, heads, owners and all other tensors to a device."""
        if torch.device(device) != self.device:
            self._views.forget()
        self.model.to(device)
        for head in self.heads:
            head.to(device)
        self.owners = {name: owner.to(device) for name, owner in self.owners.items()}
        self.rest = {name: tensor.to(device) for name, tensor in self.rest.items()}
        self.own = [{name: tensor.to(device) for name, tensor in own.items()} for own in self.own]
        # parameters move in place, but the model gets new buffers
        self._model_rest = layers.partition(self.model, self.head).rest
        self.restore_view()

    # -- opening, pruning, ending and dropping a task -----------------------------------------------------------

    def open_task(
        self,
        classes: int,
        *,
        head: nn.Linear | None = None,
        own: Iterable[Own] = (),
        only: Container[str] | None = None,
        generator: torch.Generator | None = None,
    ) -> int:
        """Add a task that owns every free weight; this seals the task before it. Returns its index, from 1.

        Unless a `head` is given, it is a new one, uniform in ±1/sqrt(features). A later task may have its `own` biases
        (§5.3) or normalisation (§4), which start as copies of the shared ones, and may take the free weights of `only`
        some layers (§5.4). Raises RequestError for the 255th task.
        """
        if self.tasks >= MOST_TASKS:
            raise RequestError(f"there can be {MOST_TASKS} tasks; task {self.tasks + 1} would be one more")
        if head is None:
            head = nn.Linear(self.features, classes)
            with torch.no_grad():
                for parameter in head.parameters():
                    parameter.uniform_(-(self.features**-0.5), self.features**-0.5, generator=generator)
                head.bias.mul_(self.head_bias)
        self.heads.append(head.to(self.device))
        self.own.append({name: self.rest[name].clone() for name in layers.own_names(self.model, self.rest, own)})
        self.open = self.tasks
        for name, owner in self.owners.items():
            if only is None or self.open == 1 or name in only:
                owner[owner == 0] = self.open
        self.restore_view()
        return self.open

    def prune(self, ratios: dict[str, float]) -> int:
        """Free a share of the open task's weights in each layer, smallest magnitude first (§3). Returns how many.

        `ratios` are shares from 0 to 1, by layer name. Raises Diverged, and changes nothing, if a weight is NaN or
        infinite.
        """
        thresholds = {
            name: pruning.find_threshold(self.weights[name].data, self.owners[name], self.open, ratio, name)
            for name, ratio in ratios.items()
        }
        return sum(
            pruning.free_below(self.weights[name].data, self.owners[name], self.open, threshold)
            for name, threshold in thresholds.items()
        )

    def end_phase(self, dense: bool = False) -> None:
        """Normalise the open task's values: -0.0 becomes 0.0; its weights that are 0.0 become free, unless `dense`.

        Raises Diverged if a value is NaN or infinite.
        """
        self.check_finite()
        for name, weight in self.weights.items():
            weight.data.add_(0.0)  # -0.0 + 0.0 is 0.0; everything else stays as it is, to the bit
            if not dense:
                owner = self.owners[name]
                owner[(weight.data == 0) & (owner == self.open)] = 0
        for tensor in (*self.rest.values(), *self.own[-1].values(), *self.heads[-1].state_dict().values()):
            if tensor.is_floating_point():
                tensor.data.add_(0.0)

    def drop_newest(self) -> None:
        """Remove the newest task and its head: its weights become 0.0 and free, and no task is open."""
        for name, owner in self.owners.items():
            own = owner == self.tasks
            self.weights[name].data[own] = 0.0
            owner[own] = 0
        self.heads.pop()
        self.own.pop()
        self.open = 0
        self._views.forget(since=self.tasks)
        self.restore_view()

    def check_finite(self) -> None:
        """Raise Diverged, naming the tensor, if the weights, the newest head or its rest have NaN or infinity."""
        head = {f"head of task {self.tasks}: {name}": t for name, t in self.heads[-1].state_dict().items()}
        for name, tensor in {**self.weights, **self.rest_of(self.tasks), **head}.items():
            if not pruning.is_finite(tensor):
                raise Diverged(f"{name} has values that are NaN or infinite; try a smaller --lr")

    # -- one task at a time -------------------------------------------------------------------------------------

    def model_of(self, task: int) -> nn.Module:
        """A separate model that is the network as a task (index from 1) sees it, in evaluation mode (§3).

        Nothing in the network changes, so several threads may call this, and use the models, at the same time. The
        newest task uses every weight that is not free, so its model shares the network's weights. The model of an
        earlier task has masked copies, which the network keeps for the next call if `ready_bytes` allows.
        """
        size = sum(weight.nbytes for weight in self.weights.values())
        masked = ((name, owners.masked(w.data, self.owners[name], task)) for name, w in self.weights.items())
        return self._model_with(dict(self._views.get(task, size, masked)) if task < self.tasks else {}, task)

    @contextmanager
    def viewing(self, task: int) -> Iterator[nn.Module]:
        """A context with `model_of(task)`."""
        yield self.model_of(task)

    @torch.inference_mode()
    def answer(self, images: Tensor, tasks: Sequence[int] | Tensor) -> list[Tensor]:
        """The logits of images of several tasks: one float32 tensor [classes] per image, by its own task's head.

        `images` is N×C×S×S float32, as the network takes them, `tasks` the N indices of their tasks, from 1. Images are
        grouped by task, so that each task's model is made once. Raises RequestError for an index without a task.

        network.answer(images, [1, 2, 1])    # tensors of 10, 3 and 10 logits
        """
        wanted = torch.as_tensor(tasks)
        if wanted.shape != images.shape[:1] or not bool(((wanted >= 1) & (wanted <= self.tasks)).all()):
            raise RequestError(f"each of the {len(images)} images needs a task from 1 to {self.tasks}, and has {tasks}")
        answers: list[Tensor] = [images] * len(images)  # all are replaced
        for task in wanted.unique().tolist():
            rows = (wanted == task).nonzero().flatten()
            model = self.model_of(task)
            for row, logits in zip(rows.tolist(), model(images[rows.to(images.device)]), strict=True):
                answers[row] = logits
        return answers

    @contextmanager
    def previewing(self, ratios: dict[str, float]) -> Iterator[nn.Module]:
        """A context with a separate model: the network as the open task would see it right after `prune(ratios)`.

        In evaluation mode, on a copy of the weights. Raises Diverged if a weight is NaN or infinite.
        """
        pruned = {}
        for name, ratio in ratios.items():
            pruned[name], owner = self.weights[name].data.clone(), self.owners[name].clone()
            threshold = pruning.find_threshold(pruned[name], owner, self.open, ratio, name)
            pruning.free_below(pruned[name], owner, self.open, threshold)
        yield self._model_with(pruned, self.tasks)

    def _model_with(self, values: Mapping[str, Tensor], task: int) -> nn.Module:
        """A separate model with these weights (else the network's own) and a task's rest and head."""
        weights = [(weight, values.get(name, weight.data)) for name, weight in self.weights.items()]
        rest = [(self._model_rest[name], tensor) for name, tensor in self.rest_of(task).items()]
        return separate_model(self.model, [*weights, *rest], self.head, self._head(task))

    def train_mode(self, only: Container[str] | None = None) -> list[nn.Parameter]:
        """Prepare the model to train the open task. Returns the parameters to train besides the prunable weights.

        These are the task's head, and for the first task the shared rest, unless `only` some layers are trained (§5.4);
        for a later task its own tensors that replace shared ones. All else is frozen and gets no gradient, including
        running statistics (§3) and layers in which the task owns no weight. Dropout is active.
        """
        self.model.train()
        self.model.requires_grad_(False)
        rest = self.trained_rest(only)
        trained = list(self.heads[self.open - 1].parameters())[: 1 + self.head_bias]  # the weight, then the bias
        trained += [t for name, t in self._model_rest.items() if name in rest and isinstance(t, nn.Parameter)]
        layers.freeze_statistics(self.model, rest)
        self._frozen = FrozenBuffers(self.model, but=rest)
        for name, weight in self.weights.items():
            weight.requires_grad_((only is None or name in only) and owners.contains(self.owners[name], self.open))
        for parameter in trained:
            parameter.requires_grad_(True)
        return trained

    def restore_buffers(self) -> None:
        """Give frozen buffers that a training step has changed their values again (law 1).

        Raises RequestError if a module has replaced one.
        """
        self._frozen.restore()

    def trained_rest(self, only: Container[str] | None = None) -> dict[str, Tensor]:
        """The tensors of the rest that training the open task changes, by name: parameters and running statistics."""
        return self.rest if self.open == 1 and only is None else self.own[self.open - 1]

    def restore_view(self) -> None:
        """Put the newest task's rest and head into the model."""
        for name, tensor in self.rest_of(self.tasks).items():
            self._model_rest[name].data = tensor
        self.model.set_submodule(self.head, self._head(self.tasks))

    def rest_of(self, task: int) -> dict[str, Tensor]:
        """The rest of a task by name: the shared tensors, but its own in their places. For task 0, the shared ones."""
        return {**self.rest, **self.own[task - 1]} if task else self.rest

    def _head(self, task: int) -> nn.Linear:
        """A task's head; without a task, a placeholder."""
        return self.heads[task - 1] if task else nn.Linear(self.features, 1).to(self.device)

    # -- facts --------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, list[int]]:
        """How many weights each task owns, by layer name; the first entry is task 1."""
        return {name: owners.counts(owner, self.tasks) for name, owner in self.owners.items()}

    def weights_digest(self, task: int) -> str:
        """Hex digest of the weights that a task (from 1) owns."""
        return digests.weights_digest(((n, w.data, self.owners[n]) for n, w in self.weights.items()), task)

    def task_digest(self, task: int, weights_digests: list[str]) -> str:
        """Digest of all that a task (from 1) uses, `sha256:` and hex.

        `weights_digests` are those of tasks 1, 2, … up to the task or beyond.
        """
        rest = digests.tensors_digest(self.rest_of(task))
        head = digests.tensors_digest(self.heads[task - 1].state_dict())
        return digests.task_digest(weights_digests[:task], rest, head)
