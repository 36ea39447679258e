"""The history of a pack file: its journal, folded into runs and results. Needs no torch.

The screen, the command line and the Python API share it, so they agree on which results count. Results of a former file
of the same name, of a dropped task of the same name, or on other data do not count.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from packnet_core.errors import RequestError
from packnet_core.jobs import journal
from packnet_core.jobs.runs import Result as Result
from packnet_core.jobs.runs import Run as Run
from packnet_core.schema import recipes
from packnet_core.schema.commands import (
    Add,
    Baseline,
    Command,
    Compare,
    Discard,
    Drop,
    Evaluate,
    Order,
    Prune,
    Train,
    Undo,
    summary,
)
from packnet_core.schema.document import Document, Error
from packnet_core.schema.events import (
    Checked,
    Compared,
    EngineLeft,
    EngineStarted,
    Entry,
    Epoch,
    Evaluated,
    GivenUp,
    Hardness,
    JobFinished,
    JobQueued,
    JobStarted,
    PhaseStarted,
    Pruned,
    Resumed,
    Undone,
)

MOST_RUNS = 500  # kept; the oldest are forgotten


class History:
    """What a journal says so far. Give it the entries in order with `read`.

    engine       pid of the running engine; 0 if no engine runs
    running      the running job and what it did so far; None if no job runs
    queue        commands that wait, by job number
    runs         finished jobs, oldest first, at most 500
    last_end     time (seconds since 1970) and message of the last job's end, even if it never began; or None
    evaluations  per task, its newest evaluation on all test images of its own data
    samples      per task, its newest evaluation if that was on some of these images only; it says nothing about drift
    comparisons  per task, the newest result by each baseline (§4)
    hardness     per data set, how hard it is, as the newest measurement of an order says
    checked      per task, whether its digest fitted when it was last computed

    A task that the journal does not mention has no entry.
    """

    def __init__(self, document: Document | None = None):
        """Start without entries.

        With the file's `document`, ignore entries that are older than the file, and results of a task that are older
        than the last drop of a task of its name.
        """
        steps = document.history if document else ()
        self.begun = steps[0].at if steps else 0.0
        self._dropped = {step.task: step.at for step in steps if step.what.startswith("drop")}
        self.engine = 0
        self.running: Run | None = None
        self.queue: dict[int, Command] = {}
        self.runs: list[Run] = []
        self.last_end: tuple[float, str] | None = None
        self.evaluations: dict[str, Result] = {}
        self.samples: dict[str, Result] = {}
        self.comparisons: dict[str, dict[Baseline, Result]] = {}
        self.hardness: dict[str, Hardness] = {}
        self._ordered = 0  # the job that measured them
        self.checked: dict[str, bool] = {}
        self._open = ""  # the task trained or pruned last
        self._added: dict[str, Add] = {}  # how each task was added
        self._before_drop: list[tuple[dict[str, Any], Any]] = []  # what was known of the task dropped last, and where

    @property
    def jobs(self) -> dict[int, Command]:
        """The jobs that run or wait, in order: if one runs, it is the first."""
        return {self.running.job: self.running.command, **self.queue} if self.running else dict(self.queue)

    def abandon(self) -> None:
        """Record that the process with the file's lock is gone: the running job has died, waiting jobs are lost."""
        if self.running:
            self._end(replace(self.running, outcome="died", message="its process died"))
        self.queue.clear()
        self.engine = 0

    def read(self, entry: Entry) -> None:
        """Take in the next entry of the journal."""
        if entry.at < self.begun:
            return
        match entry.event:
            case EngineStarted(pid=pid):
                self.abandon()
                self.engine = pid
            case EngineLeft():
                self.abandon()
            case JobQueued(command=command):
                first = isinstance(command, Order)  # which the engine does before what waits
                self.queue = {entry.job: command, **self.queue} if first else {**self.queue, entry.job: command}
            case JobStarted(command=command, pid=pid, device=device):
                if self.running:
                    self.abandon()
                if self.queue.pop(entry.job, None) is None:  # not queued: a command has the lock, so no engine runs
                    self.queue.clear()
                self.running = self._begin(Run(entry.job, entry.at, command, pid, device))
            case JobFinished() as event:
                self._finish(entry, event)
            case Resumed(task=task, command=command):
                self._concerns(task)
                self._interrupted(command, "resumed", entry.job)
                if self.running:
                    self.running = replace(self.running, resumes=command)
            case GivenUp(task=task, command=command):
                self._concerns(task)
                self._interrupted(command, "given up", entry.job)
                self._open = ""
            case Undone(task=task):
                self._concerns(task)
                self._open = task
                for by_task, before in self._before_drop:
                    by_task.setdefault(task, before)
            case PhaseStarted(phase="train" | "retrain" | "eval", task=task) as event:
                self._concerns(task)
                if self.running and event.phase != "eval":
                    self._open = task
                    self.running = replace(self.running, phase=event.phase)
                    if event.phase == "train" and event.epoch == 1 and isinstance(self.running.command, Add):
                        self._forget(task)
            case Epoch(validation_error=float(error)) if self.running:
                self.running = replace(self.running, validation=error)
            case Pruned(task=task, ratio=ratio, after=after):
                self._concerns(task)
                if self.running:
                    self.running = replace(self.running, ratio=ratio, validation=after)
            case Checked(task=task, ok=ok) if self._counts(entry, task):
                self.checked[task] = ok
            case Evaluated(task=task, error=error, loss=loss, of=of):
                self._measured(task, error)
                doing = self.running.command if self.running else None
                elsewhere = isinstance(doing, Evaluate) and doing.elsewhere  # other data does not count for the task
                if not elsewhere and self._counts(entry, task):
                    self.samples.pop(task, None)
                    results = self.evaluations if of is None else self.samples
                    results[task] = Result(entry.at, error, loss, of)
            case Hardness(name=name) as event:
                self.hardness = {**(self.hardness if entry.job == self._ordered else {}), name: event}
                self._ordered = entry.job
            case Compared(task=task, baseline=baseline, error=error):
                self._measured(task, error)
                if self._counts(entry, task):
                    known = self.comparisons.get(task, {})
                    self.comparisons[task] = {**known, baseline: Result(entry.at, error)}

    def _finish(self, entry: Entry, event: JobFinished) -> None:
        self.last_end = entry.at, event.message
        self.queue.pop(entry.job, None)
        if not self.running or self.running.job != entry.job:
            return
        command = self.running.command
        if isinstance(command, Drop) and event.outcome == "done":
            task = command.task
            self._before_drop = [(known, known.pop(task)) for known in (*self._results, self._added) if task in known]
            self._open = ""
        self._end(replace(self.running, outcome=event.outcome, message=event.message, seconds=event.seconds))

    @property
    def _results(self) -> tuple[dict[str, Any], ...]:
        """The results, each by task."""
        return self.evaluations, self.samples, self.comparisons, self.checked

    def _interrupted(self, command: Command, what: str, job: int) -> None:
        """Record what another job did with the newest interrupted run of a command."""
        for number in range(len(self.runs) - 1, -1, -1):
            run = self.runs[number]
            if run.is_interrupted and summary(run.resumes or run.command) == summary(command):
                self.runs[number] = replace(run, then=f"{what} by job {job}")
                return

    def _end(self, run: Run) -> None:
        self.runs.append(run)
        del self.runs[:-MOST_RUNS]
        self.running = None

    def _counts(self, entry: Entry, task: str) -> bool:
        """Whether a result is of this task, not of a dropped task of the same name."""
        return entry.at >= self._dropped.get(task, 0.0)

    def _forget(self, task: str) -> None:
        """Remove the results of a task that is gone: the next task of its name starts without any."""
        for results in self._results:
            results.pop(task, None)

    # -- what a run is about --------------------------------------------------------------------------------------

    def _begin(self, run: Run) -> Run:
        """The run with what its command says before anything happened."""
        match run.command:
            case Add(task=task) as command:
                self._added[task] = command
                return replace(run, tasks=(task,), recipe=command.recipe, data=command.data, ratio=command.prune)
            case Drop(task=str(task)) | Undo(task=str(task)) | Discard(task=str(task)):
                return replace(run, tasks=(task,))
            case Evaluate(tasks=tasks) as command:
                return replace(run, tasks=tasks, data=command.data or command.mixed or "")
            case Compare(tasks=tasks):
                return replace(run, tasks=tasks)
            case Prune() | Train() as command if self._open:
                ratio = command.ratio if isinstance(command, Prune) else None
                return replace(self._with_recipe(run, self._open), tasks=(self._open,), ratio=ratio)
            case _:
                return run

    def _with_recipe(self, run: Run, task: str) -> Run:
        """The run with its recipe: the one that the task was added with, and the command's changes."""
        added = self._added.get(task)
        if added is None or not isinstance(run.command, Prune | Train):
            return run
        data = run.command.data or added.data
        try:
            recipe = added.recipe.changed({**recipes.changes(run.command.named, data), **run.command.recipe})
        except RequestError:  # the job fails for the same reason, and says so
            recipe = None
        return replace(run, recipe=recipe, data=data)

    def _concerns(self, task: str) -> None:
        """Record that the running job works on a task."""
        if self.running and task not in self.running.tasks:
            self.running = replace(self.running, tasks=(*self.running.tasks, task))
            if self.running.recipe is None:
                self.running = self._with_recipe(self.running, task)

    def _measured(self, task: str, error: Error) -> None:
        """Record that the running job measured a task's error on a test set."""
        self._concerns(task)
        if self.running:
            self.running = replace(self.running, errors={**self.running.errors, task: error})


def fold(entries: Iterable[Entry], document: Document | None = None) -> History:
    """The history after some entries, which are oldest first; `document` is as for `History`."""
    history = History(document)
    for entry in entries:
        history.read(entry)
    return history


def read_history(path: Path, document: Document | None = None) -> History:
    """The history in a journal file; empty if the file is missing. Raises OSError if it can't be read.

    Training steps, nearly all of a long journal, are skipped without decoding: 50 MB take about 0.1 s.
    """
    return fold(journal.Reader(path).entries(steps=False), document)


def of_task(runs: Iterable[Run], task: str) -> list[tuple[Run, bool]]:
    """A task's runs, newest first, each with whether it is of a dropped task of that name. `runs` are oldest first."""
    found = []
    former = undone = False
    for run in reversed(list(runs)):
        if task in run.tasks:
            if isinstance(run.command, Undo | Drop) and run.outcome == "done":
                former = former or (isinstance(run.command, Drop) and not undone)
                undone = isinstance(run.command, Undo)
            found.append((run, former))
    return found
