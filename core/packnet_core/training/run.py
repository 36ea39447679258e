"""The training loop, as a generator of events. The caller decides what to show and save, and when to stop.

A `TrainingRun` is one phase (training, or retraining after pruning) of the open task. It can be stopped after any step,
and resumed later from its state, to the same bits.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
import torch.nn.functional as F
from msgspec import Struct
from torch import Tensor, nn

from packnet_core.data.images import Images
from packnet_core.errors import DiskError, Diverged, FileError
from packnet_core.schema.events import Epoch, Event, Note, TrainStep
from packnet_core.schema.limits import Count, Positive
from packnet_core.schema.recipes import Recipe
from packnet_core.training.best_epoch import BestEpoch, ValidatedEpoch
from packnet_core.training.evaluate import Sums, scalars, validate
from packnet_core.training.guarded_optimizer import GuardedOptimizer
from packnet_core.training.learning_rate import rate
from packnet_core.training.loss_scaling import INITIAL_FACTOR, LossScaling
from packnet_core.training.optimizers import make_optimizer
from packnet_core.training.trainable import Objective, Trainable

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class _State(Struct):
    """The numbers of a run's state, as a checkpoint has them."""

    epoch: Positive
    step: Count
    sums: tuple[Count, float, Count]
    scaling: tuple[float, Count]
    best: ValidatedEpoch | None = None


