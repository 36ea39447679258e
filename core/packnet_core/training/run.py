"""Training and evaluation, as generators of events: whoever listens decides what to show, keep or stop.

A `TrainingRun` is one phase (training, or retraining after pruning) of the open task. It can be stopped after any step,
and resumed later from its state, to the same bits.
"""

import math
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from packnet_core.data.images import Images
from packnet_core.errors import Diverged
from packnet_core.network.packed import PackedNetwork
from packnet_core.schema.document import Error
from packnet_core.schema.events import Epoch, Evaluated, Event, Note, Previewed, Progress, TrainStep
from packnet_core.schema.recipes import Recipe
from packnet_core.training.best_epoch import BestEpoch, Measured
from packnet_core.training.guarded_optimizer import GuardedOptimizer
from packnet_core.training.learning_rate import rate
from packnet_core.training.loss_scaling import BEGIN, Scaling

EVALUATION_BATCH = 256
Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # a batch's loss and logits, of its images and labels
Answer = Callable[[Tensor], Tensor]  # a task's logits, of images
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Trainable(Protocol):
    """What training and evaluation need of a network with owners: a PackedNetwork, or a baseline's own kind."""

    model: nn.Module
    weights: dict[str, nn.Parameter]  # with owners: only those of the open task may move
    owners: dict[str, Tensor]
    open: int

    @property
    def heads(self) -> Sequence[nn.Linear]: ...
    @property
    def device(self) -> torch.device: ...
    def train_mode(self, only: Container[str] | None = None) -> list[nn.Parameter]: ...
    def trained_rest(self, only: Container[str] | None = None) -> dict[str, Tensor]: ...
    def viewing(self, task: int) -> AbstractContextManager[Answer]: ...
    def end_phase(self, dense: bool = False) -> None: ...


@dataclass
class Sums:
    """Loss and wrong answers of an epoch so far, weighted by images."""

    images: int = 0
    loss: float = 0.0
    wrong: int = 0

    def add(self, images: int, loss: float, wrong: int) -> None:
        self.images += images
        self.loss += loss * images
        self.wrong += wrong

    @property
    def mean_loss(self) -> float:
        return self.loss / max(self.images, 1)

    @property
    def error(self) -> float:
        return 100 * self.wrong / max(self.images, 1)


