"""The phases of a job that changes the file, each a value whose `events` does the work (§3).

    add TASK --prune R    OpenTask, Training, EndPhase, MeasureBefore, PruneStep, Training, EndPhase
    prune R --steps 2     MeasureBefore, PruneStep 1, Training, PruneStep 2, Training, EndPhase
    prune --max-drop X    MeasureBefore, NextTrial (PruneStep, Training, EndTrial, NextTrial …), TakeBest, EndPhase
    train                 Training, EndPhase

The file changes in EndPhase alone. A stopped job starts again at the phase that its checkpoint names.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from msgspec.structs import replace
from torch import Tensor

from packnet_core.data.loading import TaskData
from packnet_core.errors import RequestError, WorkError
from packnet_core.jobs import ratio_search, rules
from packnet_core.jobs.ratio_search import Trial
from packnet_core.jobs.session import Session
from packnet_core.packfile import checkpoint, checkpoint_header
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, Drop, Prune, Train, summary
from packnet_core.schema.document import Phase as TaskPhase
from packnet_core.schema.document import Recipe, Task, chosen_layers
from packnet_core.schema.events import Evaluated, Event, Note, PhaseStarted, Pruned
from packnet_core.training.run import TrainingRun, evaluate, validate

Kind = Literal["train", "retrain"]


class Phase(Protocol):
    """One phase of a job."""

    def events(self, job: "Job") -> Iterator[Event]:
        """Do the phase's work on the job's session."""
        ...


@dataclass
class Job:
    """A command under way, and what its phases hand on to each other. `todo` has the phases still to be done."""

    session: Session
    command: Add | Prune | Train
    data: TaskData
    recipe: Recipe
    todo: deque[Phase] = field(default_factory=deque)
    before: float | None = None  # validation error before pruning, in percent
    trials: tuple[Trial, ...] = ()  # of a search for a ratio
    position: tuple[Kind, int] | None = None  # the phase to resume at, and its step; None: a stop loses nothing
    run: TrainingRun | None = None  # the training under way, or the one that ended last
    interrupted: tuple[dict[str, Any], dict[str, Tensor]] | None = None  # the state of a run to resume

    def state(self) -> Checkpoint:
        """Where the job stands."""
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

    def keep(self) -> None:
        """Write a checkpoint to resume from. Raises WorkError where the disk refuses."""
        if self.position is None:
            return
        numbers, tensors = self.run.state() if self.run else ({}, {})
        paths = self.session.paths
        checkpoint.write(paths.checkpoint, replace(self.state(), run=numbers), self.session.network, tensors)
        paths.forget_epochs(but=self.run.best.path if self.run else None)

    def at(self, kind: Kind, step: int, run: TrainingRun | None = None) -> None:
        """From here on a stopped job resumes at this phase, with the state of this run."""
        self.position, self.run = (kind, step), run


# -- adding, training, saving ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenTask:
    """Add the new task. It owns all free weights of the layers it trains; the task before it is sealed (§3)."""

    def events(self, job: Job) -> Iterator[Event]:
        session, command, data = job.session, job.command, job.data
        assert isinstance(command, Add)
        if data.extent:
            yield Note(text=f"the data is {data.extent}")
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


def drop_newest(session: Session, command: Drop) -> Iterator[Event]:
    """Take the newest task out: its weights become free, and the file is saved."""
    session.network.drop_newest()
    session.document = replace(session.document, tasks=session.document.tasks[:-1])
    occupancy = session.count()
    yield session.save(summary(command), command.task)
    yield occupancy


@dataclass(frozen=True)
class Training:
    """Train or retrain the open task, writing a checkpoint from time to time."""

    kind: Kind
    step: int = 1  # of a pruning in several steps

    def events(self, job: Job) -> Iterator[Event]:
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
            run.later_steps = job.command.steps * job.recipe.retraining_epochs * run.steps_an_epoch
        if job.interrupted is not None:
            run.restore(*job.interrupted)
            job.interrupted = None
        job.at(self.kind, self.step, run)
        yield PhaseStarted(
            phase=self.kind,
            task=task.name,
            epochs=run.epochs,
            images=len(data.train),
            epoch=run.epoch,
            before=job.before,
        )
        kept_at = time.monotonic()
        for event in run.events():
            yield event
            if time.monotonic() - kept_at > session.checkpoint_seconds:
                job.keep()
                kept_at = time.monotonic()


@dataclass(frozen=True)
class EndPhase:
    """End a phase of the open task: its zeros become free, its test error is measured, the file is saved."""

    phase: TaskPhase

    def events(self, job: Job) -> Iterator[Event]:
        session, network = job.session, job.session.network
        network.end_phase(dense=self.phase == "trained")
        session.change_open_task(phase=self.phase)
        yield session.count()
        task, index, error = session.document.tasks[-1], network.open, None
        for event in evaluate(network, index, task.name, job.data.test):
            if isinstance(event, Evaluated):
                error = event.error
            yield event
        own = network.weights_digest(index)
        older = [task.weights_digest for task in session.document.tasks[:-1]]
        session.change_open_task(error=error, weights_digest=own, digest=network.task_digest(index, [*older, own]))
        saved = session.save(summary(job.command), task.name)
        job.position = job.run = None
        yield saved


# -- pruning --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MeasureBefore:
    """Measure the validation error before pruning. Raises RequestError where a search needs it and has no images."""

    search: bool = False

    def events(self, job: Job) -> Iterator[Event]:
        job.before = validate(job.session.network, job.data.validation)[1]
        if self.search and job.before is None:
            raise RequestError("there are no validation images to measure what pruning costs; give a ratio instead")
        yield from ()


@dataclass(frozen=True)
class PruneStep:
    """Prune every layer by one of several equal steps (§4, end).

    After all steps, exactly round(ratio * n) of the n weights that the task owns in the file are free in each layer.
    """

    prune: Prune
    step: int

    def events(self, job: Job) -> Iterator[Event]:
        session, network, prune = job.session, job.session.network, self.prune
        before = job.before if self.step == 1 else validate(network, job.data.validation)[1]
        freed = network.prune(self._ratios(session))
        after = validate(network, job.data.validation)[1]
        session.change_open_task(phase="pruned", prune_ratio=prune.ratio)
        occupancy = session.count()
        job.at("retrain", self.step)
        yield Pruned(
            task=session.document.tasks[-1].name,
            ratio=rules.step_ratio(prune.ratio, self.step, prune.steps),
            freed=freed,
            kept=session.document.owned[-1],
            before=before,
            after=after,
        )
        yield occupancy

    def _ratios(self, session: Session) -> dict[str, float]:
        """For each layer, the share of its present weights to free in this step."""
        index, counts = session.network.open - 1, session.network.counts()
        wanted = rules.layer_ratios(session.saved, self.prune)
        ratios = {}
        for layer in session.saved.layers:
            begun, now = layer.owned[index], counts[layer.name][index]
            gone = round(rules.step_ratio(wanted[layer.name], self.step, self.prune.steps) * begun)
            ratios[layer.name] = max(0, gone - (begun - now)) / now if now else 0.0
        return ratios


# -- the largest ratio that costs at most some points, by trials ------------------------------------------------------


@dataclass(frozen=True)
class NextTrial:
    """Choose the next ratio to try, by bisection, and put its phases first; or take the best one where none is left.

    Each trial starts from the file as it is.
    """

    prune: Prune

    def events(self, job: Job) -> Iterator[Event]:
        ratio = next_ratio(self.prune, job.before, job.trials)
        if ratio is None:
            job.todo.appendleft(TakeBest(self.prune))
            return
        if job.session.changed:
            job.session.load()
        yield Note(text=f"trial {len(job.trials) + 1} of {self.prune.trials} at most: pruning at {ratio:g}")
        job.todo.extendleft(reversed(trial(self.prune, ratio, job.recipe)))


@dataclass(frozen=True)
class EndTrial:
    """Measure what a trial costs, and keep it beside the file where it is the best so far."""

    prune: Prune
    ratio: float

    def events(self, job: Job) -> Iterator[Event]:
        session, allowed = job.session, _allowed(self.prune, job.before)
        error = validate(session.network, job.data.validation)[1]
        assert error is not None
        assert job.before is not None
        assert self.prune.max_drop is not None
        trials = (*job.trials, (self.ratio, error))
        if ratio_search.best(trials, allowed) == (self.ratio, error):
            checkpoint.write(session.paths.best, job.state(), session.network, {})
        cost = error - job.before
        fits = "fits" if cost <= self.prune.max_drop else "costs too much"
        yield Note(text=f"pruned at {self.ratio:g}: {error:.2f} % after retraining, {cost:+.2f} points: {fits}")
        job.trials = trials  # a stop before this resumes the trial
        job.at("retrain", 0)


@dataclass(frozen=True)
class TakeBest:
    """Take the largest ratio that fits. Raises WorkError where no ratio does."""

    prune: Prune

    def events(self, job: Job) -> Iterator[Event]:
        assert self.prune.max_drop is not None
        session = job.session
        best = ratio_search.best(job.trials, _allowed(self.prune, job.before))
        if best is None:
            raise WorkError(
                f"no ratio that was tried costs {self.prune.max_drop:g} points or less; the file is as it was. Allow "
                "more points, more --trials, or more retraining"
            )
        session.restore(session.paths.best, checkpoint_header.read(session.paths.best))
        job.at("retrain", self.prune.steps)
        job.keep()  # the search need not be done again
        yield Note(text=f"{best[0]:g} is taken: {best[1]:.2f} % after retraining, {job.before:.2f} % before pruning")


def next_ratio(prune: Prune, before: float | None, trials: Sequence[Trial]) -> float | None:
    """The ratio to try next; None where the search is over."""
    return ratio_search.next_ratio(prune.ratio, trials, _allowed(prune, before), prune.trials)


def _allowed(prune: Prune, before: float | None) -> float:
    """The largest validation error that fits, in percent."""
    assert prune.max_drop is not None
    assert before is not None
    return before + prune.max_drop


# -- lists of phases ------------------------------------------------------------------------------------------------


def phases(command: Add | Prune | Train, recipe: Recipe, task: Task | None) -> list[Phase]:
    """All phases of a command; `task` is the open one, if there is one."""
    match command:
        case Add():
            return [OpenTask(), Training("train"), EndPhase("trained"), *_pruning(command, recipe)]
        case Prune():
            return _pruning(command, recipe)
        case Train():
            dense = task is not None and task.phase == "trained"
            return [Training("train"), EndPhase("trained")] if dense else [Training("retrain"), EndPhase("retrained")]


def phases_left(state: Checkpoint, recipe: Recipe) -> list[Phase]:
    """The phases of an interrupted job from the one that it stopped in."""
    if state.phase == "train" or isinstance(state.command, Train):
        every = phases(state.command, recipe, state.document.tasks[-1])
        return every[every.index(Training(state.phase)) :]
    every = _pruning(state.command, recipe)
    if state.step == 0:  # nothing was pruned since the file was saved, or since the last trial
        return every
    prune = what_is_pruned(state.command)
    assert prune is not None
    if prune.max_drop is not None:
        ratio = next_ratio(prune, state.before, state.trials)
        if ratio is None:  # all trials were done, and the best one taken
            return every[-1:]
        prune, every = replace(prune, ratio=ratio), [*trial(prune, ratio, recipe), every[-1]]
    return every[every.index(PruneStep(prune, state.step)) + 1 :]


def trial(prune: Prune, ratio: float, recipe: Recipe) -> list[Phase]:
    """The phases of one trial, and the next one."""
    return [*_steps(replace(prune, ratio=ratio), recipe), EndTrial(prune, ratio), NextTrial(prune)]


def what_is_pruned(command: Add | Prune) -> Prune | None:
    """What a command prunes; None where that is nothing."""
    if isinstance(command, Prune):
        return command
    return None if command.prune is None else Prune(ratio=command.prune, steps=command.steps)


def _pruning(command: Add | Prune, recipe: Recipe) -> list[Phase]:
    prune = what_is_pruned(command)
    if prune is None:
        return []
    end = EndPhase("retrained" if recipe.retraining_epochs else "pruned")
    if prune.max_drop is None:
        return [MeasureBefore(), *_steps(prune, recipe), end]
    return [MeasureBefore(search=True), NextTrial(prune), end]


def _steps(prune: Prune, recipe: Recipe) -> list[Phase]:
    found: list[Phase] = []
    for step in range(1, prune.steps + 1):
        found.append(PruneStep(prune, step))
        if recipe.retraining_epochs:
            found.append(Training("retrain", step))
    return found


def changed_recipe(task: Task, command: Prune | Train) -> Recipe:
    """A task's recipe with the changes of a command; a recipe that is named comes first.

    `train` on a pruned task retrains it, so its epochs and rates are those of retraining.
    """
    changes = dict(command.recipe)
    if isinstance(command, Train) and task.phase != "trained":
        changes = {f"retrain_{k}" if k in ("epochs", "lr", "decay_epoch") else k: v for k, v in changes.items()}
    return task.recipe.changed({**recipes.changes(command.named, command.data or task.data.source), **changes})
