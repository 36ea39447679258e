"""Evaluation of one task: its test error, its validation error, and a preview of its error after pruning.

`evaluate` and `preview` are generators of events. No function here changes the network.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from packnet_core.data.images import Images
from packnet_core.errors import RequestError
from packnet_core.network.packed import PackedNetwork
from packnet_core.schema.document import Error
from packnet_core.schema.events import Evaluated, Event, Previewed, Progress

BATCH = 256
Forward = Callable[[Tensor], Tensor]  # images (N×C×S×S) to a task's logits (N×classes)


class Evaluable(Protocol):
    """What evaluation needs of a network with several tasks: a PackedNetwork, or a baseline's own class."""

    open: int  # index of the open task, from 1

    @property
    def heads(self) -> Sequence[nn.Linear]:
        """One linear layer per task."""

    @property
    def device(self) -> torch.device:
        """The device of its tensors."""

    def viewing(self, task: int) -> AbstractContextManager[Forward]:
        """A context with the network as a task (index from 1) sees it, in evaluation mode."""


@dataclass
class Sums:
    """Sums over images: their losses and wrong answers."""

    images: int = 0
    loss: float = 0.0
    wrong: int = 0

    def add(self, images: int, loss: float, wrong: int) -> None:
        """Add a batch: its number of images, mean loss and wrong answers."""
        self.images += images
        self.loss += loss * images
        self.wrong += wrong

    @property
    def mean_loss(self) -> float:
        """The mean loss per image."""
        return self.loss / max(self.images, 1)

    @property
    def error(self) -> float:
        """The top-1 error in percent."""
        return 100 * self.wrong / max(self.images, 1)


def evaluate(network: Evaluable, index: int, task: str, images: Images) -> Iterator[Event]:
    """Measure the error of a task (index from 1) on images: a Progress per batch, then Evaluated.

    If the images are only some of a set, Evaluated says of how many. With five classes or fewer there is no top-5
    error. The network stays as it was.
    """
    begun = time.monotonic()
    sums, wrong5 = Sums(), 0
    classes = network.heads[index - 1].out_features
    with network.viewing(index) as model:
        for batch, labels in images.batches(BATCH, network.device):
            if not len(labels):  # all were damaged, and left out
                continue
            logits, loss = _logits_and_loss(model, batch, labels)
            best = logits.topk(min(5, classes), dim=1).indices == labels[:, None]
            value, wrong, none_of_five = scalars(loss, (~best[:, 0]).sum(), (~best.any(1)).sum())
            sums.add(len(labels), value, int(wrong))
            wrong5 += int(none_of_five)
            yield Progress(task=task, done=sums.images, images=len(images))
    if not sums.images:
        raise RequestError(f"no test image of {task!r} can be read")
    top5 = 100 * wrong5 / sums.images if classes > 5 else None
    error = Error(top1=sums.error, top5=top5, images=sums.images)
    seconds = time.monotonic() - begun
    yield Evaluated(task=task, error=error, loss=sums.mean_loss, seconds=seconds, of=images.of)


def preview(network: PackedNetwork, task: str, ratio: float, images: Images) -> Iterator[Event]:
    """Measure the open task's error right after pruning every layer at a ratio (0 to 1; Figure 4).

    Yields a Progress per batch, then Previewed. The network stays as it was. Raises Diverged if a weight is NaN or
    infinite.
    """
    sums = Sums()
    with network.previewing(dict.fromkeys(network.weights, ratio)) as model:
        for sums in _running_sums(model, images, network.device):
            yield Progress(task=task, done=sums.images, images=len(images))
    yield Previewed(task=task, ratio=ratio, error=sums.error, images=sums.images)


def validate(network: Evaluable, images: Images) -> tuple[float | None, float | None]:
    """The open task's mean loss and error in percent on a validation split; None for an empty one."""
    if not len(images):
        return None, None
    with network.viewing(network.open) as model:
        *_, sums = Sums(), *_running_sums(model, images, network.device)
    return (sums.mean_loss, sums.error) if sums.images else (None, None)


def scalars(*values: Tensor) -> list[float]:
    """The values of scalar tensors; waits for the device once."""
    found: list[float] = torch.stack([value.double() for value in values]).tolist()
    return found


def _running_sums(model: Forward, images: Images, device: torch.device) -> Iterator[Sums]:
    """The sums over all images so far, after each batch."""
    sums = Sums()
    for batch, labels in images.batches(BATCH, device):
        if not len(labels):
            continue
        logits, loss = _logits_and_loss(model, batch, labels)
        value, wrong = scalars(loss, (logits.argmax(1) != labels).sum())
        sums.add(len(labels), value, int(wrong))
        yield sums


@torch.inference_mode()
def _logits_and_loss(model: Forward, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    logits = model(images)
    return logits, F.cross_entropy(logits, labels)
