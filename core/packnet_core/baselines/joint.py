"""Joint Training (§4): one network trained on all tasks at once, each step on the same number of images per task."""

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn import functional as F

from packnet_core.baselines.multi_head import MultiHeadNetwork, NewTask, run_training
from packnet_core.data.images import Images
from packnet_core.data.loading import TaskData
from packnet_core.network.packed import PackedNetwork
from packnet_core.schema.events import Event
from packnet_core.schema.recipes import Recipe
from packnet_core.training.evaluate import validate
from packnet_core.training.run import TrainingRun


def joint(start: MultiHeadNetwork, first: TaskData, tasks: Sequence[NewTask], recipe: Recipe) -> Iterator[Event]:
    """Train a copy of `start` on its first task and all others together; then yield an Evaluated for every task.

    `first` is the data of the task that the network starts with. Each step takes the same number of images of every
    task, so smaller data sets are repeated; an epoch has as many images as all training sets together. `recipe` is used
    for all tasks; its batch size is raised to one image per task if it is smaller.
    """
    network = start.copy()
    for task in tasks:
        network.open_task(task)
    data = [first, *(task.data for task in tasks)]
    run = JointTrainingRun(network, data, replace(recipe, batch_size=max(recipe.batch_size, len(data))))
    yield from run_training(run)
    run.split_head()
    yield from network.evaluate()


class JointTrainingRun(TrainingRun):
    """A training run on several tasks, with their heads joined to one layer.

    The loss and the error of an image are those of its own task's classes.
    """

    def __init__(self, joined: MultiHeadNetwork, data: Sequence[TaskData], recipe: Recipe):
        self.joined = joined
        self.validation_parts = [images.validation for images in data]
        sizes = [head.out_features for head in joined.heads]
        self.ends = torch.tensor(sizes).cumsum(0)
        self.task_of = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))  # of each class
        head = nn.Linear(joined.heads[0].in_features, sum(sizes))
        with torch.no_grad():
            head.weight.copy_(torch.cat([head.weight for head in joined.heads]))
            head.bias.copy_(torch.cat([head.bias for head in joined.heads]))
        self.packed = PackedNetwork(joined.model, joined.head)
        self.packed.open_task(sum(sizes), head=head)
        train = JointImages([images.train for images in data], [0, *self.ends.tolist()[:-1]])
        super().__init__(self.packed, "all", "train", recipe, train, self.validation_parts[0], objective=self.answer)

    def answer(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The mean cross entropy, and the logits, N×classes of all tasks, -inf for classes of other tasks."""
        task_of = self.task_of.to(labels.device)
        others = task_of[None, :] != task_of[labels][:, None]
        logits = self.network.model(images).float().masked_fill(others, -torch.inf)
        smoothing = self.recipe.label_smoothing
        if not smoothing:
            return F.cross_entropy(logits, labels), logits
        own = F.log_softmax(logits, 1).masked_fill(others, 0.0).sum(1) / (~others).sum(1)
        return (1 - smoothing) * F.cross_entropy(logits, labels) - smoothing * own.mean(), logits

    def validate(self) -> tuple[float | None, float | None]:
        """Loss and error in percent, each the mean over the tasks; None if a task has no validation images."""
        self.split_head()
        found = [validate(self.joined.with_head(i), images) for i, images in enumerate(self.validation_parts, 1)]
        self.packed.restore_view()
        losses, errors = zip(*found, strict=True)
        return (None, None) if None in errors else (sum(losses) / len(losses), sum(errors) / len(errors))

    def split_head(self) -> None:
        """Copy the joined head's rows back to the tasks' own heads."""
        head, begin = self.network.heads[0], 0
        with torch.no_grad():
            for own, end in zip(self.joined.heads, self.ends.tolist(), strict=True):
                own.weight.copy_(head.weight[begin:end])
                own.bias.copy_(head.bias[begin:end])
                begin = end


class JointImages(Images):
    """Images of several tasks, the same number of each in a batch; labels are offset, so that tasks share no label.

    `offsets` has the first label of each task. If the number of tasks does not divide the batch size, batches are
    smaller by the remainder.
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
        """Yield batches of at most `size` images, as `Images.batches` does; an epoch has as many as all tasks' data."""
        share = size // len(self.parts)
        generator = generator or torch.Generator().manual_seed(0)
        streams = [_endless(part, share, device, generator, augment) for part in self.parts]
        whole, left = divmod(len(self), size)  # as many steps as the training run counts
        for batches in islice(zip(*streams, strict=True), start, max(whole + (left > 1), 1)):
            images = torch.cat([images for images, _ in batches])
            yield images, torch.cat([labels + at for (_, labels), at in zip(batches, self.offsets, strict=True)])


def _endless(
    images: Images, share: int, device: torch.device | str, generator: torch.Generator, augment: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of exactly `share` images without end: pass after pass, each in a new order."""
    while True:
        for batch, labels in images.batches(min(share, len(images)), device, generator=generator, augment=augment):
            if len(labels) == min(share, len(images)):
                yield batch, labels
