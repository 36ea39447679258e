"""Joint Training (§4): all tasks at once in one network, each step on as many images of one task as of another."""

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn import functional as F

from packnet_core.baselines.shared import Shared, TaskOf, trained
from packnet_core.data.images import Images
from packnet_core.data.loading import TaskData
from packnet_core.network.packed import PackedNetwork
from packnet_core.schema.events import Event
from packnet_core.schema.recipes import Recipe
from packnet_core.training.run import TrainingRun, validate


def joint(start: Shared, first: TaskData, tasks: Sequence[TaskOf], recipe: Recipe) -> Iterator[Event]:
    """Train a copy of the network on its first task and all others together; then every task's test error.

    `first` is the data of the task that the network begins with. Each step takes the same number of images of every
    task, so that smaller sets are gone through more often; an epoch has as many images as all training sets have.
    The recipe is one for all: its batch is raised to one image a task where it is smaller.
    """
    shared = start.copy()
    for task in tasks:
        shared.open(task)
    data = [first, *(task.data for task in tasks)]
    run = JointTrainingRun(shared, data, replace(recipe, batch_size=max(recipe.batch_size, len(data))))
    yield from trained(run)
    run.divide()
    yield from shared.measure()


class JointTrainingRun(TrainingRun):
    """A run on several tasks: their heads are one layer, in which each image is answered by its own task's part."""

    def __init__(self, shared: Shared, data: Sequence[TaskData], recipe: Recipe):
        self.shared = shared
        self.parts = [images.validation for images in data]
        sizes = [head.out_features for head in shared.heads]
        self.ends = torch.tensor(sizes).cumsum(0)
        self.task_of = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))  # of each class
        head = nn.Linear(shared.heads[0].in_features, sum(sizes))
        with torch.no_grad():
            head.weight.copy_(torch.cat([head.weight for head in shared.heads]))
            head.bias.copy_(torch.cat([head.bias for head in shared.heads]))
        self.packed = PackedNetwork(shared.model, shared.head)
        self.packed.open_task(sum(sizes), head=head)
        mixed = Mixed([images.train for images in data], [0, *self.ends.tolist()[:-1]])
        super().__init__(self.packed, "all", "train", recipe, mixed, self.parts[0], objective=self.answer)

    def answer(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The mean cross entropy, and answers in which classes of other tasks are out of the question."""
        task_of = self.task_of.to(labels.device)
        others = task_of[None, :] != task_of[labels][:, None]
        logits = self.network.model(images).float().masked_fill(others, -torch.inf)
        smoothing = self.recipe.label_smoothing
        if not smoothing:
            return F.cross_entropy(logits, labels), logits
        own = F.log_softmax(logits, 1).masked_fill(others, 0.0).sum(1) / (~others).sum(1)
        return (1 - smoothing) * F.cross_entropy(logits, labels) - smoothing * own.mean(), logits

    def validate(self) -> tuple[float | None, float | None]:
        """The mean over the tasks."""
        self.divide()
        found = [validate(self.shared.using(index), images) for index, images in enumerate(self.parts, 1)]
        self.packed.restore_view()
        losses, errors = zip(*found, strict=True)
        return (None, None) if None in errors else (sum(losses) / len(losses), sum(errors) / len(errors))

    def divide(self) -> None:
        """Give each task its part of the common head."""
        common, begin = self.network.heads[0], 0
        with torch.no_grad():
            for head, end in zip(self.shared.heads, self.ends.tolist(), strict=True):
                head.weight.copy_(common.weight[begin:end])
                head.bias.copy_(common.bias[begin:end])
                begin = end


class Mixed(Images):
    """Images of several tasks, the same number of each in a batch; labels count on from task to task.

    `offsets` has the first label of each task. A batch of a size that the tasks do not divide is that much smaller.
    """

    def __init__(self, parts: Sequence[Images], offsets: Sequence[int]):
        self.parts, self.offsets = parts, offsets
        self.labels = torch.cat([part.labels + offset for part, offset in zip(parts, offsets, strict=True)])

    def batches(
        self,
        size: int,
        device: torch.device | str,
        *,
        generator: torch.Generator | None = None,
        augment: bool = False,
        start: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        share = size // len(self.parts)
        generator = generator or torch.Generator().manual_seed(0)
        streams = [_endless(part, share, device, generator, augment) for part in self.parts]
        whole, left = divmod(len(self), size)  # steps as `TrainingRun.steps_an_epoch` has them
        for batches in islice(zip(*streams, strict=True), start, max(whole + (left > 1), 1)):
            images = torch.cat([images for images, _ in batches])
            yield images, torch.cat([labels + at for (_, labels), at in zip(batches, self.offsets, strict=True)])


def _endless(
    images: Images, share: int, device: torch.device | str, generator: torch.Generator, augment: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Passes over a task's images without end, each in an order of its own, in batches of just `share`."""
    while True:
        for batch, labels in images.batches(min(share, len(images)), device, generator=generator, augment=augment):
            if len(labels) == min(share, len(images)):
                yield batch, labels
