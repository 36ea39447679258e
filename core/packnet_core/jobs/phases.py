"""The phases of the open task, as generators of events: opened, trained or retrained, measured and saved (§3).

A `Session` has a file behind them. The file changes at the end of a phase alone; a phase that is stopped leaves a
checkpoint beside the file, to be gone on from.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Literal

import torch
from msgspec.structs import replace
from torch import Tensor

from packnet_core.data.loading import TaskData
from packnet_core.network.packed import PackedNetwork
from packnet_core.packfile import checkpoint, checkpoint_header
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.packfile.paths import Paths
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, Command, Prune, Train, summary
from packnet_core.schema.document import Document, Phase, Task, chosen_layers
from packnet_core.schema.events import Evaluated, Event, Occupancy, PhaseStarted
from packnet_core.schema.recipes import Recipe
from packnet_core.training.run import TrainingRun, evaluate


class Phases:
    """What is done to the open task. `network` and `document` go together; `_saved` is what the file holds."""

    paths: Paths
    network: PackedNetwork
    document: Document
    checkpoint_seconds: float
    device: torch.device
    _saved: Document

    def _load(self) -> None:
        raise NotImplementedError

    def _save(self, what: str, task: str) -> Iterator[Event]:
        raise NotImplementedError

    def _count(self) -> Occupancy:
        raise NotImplementedError

    def _data_of(self, task: Task, source: str | None, limit: int | None = None) -> TaskData:
        raise NotImplementedError

    # -- opening and training -----------------------------------------------------------------------------------

    def _open(self, command: Add, task_data: TaskData) -> Iterator[Event]:
        classes = task_data.classes
        generator = torch.Generator().manual_seed(command.recipe.seed)
        only = frozenset(chosen_layers(self.document, command.layers))
        self.network.open_task(len(classes), own=command.own, only=only, generator=generator)
        task = Task(
            name=command.task,
            phase="trained",
            classes=classes,
            data=task_data.record,
            recipe=command.recipe,
            prune_ratio=None,
            error=None,
            chance=task_data.chance,
            weights_digest="",
            digest="",
            own=command.own,
            layers=command.layers,
        )
        sealed = tuple(replace(old, phase="sealed") for old in self.document.tasks)
        self.document = replace(self.document, tasks=(*sealed, task))
        yield self._count()

    def _train_phase(
        self,
        command: Add | Prune | Train,
        phase: Literal["train", "retrain"],
        recipe: Recipe,
        task_data: TaskData,
        then: Iterator[Event],
        begun: Checkpoint | None = None,
        tensors: dict[str, Tensor] | None = None,
        first: Iterable[Event] = (),
    ) -> Iterator[Event]:
        """One phase of training to its end, what is to be told `first`, and what follows `then`.

        Stopped anywhere in it, it leaves a checkpoint. `begun` tells where in its job the phase stands; with `tensors`
        it is where the phase itself was stopped.
        """
        self.document = replace(self.document)  # another one than the file's, as the network is from the first step on
        task = self.document.tasks[-1]
        only = frozenset(chosen_layers(self.document, task.layers)) if task.layers else None
        data = task_data
        state = begun or self._state(command, phase)
        best = self.paths.epoch(phase, len(state.trials), state.step)
        if tensors is None:
            best.unlink(missing_ok=True)  # left by an earlier attempt
        run = TrainingRun(self.network, task.name, phase, recipe, data.train, data.validation, only, keep=best)
        if isinstance(command, Add) and phase == "train" and command.prune is not None:
            run.later_steps = command.steps * recipe.retraining_epochs * run.steps_an_epoch
        if tensors is not None:
            run.restore(state.run, tensors)
        started = PhaseStarted(
            phase=phase,
            task=task.name,
            epochs=run.epochs,
            images=len(data.train),
            epoch=run.epoch,
            before=state.before,
        )

        def keep() -> None:
            numbers, now = run.state()
            checkpoint.write(
                self.paths.checkpoint, replace(state, document=self.document, run=numbers), self.network, now
            )
            self.paths.forget_epochs(but=best)

        kept_at = time.monotonic()
        try:
            for event in (*first, started):
                yield event
            for event in run.events():
                yield event
                if time.monotonic() - kept_at > self.checkpoint_seconds:
                    keep()
                    kept_at = time.monotonic()
            yield from then
        except GeneratorExit:
            if self.document is not self._saved:
                keep()
            raise

    def _state(self, command: Add | Prune | Train, phase: Literal["train", "retrain"]) -> Checkpoint:
        """Where a job stands at the beginning of a phase."""
        base = checkpoint_header.base(self._saved)
        return Checkpoint(base=base, command=command, phase=phase, document=self.document, before=None, run={})

    def _finish(self, command: Command, phase: Phase, task_data: TaskData) -> Iterator[Event]:
        """The end of a phase: zeros become free, the task is measured, the file saved."""
        self.network.end_phase(dense=phase == "trained")
        self._set_open(phase=phase)
        yield self._count()
        task, index = self.document.tasks[-1], self.network.open
        error = None
        for event in evaluate(self.network, index, task.name, task_data.test):
            if isinstance(event, Evaluated):
                error = event.error
            yield event
        own = self.network.weights_digest(index)
        digest = self.network.task_digest(index, [*(t.weights_digest for t in self.document.tasks[:-1]), own])
        self._set_open(error=error, weights_digest=own, digest=digest)
        yield from self._save(summary(command), task.name)

    def _set_open(self, **changes: object) -> None:
        *others, task = self.document.tasks
        self.document = replace(self.document, tasks=(*others, replace(task, **changes)))


def changed_recipe(task: Task, command: Prune | Train, phase: Literal["train", "retrain"]) -> Recipe:
    """The task's recipe with the command's changes; for `train` on a pruned task they are those of retraining.

    A recipe by name comes first.
    """
    changes = dict(command.recipe)
    if isinstance(command, Train) and phase == "retrain":
        changes = {f"retrain_{k}" if k in ("epochs", "lr", "decay_epoch") else k: v for k, v in changes.items()}
    return task.recipe.changed({**recipes.changes(command.named, command.data or task.data.source), **changes})
