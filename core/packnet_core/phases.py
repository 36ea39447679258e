"""The phases of the open task, as generators of events: opened, trained, pruned, retrained, measured and saved (§3).

A `Workspace` is one of these with a file behind it. The file changes at the end of a phase alone; a phase that is
stopped leaves a checkpoint beside the file, from which `resume` goes on.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Literal

import torch
from msgspec.structs import replace
from torch import Tensor

from packnet_core import checkpoint, search, tasks
from packnet_core.checkpoint import Checkpoint
from packnet_core.commands import Add, Command, Prune, Train, summary
from packnet_core.data.loading import TaskData
from packnet_core.engine.places import Places
from packnet_core.errors import RequestError, WorkError
from packnet_core.events import Evaluated, Event, Note, Occupancy, PhaseStarted, Pruned
from packnet_core.network import PackedNetwork
from packnet_core.packfile import checkpoints
from packnet_core.records import Document, Phase, Recipe, Task, chosen_layers
from packnet_core.search import Trial
from packnet_core.training import Run, evaluate, validate


class Phases:
    """What is done to the open task. `network` and `document` go together; `_saved` is what the file holds."""

    places: Places
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
        task = self.document.tasks[-1]
        only = frozenset(chosen_layers(self.document, task.layers)) if task.layers else None
        data, flip = task_data, task_data.record.flip
        run = Run(self.network, task.name, phase, recipe, data.train, data.validation, flip, only)
        if isinstance(command, Add) and phase == "train" and command.prune is not None:
            run.later_steps = command.steps * recipe.retraining_epochs * run.steps_an_epoch
        state = begun or self._state(command, phase)
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
            checkpoints.write(
                self.places.checkpoint, replace(state, document=self.document, run=numbers), self.network, now
            )

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
        base = checkpoint.base(self._saved)
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

    # -- pruning ------------------------------------------------------------------------------------------------

    def _prune(self, command: Add | Prune, recipe: Recipe, task_data: TaskData) -> Iterator[Event]:
        """Prune and retrain, in as many steps or trials as the command says; the file changes once, at the end."""
        prune = _pruning(command)
        before = validate(self.network, task_data.validation)[1]
        start = replace(self._state(command, "retrain"), before=before)
        if prune.max_drop is None:
            yield from self._steps(prune, start, recipe, task_data, self._pruned(command, recipe, task_data))
        elif before is None:
            raise RequestError("there are no validation images to measure what pruning costs; give a ratio instead")
        else:
            yield from self._search(prune, start, recipe, task_data)

    def _pruned(self, command: Command, recipe: Recipe, task_data: TaskData) -> Iterator[Event]:
        return self._finish(command, "retrained" if recipe.retraining_epochs else "pruned", task_data)

    def _steps(
        self, prune: Prune, state: Checkpoint, recipe: Recipe, task_data: TaskData, then: Iterator[Event]
    ) -> Iterator[Event]:
        """Prune to a ratio in equal shares of what is left (§4, end), with a retraining after each; `then` go on.

        All in all each layer is freed of exactly round(ratio * n) of the n weights that the file's state has.
        """
        task = self.document.tasks[-1]
        ratios = tasks.layer_ratios(self._saved, prune)
        for step in range(state.step, prune.steps + 1):
            before = state.before if step == 1 else validate(self.network, task_data.validation)[1]
            freed = self.network.prune(self._of_what_is_left(ratios, step, prune.steps))
            after = validate(self.network, task_data.validation)[1]
            self._set_open(phase="pruned", prune_ratio=prune.ratio)
            occupancy = self._count()
            kept, ratio = self.document.owned[-1], tasks.step_ratio(prune.ratio, step, prune.steps)
            pruned = Pruned(task=task.name, ratio=ratio, freed=freed, kept=kept, before=before, after=after)
            last = then if step == prune.steps else iter(())
            at, news = replace(state, step=step), (pruned, occupancy)
            if recipe.retraining_epochs:
                yield from self._train_phase(state.command, "retrain", recipe, task_data, last, at, first=news)
            else:
                yield from (*news, *last)

    def _of_what_is_left(self, ratios: dict[str, float], step: int, steps: int) -> dict[str, float]:
        """For each layer, the ratio of its present weights that brings it to where it should be after a step."""
        index, counts = self.network.open - 1, self.network.counts()
        found = {}
        for layer in self._saved.layers:
            begun, now = layer.owned[index], counts[layer.name][index]
            gone = round(tasks.step_ratio(ratios[layer.name], step, steps) * begun)
            found[layer.name] = max(0, gone - (begun - now)) / now if now else 0.0
        return found

    def _search(self, prune: Prune, state: Checkpoint, recipe: Recipe, task_data: TaskData) -> Iterator[Event]:
        """Find the largest ratio that costs at most so many points of validation error, by bisection, and prune at it.

        Every trial starts from the file as it is; the best so far is kept beside it.
        """
        assert state.before is not None
        assert prune.max_drop is not None
        allowed, trials = state.before + prune.max_drop, list(state.trials)
        while (ratio := search.next_ratio(prune.ratio, trials, allowed, prune.trials)) is not None:
            if self.document is not self._saved:
                self._load()
                self.network.to(self.device)
            yield Note(text=f"trial {len(trials) + 1} of {prune.trials} at most: pruning at {ratio:g}")
            at = replace(state, trials=tuple(trials))
            tried = self._tried(ratio, trials, prune, at, task_data)
            yield from self._steps(replace(prune, ratio=ratio), at, recipe, task_data, tried)
        best = search.best(trials, allowed)
        if best is None:
            raise WorkError(
                f"no ratio that was tried costs {prune.max_drop:g} points or less; the file is as it was. Allow more "
                "points, more --trials, or more retraining"
            )
        kept = replace(checkpoint.read(self.places.best), trials=tuple(trials))
        self.network, _ = checkpoints.load(self.places.best, kept)
        self.network.to(self.device)
        self.document = kept.document
        checkpoints.write(self.places.checkpoint, kept, self.network, {})  # the search need not be done again
        yield Note(text=f"{best[0]:g} is taken: {best[1]:.2f} % after retraining, {state.before:.2f} % before pruning")
        yield from self._pruned(state.command, recipe, task_data)

    def _tried(
        self, ratio: float, trials: list[Trial], prune: Prune, state: Checkpoint, task_data: TaskData
    ) -> Iterator[Event]:
        """The end of a trial: what it costs, kept where it is the best so far."""
        assert state.before is not None
        assert prune.max_drop is not None
        error = validate(self.network, task_data.validation)[1]
        assert error is not None
        done = [*trials, (ratio, error)]
        if search.best(done, state.before + prune.max_drop) == (ratio, error):
            checkpoints.write(self.places.best, replace(state, document=self.document), self.network, {})
        cost = error - state.before
        fits = "fits" if cost <= prune.max_drop else "costs too much"
        yield Note(text=f"pruned at {ratio:g}: {error:.2f} % after retraining, {cost:+.2f} points: {fits}")
        trials[:] = done  # after the last chance to be stopped in it

    # -- going on -----------------------------------------------------------------------------------------------

    def _resume(self, interrupted: Checkpoint) -> Iterator[Event]:
        """Go on with an interrupted job, in the middle of its phase, to its end."""
        self.network, tensors = checkpoints.load(self.places.checkpoint, interrupted)
        self.network.to(self.device)
        self.document = interrupted.document
        task, command, phase = self.document.tasks[-1], interrupted.command, interrupted.phase
        source, limit = (None, None) if isinstance(command, Add) else (command.data, command.limit)
        task_data = self._data_of(task, source, limit)
        recipe = task.recipe if isinstance(command, Add) else changed_recipe(task, command, phase)
        yield Note(text=f"going on with {summary(command)}")
        yield self._count()
        if phase == "train" or isinstance(command, Train):
            then = self._finish(command, "trained" if phase == "train" else "retrained", task_data)
            yield from self._train_phase(command, phase, recipe, task_data, then, interrupted, tensors)
            if isinstance(command, Add) and command.prune is not None:
                yield from self._prune(command, recipe, task_data)
            return
        prune, trials = _pruning(command), list(interrupted.trials)
        then = self._pruned(command, recipe, task_data)
        if prune.max_drop is not None:
            assert interrupted.before is not None
            allowed = interrupted.before + prune.max_drop
            ratio = search.next_ratio(prune.ratio, trials, allowed, prune.trials)
            if ratio is None:  # all trials were done, and the best of them taken
                yield from then
                return
            prune = replace(prune, ratio=ratio)
            then = self._tried(ratio, trials, prune, replace(interrupted, run={}), task_data)
        last = then if interrupted.step == prune.steps else iter(())
        yield from self._train_phase(command, phase, recipe, task_data, last, interrupted, tensors)
        state = replace(interrupted, step=interrupted.step + 1, run={}, trials=tuple(trials))
        if state.step <= prune.steps:
            yield from self._steps(prune, state, recipe, task_data, then)
        if prune.max_drop is not None:
            state = replace(state, step=1, trials=tuple(trials))
            yield from self._search(_pruning(command), state, recipe, task_data)

    def _set_open(self, **changes: object) -> None:
        *others, task = self.document.tasks
        self.document = replace(self.document, tasks=(*others, replace(task, **changes)))


def changed_recipe(task: Task, command: Prune | Train, phase: Literal["train", "retrain"]) -> Recipe:
    """The task's recipe with the command's changes; for `train` on a pruned task they are those of retraining."""
    changes = dict(command.recipe)
    if isinstance(command, Train) and phase == "retrain":
        changes = {f"retrain_{k}" if k in ("epochs", "lr") else k: value for k, value in changes.items()}
    return task.recipe.changed(changes)


def _pruning(command: Add | Prune) -> Prune:
    """What a command prunes."""
    if isinstance(command, Prune):
        return command
    assert command.prune is not None
    return Prune(ratio=command.prune, steps=command.steps)
