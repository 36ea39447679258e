"""The phases of a job that changes the file: adding, training and ending a task (§3). `events` of each does its work.

A `Job` holds the state that phases share. The phases of pruning are in `prune`, those of a search in `ratio_search`,
and `job` has the list of phases of each command. Only EndPhase changes the file.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from msgspec.structs import replace
from torch import Tensor

from packnet_core.data.loading import TaskData
from packnet_core.errors import DiskError, disk_errors
from packnet_core.jobs.chance import chance_warning
from packnet_core.jobs.read_only import skipped
from packnet_core.jobs.session import Session
from packnet_core.packfile import checkpoint, checkpoint_header
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, Prune, Train, summary
from packnet_core.schema.document import Task, TaskPhase, chosen_layers
from packnet_core.schema.events import Epoch, Evaluated, Event, Note, PhaseStarted
from packnet_core.schema.recipes import Recipe
from packnet_core.training.evaluate import evaluate
from packnet_core.training.run import TrainingRun

Kind = Literal["train", "retrain"]
Trial = tuple[float, float]  # a pruning ratio, and the validation error in percent after retraining


class Phase(Protocol):
    """One phase of a job."""

    def events(self, job: "Job") -> Iterator[Event]:
        """Do the phase's work on the job's session."""
        ...


@dataclass
class Job:
    """A command under way, and the state that its phases share. `todo` has the phases still to be done."""

    session: Session
    command: Add | Prune | Train
    data: TaskData
    recipe: Recipe
    todo: deque[Phase] = field(default_factory=deque)
    before: float | None = None  # validation error before pruning, in percent
    trials: tuple[Trial, ...] = ()  # of a search for a ratio
    tried: Trial | None = None  # the trial that the network is in the state of
    position: tuple[Kind, int] | None = None  # the phase to resume at, and its step; None: a stop loses nothing
    run: TrainingRun | None = None  # the training under way, or the one that ended last
    interrupted: tuple[dict[str, Any], dict[str, Tensor]] | None = None  # the state of a run to resume
    warned: bool = False  # that a checkpoint could not be written
    skipped: int = 0  # damaged images that a warning has counted

    def state(self) -> Checkpoint:
        """The job's state for a checkpoint, without that of a training run."""
        assert self.position is not None
        kind, step = self.position
        return Checkpoint(
            base=checkpoint_header.base(self.session.saved),
            command=self.command,
            phase=kind,
            document=self.session.document,
            before=self.before,
            run={},
            step=step,
            trials=self.trials,
        )

    def keep(self, elsewhere: bool = False) -> Path | None:
        """Write a checkpoint to resume from, if there is anything to resume. Returns its path.

        With `elsewhere` it goes to the user's state folder if the disk of the file refuses. Raises DiskError if
        that disk refuses too.
        """
        if self.position is None:
            return None
        paths = self.session.paths
        path, older = paths.beside, paths.spare
        try:
            self._write(path)
        except DiskError:
            if not elsewhere:
                raise
            path, older = older, path
            with disk_errors():
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._write(path)
        with suppress(OSError):  # it is kept: what is older gives way to it, removed or not
            older.unlink(missing_ok=True)
            paths.forget_epochs(but=self.run.best.path if self.run else None)
        return path

    def _write(self, path: Path) -> None:
        numbers, tensors = self.run.state() if self.run else ({}, {})
        checkpoint.write(path, replace(self.state(), run=numbers), self.session.network, tensors)

    def try_to_keep(self) -> Iterator[Event]:
        """Write a checkpoint on the way. If the disk refuses, warn once: the work continues."""
        try:
            self.keep()
            self.warned = False
        except DiskError as error:
            if not self.warned:
                self.warned = True
                yield Note(text=f"no checkpoint could be kept, and the work continues: {error}", level="warning")

    def count_skipped(self) -> Iterator[Event]:
        """Say how many damaged images were left out, if there are more than were said."""
        if len(self.data.reading.damaged) > self.skipped:
            self.skipped = len(self.data.reading.damaged)
            yield skipped(self.data.reading)

    def at(self, kind: Kind, step: int, run: TrainingRun | None = None) -> None:
        """Set the phase, and its run, at which a stopped job will resume from now on."""
        self.position, self.run = (kind, step), run


