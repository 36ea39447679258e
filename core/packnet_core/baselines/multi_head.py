"""A multi-head network, which all baselines train: tasks share all weights and have one head each."""

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
from packnet_core.training.evaluate import evaluate
from packnet_core.training.run import TrainingRun


@dataclass(frozen=True)
class NewTask:
    """A task to add: its name, its data, and the recipe that it is trained with."""

    name: str
    data: TaskData
    recipe: Recipe


@dataclass
class MultiHeadNetwork:
    """A model, the name of its head's module, and its tasks so far: their names, heads and test images.

    The model has one of the heads in place.
    """

    model: nn.Module
    head: str
    names: list[str] = field(default_factory=list)
    heads: list[nn.Linear] = field(default_factory=list)
    tests: list[Images] = field(default_factory=list)

    def copy(self) -> "MultiHeadNetwork":
        """A copy with its own tensors; test images are shared."""
        return MultiHeadNetwork(*copy.deepcopy((self.model, self.head, self.names, self.heads)), list(self.tests))

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.model.parameters()).device

    def open_task(self, task: NewTask) -> PackedNetwork:
        """Add a task with a new head, drawn by the recipe's seed.

        Returns the network with that head, as `with_head` does, for training all of it.
        """
        network = PackedNetwork(self.model, self.head)
        generator = torch.Generator().manual_seed(task.recipe.seed)
        network.open_task(len(task.data.classes), generator=generator)
        self.names.append(task.name)
        self.heads.append(network.heads[0])
        self.tests.append(task.data.test)
        return network

    def with_head(self, index: int) -> PackedNetwork:
        """The network with the head of a task (from 1) in place, as a network of this task only; nothing is copied."""
        head = self.heads[index - 1]
        self.model.set_submodule(self.head, head)
        network = PackedNetwork(self.model, self.head)
        network.open_task(head.out_features, head=head)
        return network

    def evaluate(self) -> Iterator[Event]:
        """Yield an Evaluated, the test error, for every task so far."""
        for index, (name, images) in enumerate(zip(self.names, self.tests, strict=True), 1):
            yield from evaluate(self.with_head(index), 1, name, images)

    def features(self, images: Tensor) -> Tensor:
        """The features of images, N×features: the input of the head that is in place."""
        caught: list[Tensor] = []
        hook = self.model.get_submodule(self.head).register_forward_pre_hook(lambda _, given: caught.append(given[0]))
        try:
            self.model(images)
        finally:
            hook.remove()
        return caught[0]


def first_network(path: str | Path, tests: Images, device: torch.device | str = "cpu") -> MultiHeadNetwork:
    """The first task's network of a pack file, on `device`, with the task's test images. The file is only read.

    If the first task has been pruned, so is this network: its free weights are 0.0. Raises FileError if the file is
    not a valid pack file.

        start = first_network("model.safetensors", data.test, "cuda")
        events = list(individual(start, NewTask("birds", birds, Recipe())))
    """
    network, document = storage.load(path)
    with network.viewing(1) as model:
        own = copy.deepcopy(model).to(device)
    head = own.get_submodule(network.head)
    assert isinstance(head, nn.Linear)
    return MultiHeadNetwork(own, network.head, [document.tasks[0].name], [head], [tests])


def run_training(run: TrainingRun) -> Iterator[Event]:
    """Yield a training run's events, then end the phase, so that the network has its final values."""
    yield from run.events()
    run.network.end_phase(dense=True)
