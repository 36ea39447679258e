"""A network that several tasks use with a head each, and that protects nothing: what all baselines train."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from packnet_core.data.images import Images
from packnet_core.data.loading import TaskData
from packnet_core.network.packed import PackedNetwork
from packnet_core.packfile import storage
from packnet_core.schema.events import Event
from packnet_core.schema.recipes import Recipe
from packnet_core.training.run import TrainingRun, evaluate


@dataclass(frozen=True)
class TaskOf:
    """A task to add: its name, its data, and how it is trained."""

    name: str
    data: TaskData
    recipe: Recipe


@dataclass
class Shared:
    """A network, the name of the module in it that heads take the place of, and its tasks so far.

    `names`, `heads` and `tests` (the test images) have one entry a task. Device and values are the model's own.
    """

    model: nn.Module
    head: str
    names: list[str] = field(default_factory=list)
    heads: list[nn.Linear] = field(default_factory=list)
    tests: list[Images] = field(default_factory=list)

    def copy(self) -> "Shared":
        """The same with tensors of its own."""
        return Shared(*copy.deepcopy((self.model, self.head, self.names, self.heads)), list(self.tests))

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def open(self, task: TaskOf) -> PackedNetwork:
        """Add a task with a new head, drawn by the recipe's seed; all that it uses may be trained (see `using`)."""
        network = PackedNetwork(self.model, self.head)
        generator = torch.Generator().manual_seed(task.recipe.seed)
        network.open_task(len(task.data.classes), generator=generator)
        self.names.append(task.name)
        self.heads.append(network.heads[0])
        self.tests.append(task.data.test)
        return network

    def using(self, index: int) -> PackedNetwork:
        """The network with the head of a task (from 1), as if it were its only one; nothing is copied."""
        head = self.heads[index - 1]
        self.model.set_submodule(self.head, head)
        network = PackedNetwork(self.model, self.head)
        network.open_task(head.out_features, head=head)
        return network

    def measure(self) -> Iterator[Event]:
        """The test error of every task so far."""
        for index, (name, images) in enumerate(zip(self.names, self.tests, strict=True), 1):
            yield from evaluate(self.using(index), 1, name, images)

    def features(self, images: Tensor) -> Tensor:
        """What the heads receive, N × features, by whatever head is in place."""
        caught: list[Tensor] = []
        hook = self.model.get_submodule(self.head).register_forward_pre_hook(lambda _, given: caught.append(given[0]))
        try:
            self.model(images)
        finally:
            hook.remove()
        return caught[0]


def first_network(path: str | Path, tests: Images, device: torch.device | str = "cpu") -> Shared:
    """The first task's network of a pack file, as that task uses it, with its test images; the file is only read.

    Where the first task has been pruned, so is this network: its free weights are 0.0. Raises FileError.
    """
    network, document = storage.load(path)
    with network.viewing(1) as model:
        own = copy.deepcopy(model).to(device)
    head = own.get_submodule(network.head)
    assert isinstance(head, nn.Linear)
    return Shared(own, network.head, [document.tasks[0].name], [head], [tests])


def trained(run: TrainingRun) -> Iterator[Event]:
    """A run's events, and its parameters as they are to be used afterwards."""
    yield from run.events()
    run.network.end_phase(dense=True)