@dataclass(frozen=True)
class OpenTask:
    """Add the new task. It owns all free weights of the layers it trains; the task before it is sealed (§3)."""

    def events(self, job: Job) -> Iterator[Event]:
        """Add the task to network and document. Yields the new counts."""
        session, command, data = job.session, job.command, job.data
        assert isinstance(command, Add)
        if data.extent:
            yield Note(text=f"the data is {data.extent}")
        if data.left_out:
            yield Note(text=data.left_out)
        generator = torch.Generator().manual_seed(command.recipe.seed)
        only = frozenset(chosen_layers(session.document, command.layers))
        session.network.open_task(len(data.classes), own=command.own, only=only, generator=generator)
        task = Task(
            name=command.task,
            phase="trained",
            classes=data.classes,
            data=data.record,
            recipe=command.recipe,
            prune_ratio=None,
            error=None,
            chance=data.chance,
            weights_digest="",
            digest="",
            own=command.own,
            layers=command.layers,
        )
        sealed = tuple(replace(old, phase="sealed") for old in session.document.tasks)
        session.document = replace(session.document, tasks=(*sealed, task))
        yield session.count()


@dataclass(frozen=True)
class Training:
    """Train or retrain the open task, with a checkpoint at the beginning and from time to time."""

    kind: Kind
    step: int = 1  # of a pruning in several steps

    def events(self, job: Job) -> Iterator[Event]:
        """Do or resume the training. Yields the events of its run."""
        session, task = job.session, job.session.document.tasks[-1]
        session.changed = True
        only = frozenset(chosen_layers(session.document, task.layers)) if task.layers else None
        best = session.paths.epoch(self.kind, len(job.trials), self.step)
        if job.interrupted is None:
            best.unlink(missing_ok=True)  # of an earlier attempt
        data = job.data
        images = data.train, data.validation
        run = TrainingRun(session.network, task.name, self.kind, job.recipe, *images, only, keep=best)
        if isinstance(job.command, Add) and job.command.prune is not None and self.kind == "train":
            run.later_steps = job.command.steps * job.recipe.retraining_epochs * run.steps_per_epoch
        run.from_trained = self.kind == "retrain" or not isinstance(job.command, Add)
        job.at(self.kind, self.step, run)
        if job.interrupted is None:
            yield from job.try_to_keep()
        else:
            run.restore(*job.interrupted)
            job.interrupted = None
        yield PhaseStarted(
            phase=self.kind,
            task=task.name,
            epochs=run.epochs,
            images=len(data.train),
            epoch=run.epoch,
            before=job.before,
        )
        kept_at = time.monotonic()
        yield from job.count_skipped()
        for event in run.events():
            yield event
            if isinstance(event, Epoch):
                yield from job.count_skipped()
            if time.monotonic() - kept_at > session.checkpoint_seconds:
                yield from job.try_to_keep()
                kept_at = time.monotonic()


@dataclass(frozen=True)
class EndPhase:
    """End a phase of the open task: its zeros become free, its test error is measured, the file is saved."""

    phase: TaskPhase

    def events(self, job: Job) -> Iterator[Event]:
        """End the phase. Yields the new counts, the test error and Saved."""
        session, network = job.session, job.session.network
        network.end_phase(dense=self.phase == "trained")
        session.change_open_task(phase=self.phase)
        yield session.count()
        task, index, error = session.document.tasks[-1], network.open, None
        for event in evaluate(network, index, task.name, job.data.test):
            if isinstance(event, Evaluated):
                error = event.error
            yield event
        yield from job.count_skipped()
        own = network.weights_digest(index)
        older = [task.weights_digest for task in session.document.tasks[:-1]]
        session.change_open_task(error=error, weights_digest=own, digest=network.task_digest(index, [*older, own]))
        saved = session.save(summary(job.command), task.name)
        job.position = job.run = None
        if job.todo:  # a pruning follows in the same job
            job.at("retrain", 0)
            yield from job.try_to_keep()
        yield from saved
        if not job.todo and (text := chance_warning(session.document)):
            yield Note(text=text, level="warning")


def changed_recipe(task: Task, command: Prune | Train) -> Recipe:
    """A task's recipe with the changes of a command: first those of its recipe by name, then its own.

    `train` on a pruned task retrains it, so its epochs and rates are those of retraining.
    """
    changes = dict(command.recipe)
    if isinstance(command, Train) and task.phase != "trained":
        changes = {f"retrain_{k}" if k in ("epochs", "lr", "decay_epoch") else k: v for k, v in changes.items()}
    return task.recipe.changed({**recipes.changes(command.named, command.data or task.data.source), **changes})