@dataclass
class TrainingRun:
    """One phase of training the open task, by the recipe (§4). `events` does the work.

    `task` is the task's name, for events; `train` and `validation` are its images; `validation` may be empty.

    run = TrainingRun(network, "signs", "train", recipe, data.train, data.validation)
    for event in run.events(): print(event)
    """

    network: Trainable
    task: str
    phase: Literal["train", "retrain"]
    recipe: Recipe
    train: Images
    validation: Images
    only: frozenset[str] | None = None  # names of the layers to train (§5.4); None: all
    objective: Objective | None = None  # what to minimise; None: the open task's cross entropy
    extra: Sequence[nn.Parameter] = ()  # other parameters to train, such as other tasks' heads
    keep: Path | None = None  # the file for the best epoch so far; None: a temporary one
    later_steps: int = 0  # of the job's phases after this one, for its time left
    from_trained: bool = False  # the network has been trained for this task, so that it counts as epoch 0
    epoch: int = 1  # the current epoch, from 1
    step: int = 0  # steps done in the current epoch
    sums: Sums = field(default_factory=Sums)
    picked: int | None = field(default=None, init=False)  # at the end, the epoch whose result the network has

    def __post_init__(self) -> None:
        network = self.network
        others = [*network.train_mode(self.only), *self.extra]
        chosen = [name for name in network.weights if self.only is None or name in self.only]
        pairs = [(network.weights[name], network.owners[name]) for name in chosen]
        self.optimizer = GuardedOptimizer(partial(make_optimizer, self.recipe), pairs, others, network.open)
        self.scaling = LossScaling(INITIAL_FACTOR if self.recipe.precision == "fp16" else 1.0)
        self.best = BestEpoch(self._trained_tensors(chosen), self.keep)
        self._steps_done = 0
        self._time = 0.0  # seconds that this process spent on this phase, including validation

    @property
    def epochs(self) -> int:
        """The number of epochs of this phase."""
        return self.recipe.epochs if self.phase == "train" else self.recipe.retraining_epochs

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps per epoch. A last batch of one image is left out, as batch normalisation needs two."""
        whole, left = divmod(len(self.train), self.recipe.batch_size)
        return max(whole + (left > 1), 1)

    @property
    def lr(self) -> float:
        """The learning rate of the current step."""
        done = (self.epoch - 1) * self.steps_per_epoch + self.step
        return rate(self.recipe, self.phase, done, self.steps_per_epoch)

    def events(self) -> Iterator[Event]:
        """Train to the end of the phase. Yields a TrainStep per step and an Epoch per epoch.

        At the end the network gets the weights of its best epoch by validation error, unless the recipe picks the last
        or there are no validation images; epoch 0 is the network before the phase (see `from_trained`). A Note names
        that epoch if it is not the last. Raises Diverged if the loss is not finite.
        """
        network = self.network
        if self.from_trained and self.epoch == 1 and self.step == 0:
            *_, refused = self._offer(0)
            if refused:
                yield refused
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
                if len(labels) == 1 and self.steps_per_epoch == self.step:
                    break
                if len(labels) < min(2, len(self.train), self.recipe.batch_size):  # damaged images were left out
                    self.step += 1
                    continue
                yield self._train_step(images, labels, begun)
            ended, refused = self._end_epoch(begun)
            self._time += time.monotonic() - begun
            self.epoch, self.step = self.epoch + 1, 0  # before the caller can stop here
            yield ended
            if refused:
                yield refused
        self.picked = self.best.load_or_lose(self.epochs)
        if lost := self.best.lost:
            text = f"epoch {lost.epoch}, the best, was deleted; epoch {self.picked} is taken in its place"
            yield Note(text=text, level="warning")
        elif self.picked != self.epochs and self.best.found:
            wrong = f"{self.best.found.error:.2f} % of the validation images wrong"
            text = f"epoch {self.picked} of {self.epochs} is taken: {wrong}"
            if self.picked == 0:
                text = f"no epoch of this phase was better than the network before it, which is taken: {wrong}"
            yield Note(text=text)

    def _train_step(self, images: Tensor, labels: Tensor, begun: float) -> TrainStep:
        self.optimizer.zero_grad()
        lr = self.lr
        self.optimizer.set_lr(lr)
        loss, logits = self._forward(images, labels)
        with nullcontext() if self._needs_norm else self.optimizer.step_in_backward():
            (loss * self.scaling.factor).backward()
        self._update()
        self.network.restore_buffers()
        wrong = (logits.detach().argmax(1) != labels).sum()
        # The only wait for the device in a step, after all its work is queued. So a loss that is not finite is found
        # after its step; that does no harm, since nothing of the phase is saved then.
        value, missed = scalars(loss.detach(), wrong)
        done = (self.epoch - 1) * self.steps_per_epoch + self.step + 1
        if not math.isfinite(value):
            raise Diverged(
                f"{self.phase}ing {self.task!r} diverged: the loss is {value} at step {done} (epoch {self.epoch}); "
                f"try a smaller learning rate than {lr:g}, with --lr"
            )
        self.sums.add(len(labels), value, int(missed))
        self.step += 1
        self._steps_done += 1
        seconds = self._time + time.monotonic() - begun
        total = self.epochs * self.steps_per_epoch
        return TrainStep(
            task=self.task,
            epoch=self.epoch,
            epochs=self.epochs,
            step=done,
            steps=total,
            loss=value,
            error=100 * int(missed) / len(labels),
            lr=lr,
            images_per_second=self._steps_done * self.recipe.batch_size / max(seconds, 1e-9),
            seconds_left=(total - done + self.later_steps) * seconds / self._steps_done,
        )

    def _forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and logits, computed in the recipe's precision."""
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
    def _needs_norm(self) -> bool:
        """Whether a step depends on the norm of all gradients."""
        return self.recipe.clip is not None or self.recipe.precision == "fp16"

    def _update(self) -> None:
        """Step on the gradients, unscaled and clipped to a norm. Skip the step if half precision overflowed."""
        recipe, factor = self.recipe, 1 / self.scaling.factor
        if self._needs_norm:
            norm = self.optimizer.gradient_norm() * factor
            if recipe.precision == "fp16" and not math.isfinite(norm):
                self.scaling.back_off()
                return
            if recipe.clip is not None:
                factor *= min(1.0, recipe.clip / (norm + 1e-6))  # as torch.nn.utils.clip_grad_norm_
        self.optimizer.step(factor)
        self.scaling.grow()

    def _end_epoch(self, begun: float) -> tuple[Epoch, Note | None]:
        """Validate and offer the epoch as the best one. Returns its event, and a warning if it can't be kept."""
        loss, error, refused = self._offer(self.epoch)
        ended = Epoch(
            phase=self.phase,
            task=self.task,
            epoch=self.epoch,
            epochs=self.epochs,
            step=self.epoch * self.steps_per_epoch,
            loss=self.sums.mean_loss,
            error=self.sums.error,
            validation_loss=loss,
            validation_error=error,
            seconds=time.monotonic() - begun,
        )
        return ended, refused

    def _offer(self, epoch: int) -> tuple[float | None, float | None, Note | None]:
        """Validate, and keep the epoch if it is the best so far.

        Returns the validation loss and error, and a warning if the disk does not let it be kept.
        """
        loss, error = validate(self.network, self.validation)  # None if there are no validation images
        if self.recipe.pick == "best" and loss is not None and error is not None:
            try:
                self.best.offer(ValidatedEpoch(epoch=epoch, error=error, loss=loss), last=epoch == self.epochs)
            except DiskError as reason:
                best = f"epoch {self.best.found.epoch}" if self.best.found else "the last epoch"
                text = f"epoch {epoch} is the best so far, and can't be kept: {reason}. {best} may be taken"
                return loss, error, Note(text=text, level="warning")
        return loss, error, None

    def _trained_tensors(self, chosen: Sequence[str]) -> dict[str, Tensor]:
        """All tensors that this run changes, by name."""
        network = self.network
        found: dict[str, Tensor] = {name: network.weights[name] for name in chosen}
        found |= network.trained_rest(self.only)
        found |= {f"packnet.head.{name}": p for name, p in network.heads[network.open - 1].named_parameters()}
        return found | {f"packnet.extra.{index}": parameter for index, parameter in enumerate(self.extra)}

    def _seed(self) -> int:
        """One seed per epoch and phase, so that a resumed run has the same order of images."""
        return (self.recipe.seed * 2 + (self.phase == "retrain")) * 100_003 + self.epoch

    # -- checkpoints --------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Numbers and tensors for a checkpoint, from which `restore` resumes, without those of the network itself."""
        numbers: dict[str, Any] = {"epoch": self.epoch, "epochs": self.epochs, "step": self.step}
        numbers["sums"] = [self.sums.images, self.sums.loss, self.sums.wrong]
        numbers["best"] = msgspec.to_builtins(self.best.found)
        numbers["scaling"] = [self.scaling.factor, self.scaling.good_steps]
        tensors = {f"optimizer.{name}": value for name, value in self.optimizer.state().items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if self.network.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.network.device)
        return numbers, tensors

    def restore(self, numbers: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Load what `state` returned; the network must be as it was then.

        Raises FileError if that does not fit this run, or if the file of the best epoch is missing or damaged.
        """
        try:
            state = msgspec.convert(numbers, _State)
            self.epoch, self.step = state.epoch, state.step
            self.sums, self.scaling = Sums(*state.sums), LossScaling(*state.scaling)
            self.optimizer.restore(
                {name.removeprefix("optimizer."): t for name, t in tensors.items() if name.startswith("optimizer.")}
            )
            if self.step:
                if not self.sums.images:
                    raise ValueError(f"no images after {self.step} steps")
                torch.set_rng_state(tensors["random.cpu"])
                if "random.cuda" in tensors and self.network.device.type == "cuda":
                    torch.cuda.set_rng_state(tensors["random.cuda"], self.network.device)
        except (msgspec.ValidationError, KeyError, ValueError, IndexError, TypeError, RuntimeError) as error:
            what = (str(error) or type(error).__name__).splitlines()[0]
            raise FileError(
                f"the checkpoint of the interrupted job does not fit it ({what}); give it up with --yes, and redo it"
            ) from None
        self.best.restore(state.best, self.epochs)