@dataclass
class TrainingRun:
    """One phase of training the open task. `events` does the work; the fields say how far it is."""

    network: Trainable
    task: str
    phase: Literal["train", "retrain"]
    recipe: Recipe
    train: Images
    validation: Images
    only: frozenset[str] | None = None  # the layers that are trained; None: all
    objective: Objective | None = None  # what is minimised; None: the cross entropy of the open task's answers
    extra: Sequence[nn.Parameter] = ()  # trained besides the open task's own: other tasks' heads
    keep: Path | None = None  # where the best epoch so far is kept; None: a temporary file
    later_steps: int = 0  # of the job's phases after this one: the time left is for the whole job
    epoch: int = 1  # the epoch under way, from 1
    step: int = 0  # steps done in it
    sums: Sums = field(default_factory=Sums)
    picked: int | None = field(default=None, init=False)  # at the end: the epoch that the network is as it was after

    def __post_init__(self) -> None:
        network = self.network
        others = [*network.train_mode(self.only), *self.extra]
        chosen = [name for name in network.weights if self.only is None or name in self.only]
        pairs = [(network.weights[name], network.owners[name]) for name in chosen]
        self.optimizer = GuardedOptimizer(self._make, pairs, others, network.open)
        self.scaling = Scaling(BEGIN if self.recipe.precision == "fp16" else 1.0)
        self.best = BestEpoch(self._trained(chosen), self.keep)
        self._steps_done = 0
        self._time = 0.0  # spent in this process on this phase, validation too

    @property
    def epochs(self) -> int:
        return self.recipe.epochs if self.phase == "train" else self.recipe.retraining_epochs

    @property
    def steps_an_epoch(self) -> int:
        """A last batch of a single image is left out: batch normalisation has no variance of one value."""
        whole, left = divmod(len(self.train), self.recipe.batch_size)
        return max(whole + (left > 1), 1)

    @property
    def lr(self) -> float:
        """The learning rate of the step under way."""
        done = (self.epoch - 1) * self.steps_an_epoch + self.step
        return rate(self.recipe, self.phase, done, self.steps_an_epoch)

    def events(self) -> Iterator[Event]:
        """Train from where the run is to its end: a TrainStep each step, an Epoch each epoch.

        At the end the network is put back to its best epoch by validation error, unless the recipe picks the last or
        there are no validation images; a Note says so where that is not the last. Raises Diverged where the loss is no
        longer finite.
        """
        network = self.network
        while self.epoch <= self.epochs:
            begun = time.monotonic()
            network.train_mode(self.only)
            if self.step == 0:
                self.sums = Sums()
                torch.manual_seed(self._seed())  # dropout, flips and crops
            order = torch.Generator().manual_seed(self._seed())
            for images, labels in self.train.batches(
                self.recipe.batch_size, network.device, generator=order, augment=True, start=self.step
            ):
                if len(labels) == 1 and self.steps_an_epoch == self.step:
                    break
                yield self._train_step(images, labels, begun)
            ended = self._end_epoch(begun)
            self._time += time.monotonic() - begun
            self.epoch, self.step = self.epoch + 1, 0  # before anybody can stop here
            yield ended
        self.picked = self.best.put_back(self.epochs)
        if self.picked != self.epochs and self.best.found:
            error = self.best.found.error
            text = f"epoch {self.picked} of {self.epochs} is taken: {error:.2f} % of the validation images wrong"
            yield Note(text=text)

    def _train_step(self, images: Tensor, labels: Tensor, begun: float) -> TrainStep:
        self.optimizer.zero_grad()
        lr = self.lr
        self.optimizer.set_lr(lr)
        loss, logits = self._forward(images, labels)
        with nullcontext() if self._by_norm else self.optimizer.early():
            (loss * self.scaling.factor).backward()
        self._update()
        wrong = (logits.detach().argmax(1) != labels).sum()
        # the only wait for the device in a step, once all its work is on the way; a loss that is not finite is found
        # after its step, which does no harm: nothing of the phase is kept then
        value, missed = _numbers(loss.detach(), wrong)
        done = (self.epoch - 1) * self.steps_an_epoch + self.step + 1
        if not math.isfinite(value):
            raise Diverged(
                f"{self.phase}ing {self.task!r} diverged: the loss is {value} at step {done} (epoch {self.epoch}); "
                f"try a smaller learning rate than {lr:g}"
            )
        self.sums.add(len(labels), value, int(missed))
        self.step += 1
        self._steps_done += 1
        seconds = self._time + time.monotonic() - begun
        total = self.epochs * self.steps_an_epoch
        return TrainStep(
            task=self.task,
            epoch=self.epoch,
            step=done,
            steps=total,
            loss=value,
            error=100 * int(missed) / len(labels),
            lr=lr,
            images_per_second=self._steps_done * self.recipe.batch_size / max(seconds, 1e-9),
            seconds_left=(total - done + self.later_steps) * seconds / self._steps_done,
        )

    def _forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and logits, in the recipe's precision."""
        recipe, device = self.recipe, self.network.device
        objective = self.objective or self._cross_entropy
        if recipe.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        lower = recipe.precision != "float32"
        with torch.autocast(device.type, dtype=PRECISIONS[recipe.precision], enabled=lower):
            return objective(images, labels)

    def _cross_entropy(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network.model(images)
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing), logits

    @property
    def _by_norm(self) -> bool:
        """Does a step depend on the norm of all gradients?"""
        return self.recipe.clip is not None or self.recipe.precision == "fp16"

    def _update(self) -> None:
        """Step on the gradients: unscaled, and clipped to a norm. Left out where half precision has overflowed."""
        recipe, factor = self.recipe, 1 / self.scaling.factor
        if self._by_norm:
            norm = self.optimizer.gradient_norm() * factor
            if recipe.precision == "fp16" and not math.isfinite(norm):
                self.scaling.back_off()
                return
            if recipe.clip is not None:
                factor *= min(1.0, recipe.clip / (norm + 1e-6))  # as torch.nn.utils.clip_grad_norm_
        self.optimizer.step(factor)
        self.scaling.grow()

    def _end_epoch(self, begun: float) -> Epoch:
        loss, error = self.validate()
        if self.recipe.pick == "best" and loss is not None and error is not None:
            self.best.offer(Measured(epoch=self.epoch, error=error, loss=loss), last=self.epoch == self.epochs)
        return Epoch(
            phase=self.phase,
            task=self.task,
            epoch=self.epoch,
            epochs=self.epochs,
            step=self.epoch * self.steps_an_epoch,
            loss=self.sums.mean_loss,
            error=self.sums.error,
            validation_loss=loss,
            validation_error=error,
            seconds=time.monotonic() - begun,
        )

    def validate(self) -> tuple[float | None, float | None]:
        """Loss, and error in percent, on the validation split; None where that is empty."""
        return validate(self.network, self.validation)

    def _trained(self, chosen: Sequence[str]) -> dict[str, Tensor]:
        """All that this run changes, by name."""
        network = self.network
        found: dict[str, Tensor] = {name: network.weights[name] for name in chosen}
        found |= network.trained_rest(self.only)
        found |= {f"packnet.head.{name}": p for name, p in network.heads[network.open - 1].named_parameters()}
        return found | {f"packnet.extra.{index}": parameter for index, parameter in enumerate(self.extra)}

    def _seed(self) -> int:
        """A seed of its own for each epoch of each phase, so that a run that goes on meets the same order."""
        return (self.recipe.seed * 2 + (self.phase == "retrain")) * 100_003 + self.epoch

    def _make(self, parameters: list[nn.Parameter]) -> Optimizer:
        recipe = self.recipe
        if recipe.optimizer == "adamw":
            return torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
        return torch.optim.SGD(
            parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True
        )

    # -- to be gone on with -------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Numbers and tensors from which `restore` goes on, besides the network itself."""
        numbers = {"epoch": self.epoch, "step": self.step, "sums": [self.sums.images, self.sums.loss, self.sums.wrong]}
        numbers["best"] = msgspec.to_builtins(self.best.found)
        numbers["scaling"] = [self.scaling.factor, self.scaling.good]
        tensors = {f"optimizer.{name}": value for name, value in self.optimizer.state().items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if self.network.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.network.device)
        return numbers, tensors

    def restore(self, numbers: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.epoch, self.step = numbers["epoch"], numbers["step"]
        self.sums = Sums(*numbers["sums"])
        self.scaling = Scaling(*numbers["scaling"])
        self.best.restore(msgspec.convert(numbers.get("best"), Measured | None), self.epochs)
        self.optimizer.restore(
            {name.removeprefix("optimizer."): t for name, t in tensors.items() if name.startswith("optimizer.")}
        )
        if self.step:
            torch.set_rng_state(tensors["random.cpu"])
            if "random.cuda" in tensors and self.network.device.type == "cuda":
                torch.cuda.set_rng_state(tensors["random.cuda"], self.network.device)


def evaluate(network: Trainable, index: int, task: str, images: Images) -> Iterator[Event]:
    """Measure a task's test error: a Progress each batch, then Evaluated. The network stays as it was (law 4)."""
    begun = time.monotonic()
    sums, wrong5 = Sums(), 0
    classes = network.heads[index - 1].out_features
    with network.viewing(index) as model:
        for batch, labels in images.batches(EVALUATION_BATCH, network.device):
            logits, loss = _answer(model, batch, labels)
            best = logits.topk(min(5, classes), dim=1).indices == labels[:, None]
            value, wrong, none_of_five = _numbers(loss, (~best[:, 0]).sum(), (~best.any(1)).sum())
            sums.add(len(labels), value, int(wrong))
            wrong5 += int(none_of_five)
            yield Progress(task=task, done=sums.images, images=len(images))
    top5 = 100 * wrong5 / sums.images if classes > 5 else None
    error = Error(top1=sums.error, top5=top5, images=sums.images)
    yield Evaluated(task=task, error=error, loss=sums.mean_loss, seconds=time.monotonic() - begun)


def preview(network: PackedNetwork, task: str, ratio: float, images: Images) -> Iterator[Event]:
    """Measure the open task's error right after pruning at a ratio (Figure 4): a Progress each batch, then Previewed.

    The network stays as it was (law 4). Raises Diverged where a weight is NaN or infinite.
    """
    sums = Sums()
    with network.previewing(dict.fromkeys(network.weights, ratio)) as model:
        for sums in _measured(model, images, network.device):
            yield Progress(task=task, done=sums.images, images=len(images))
    yield Previewed(task=task, ratio=ratio, error=sums.error, images=sums.images)


def validate(network: Trainable, images: Images) -> tuple[float | None, float | None]:
    """Loss and error in percent of the open task on the validation split; None for an empty split."""
    if not len(images):
        return None, None
    with network.viewing(network.open) as model:
        *_, sums = _measured(model, images, network.device)
    return sums.mean_loss, sums.error


def _measured(model: Answer, images: Images, device: torch.device) -> Iterator[Sums]:
    """Loss and wrong answers of all images so far, after each batch."""
    sums = Sums()
    for batch, labels in images.batches(EVALUATION_BATCH, device):
        logits, loss = _answer(model, batch, labels)
        value, wrong = _numbers(loss, (logits.argmax(1) != labels).sum())
        sums.add(len(labels), value, int(wrong))
        yield sums


def _numbers(*values: Tensor) -> list[float]:
    """The values of tensors without dimensions, waiting for the device once."""
    found: list[float] = torch.stack([value.double() for value in values]).tolist()
    return found


@torch.inference_mode()
def _answer(model: Answer, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    logits = model(images)
    return logits, F.cross_entropy(logits, labels)
