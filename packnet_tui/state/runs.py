"""Past and present jobs of every task, folded from the journal. Needs neither Textual nor torch.

A job that was done by more than one process (stopped, then gone on with) is as many runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from packnet_core.errors import RequestError
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, Command, Compare, Drop, Evaluate, Prune, Train
from packnet_core.schema.events import (
    Compared,
    EngineLeft,
    EngineStarted,
    Entry,
    Epoch,
    Evaluated,
    JobFinished,
    JobStarted,
    PhaseStarted,
    Pruned,
    TrainStep,
)
from packnet_core.schema.recipes import Recipe
from packnet_core.schema.text import printable
from packnet_tui.state.series import Curve, CurveBuilder

MOST_RUNS = 500  # the oldest give way
KEPT = 128  # samples and points kept of a line once its run is over


@dataclass(frozen=True)
class Run:
    """One job. `tasks` are those that it did something with, `errors` what was measured last of each, in percent."""

    job: int
    at: float  # when it began
    command: Command
    device: str = ""
    tasks: tuple[str, ...] = ()
    outcome: str = ""  # done, failed, stopped or died; empty while it runs
    message: str = ""
    seconds: float | None = None
    recipe: Recipe | None = None  # with the changes that were asked for; None where the journal does not know
    data: str = ""
    ratio: float | None = None
    errors: tuple[tuple[str, float], ...] = ()  # on the test set
    validation: float | None = None  # of the task that was trained
    curve: Curve | None = None  # of this job alone

    def error(self, task: str) -> float | None:
        return dict(self.errors).get(task)


@dataclass
class Runs:
    """Runs in the making: it takes journal entries in their order."""

    done: list[Run] = field(default_factory=list)
    now: Run | None = None
    _builder: CurveBuilder | None = None
    _open: str = ""  # the newest task
    _asked: dict[str, Add] = field(default_factory=dict)  # how each task was added

    def all(self) -> tuple[Run, ...]:
        """Oldest first, the one that runs last."""
        return (*self.done, self._as_it_stands(self.now)) if self.now else tuple(self.done)

    def abandon(self, at: float | None = None) -> None:
        """Whoever did the running job is gone."""
        if self.now:
            seconds = None if at is None else max(0.0, at - self.now.at)
            self._end(replace(self.now, outcome="died", message="its process died", seconds=seconds))

    def read(self, entry: Entry) -> None:
        match entry.event:
            case EngineStarted() | EngineLeft():
                self.abandon()
            case JobStarted(command=command, device=device):
                self.abandon()
                self.now = self._begun(Run(entry.job, entry.at, command, device))
            case JobFinished(outcome=outcome, message=message, seconds=seconds):
                if self.now and self.now.job == entry.job:
                    if isinstance(self.now.command, Drop) and outcome == "done":
                        self._asked.pop(printable(self.now.command.task), None)
                        self._open = ""
                    self._end(replace(self.now, outcome=outcome, message=printable(message), seconds=seconds))
            case PhaseStarted(phase="compare"):  # in a copy: neither a curve nor, with all at once, of a task
                pass
            case PhaseStarted(task=task) as event:
                self._concerns(task)
                if self.now and event.phase != "eval":
                    self._open = printable(task)
                    self._builder = self._builder or CurveBuilder(self._open)
                    self._builder.begin(event)
            case TrainStep() as event if self._builder:
                self._builder.step(event)
            case Epoch() as event:
                if self._builder:
                    self._builder.epoch(event)
                if self.now and event.validation_error is not None:
                    self.now = replace(self.now, validation=event.validation_error)
            case Pruned(task=task) as event:
                self._concerns(task)
                if self.now:
                    self._builder = self._builder or CurveBuilder(printable(task))
                    self._builder.prune(event)
                    self.now = replace(self.now, ratio=event.ratio, validation=event.after)
            case Evaluated(task=task, error=error) | Compared(task=task, error=error):
                self._concerns(task)
                if self.now:
                    errors = {**dict(self.now.errors), printable(task): error.top1}
                    self.now = replace(self.now, errors=tuple(errors.items()))

    def _begun(self, run: Run) -> Run:
        """What a command says of its run before anything happened."""
        command = run.command
        match command:
            case Add(task=task):
                self._asked[printable(task)] = command
                return replace(
                    run, tasks=(printable(task),), recipe=command.recipe, data=command.data, ratio=command.prune
                )
            case Drop(task=task):
                return replace(run, tasks=(printable(task),))
            case Evaluate(tasks=tasks):
                data = command.data or command.mixed or ""
                return replace(run, tasks=tuple(map(printable, tasks)), data=data)
            case Compare(tasks=tasks):
                return replace(run, tasks=tuple(map(printable, tasks)))
            case Prune() | Train() if self._open:
                ratio = command.ratio if isinstance(command, Prune) else None
                return replace(self._with_recipe(run, self._open), tasks=(self._open,), ratio=ratio)
            case _:
                return run

    def _with_recipe(self, run: Run, task: str) -> Run:
        """A run of a task that was there, with the recipe the task was added with and the changes asked for."""
        added = self._asked.get(task)
        if added is None or not isinstance(run.command, Prune | Train):
            return run
        try:
            named = recipes.changes(run.command.named, run.command.data or added.data)
            recipe = added.recipe.changed({**named, **run.command.recipe})
        except RequestError:  # the job will say so
            recipe = None
        return replace(run, recipe=recipe, data=run.command.data or added.data)

    def _concerns(self, task: str) -> None:
        name = printable(task)
        if self.now and name not in self.now.tasks:
            self.now = replace(self.now, tasks=(*self.now.tasks, name))
            if self.now.recipe is None:
                self.now = self._with_recipe(self.now, name)

    def _as_it_stands(self, run: Run) -> Run:
        return replace(run, curve=self._builder.curve()) if self._builder else run

    def _end(self, run: Run) -> None:
        run = self._as_it_stands(run)
        self.done.append(replace(run, curve=run.curve.thinner(KEPT)) if run.curve else run)
        del self.done[:-MOST_RUNS]
        self.now = self._builder = None


def fold(entries: Iterable[Entry]) -> tuple[Run, ...]:
    """The runs that a journal tells of, oldest first."""
    runs = Runs()
    for entry in entries:
        runs.read(entry)
    return runs.all()


def of_task(runs: Iterable[Run], task: str) -> list[tuple[Run, bool]]:
    """A task's runs, newest first, each with whether it is of a former task of that name, which was dropped since."""
    found = []
    former = False
    for run in reversed(list(runs)):
        if task in run.tasks:
            former = former or (isinstance(run.command, Drop) and run.outcome == "done")
            found.append((run, former))
    return found
