"""Folds a file's header and its journal into the picture that the workbench shows. Needs neither Textual nor torch.

`Story` takes journal entries in order; `Story.picture(document)` combines them with the header. The core's `History`
has what happened; Story adds what only the screen shows: progress, curves, counts during a job, log lines.
"""

from collections.abc import Iterable

from msgspec import structs

from packnet_core.jobs.history import MOST_RUNS, History, Run
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.planning.order import hardest_first
from packnet_core.schema.commands import (
    Add,
    Drop,
    Immediate,
    Preview,
    ReadOnly,
    Train,
    summary,
)
from packnet_core.schema.document import Document, Layer, TaskPhase
from packnet_core.schema.events import (
    EngineLeft,
    EngineStarted,
    Entry,
    Epoch,
    GivenUp,
    JobFinished,
    JobStarted,
    Occupancy,
    PhaseStarted,
    Previewed,
    Pruned,
    Saved,
    TrainStep,
    Undone,
)
from packnet_core.schema.text import printable
from packnet_tui.state.ended_jobs import ended_by
from packnet_tui.state.job_progress import JobProgress
from packnet_tui.state.log_lines import log_line
from packnet_tui.state.picture import LogLine, Picture, RunningJob, TaskRow
from packnet_tui.state.run_curves import RunCurves
from packnet_tui.state.series import CurveBuilder

LOG_LINES = 1000  # kept


class Story:
    """What the journal says so far, for the screen. With the file's `document`, entries of a former file are ignored.

    job       the running job and its progress; None if no job runs
    live      counts of owned weights that are not saved yet
    ratio     ratio of a pruning that is not saved yet
    previews  error right after pruning the open task, by ratio
    builders  builders of the curves, by task
    shown     the task whose curve is shown: the one trained last
    died      a message, if a process died during a job, until another process starts
    ended     jobs that ended, without previews, the last 500
    """

    def __init__(self, document: Document | None = None):
        self.history = History(document)
        self.job: RunningJob | None = None
        self._progress = JobProgress()
        self.live: Occupancy | None = None
        self.ratio: float | None = None
        self.previews: dict[float, float] = {}
        self.builders: dict[str, CurveBuilder] = {}
        self.run_curves = RunCurves()
        self.shown = ""
        self.log: list[LogLine] = []
        self.died = ""
        self.ended: list[Run] = []

    def read(self, entries: Iterable[Entry]) -> None:
        """Take in the next entries of the journal."""
        for entry in entries:
            if entry.at >= self.history.begun:
                self._read(entry)
        del self.log[:-LOG_LINES], self.ended[:-MOST_RUNS]

    def say(self, at: float, text: str, level: str = "info") -> None:
        """Add a message of the screen itself to the log."""
        self.log.append(LogLine(at, printable(" ".join(text.split())), level))

    def abandoned(self, at: float, words: str = "") -> None:
        """Record that the running job's process is gone. `words` is the last line of the engine's log."""
        if self.job is None:
            return
        if self.job.pid == self.history.engine:
            self.died = f"engine died; end of its log: {words}" if words else "engine died"
        else:
            self.died = f"process {self.job.pid} died"
        self.say(at, f"{self.died} (during {summary(self.job.command)})", "error")
        if waiting := dict(self.history.queue):
            self.say(at, f"waiting jobs are lost: {', '.join(map(summary, waiting.values()))}", "error")
        self.history.abandon()
        lost = (Run(job, 0.0, command, outcome="died", message=self.died) for job, command in waiting.items())
        self._end(self.history.runs[-1], *lost)
        self._rest()

    def picture(
        self, document: Document, checkpoint: Checkpoint | None = None, usage: str = "", undo: str = ""
    ) -> Picture:
        """The picture: the header, with the running or interrupted job's counts in place of its own, and the journal.

        `checkpoint` is the one beside the file, `undo` the dropped task that can be brought back.
        """
        held = _held(checkpoint) if checkpoint else None
        held = held if held and _fits(held, document) else None
        doing = self.job.command if self.job else None
        stopped = checkpoint if held and (doing is None or isinstance(doing, ReadOnly | Immediate)) else None
        live = self.live if self.live and _fits(self.live, document) else None
        if stopped or (isinstance(doing, Train) and doing.resumes and self.live is None):  # until that counts them
            live = held
        layers = document.layers
        if live:
            layers = tuple(structs.replace(layer, owned=tuple(live.layers[layer.name])) for layer in layers)
        there = {self.shown, *(task.name for task in document.tasks), *([stopped.task] if stopped else [])}
        self.builders = {name: builder for name, builder in self.builders.items() if name in there}  # the rest is gone
        curves = {name: builder.curve() for name, builder in self.builders.items()}
        running = self.history.running
        return Picture(
            document=document,
            layers=layers,
            tasks=self._tasks(document, live, layers, stopped),
            job=self.job,
            queue=tuple(self.history.queue.items()),
            curve=curves.get(self.shown),
            curves=curves,
            runs=(*self.history.runs, running) if running else tuple(self.history.runs),
            run_curves=self.run_curves.all(),
            log=tuple(self.log),
            stopped=stopped,
            undo=undo,
            previews=tuple(sorted(self.previews.items())),
            hardness=tuple(hardest_first(self.history.hardness.values())),
            usage=usage if self.job else "",
            died=self.died,
        )

    def _tasks(
        self, document: Document, live: Occupancy | None, layers: tuple[Layer, ...], stopped: Checkpoint | None
    ) -> tuple[TaskRow, ...]:
        names = [task.name for task in document.tasks]
        if live:
            count = len(next(iter(live.layers.values()), []))
            names = [*names, live.task][:count] if count > len(names) else names[:count]
        history, rows = self.history, []
        for index, name in enumerate(names, 1):
            saved = document.tasks[index - 1] if index <= len(document.tasks) else None
            newest = index == len(names)
            phase: TaskPhase = saved.phase if saved else "trained"
            if live and (newest or not stopped):
                phase = live.phase if newest else "sealed"
            job = self.job if self.job and self.job.task == name else None
            ratio, error = (saved.prune_ratio, saved.error) if saved else (None, None)
            if stopped and newest:
                ratio = stopped.document.tasks[-1].prune_ratio
            elif live and newest and self.ratio is not None:
                ratio = self.ratio
            evaluation = history.evaluations.get(name)
            rows.append(
                TaskRow(
                    index=index,
                    name=name,
                    phase=phase,
                    prune_ratio=ratio,
                    owned=sum(layer.owned[index - 1] for layer in layers),
                    added=error.top1 if error else None,
                    now=evaluation.error.top1 if evaluation else None,
                    same_images=not (evaluation and error) or evaluation.error.images == error.images,
                    sample=history.samples.get(name),
                    checked=history.checked.get(name),
                    validation=job.validation if job and job.trains else None,
                    working=job.phase if job else "",
                    stopped=_where(stopped) if stopped and newest else "",
                    saved=saved is not None,
                    compared={way: result.error.top1 for way, result in history.comparisons.get(name, {}).items()},
                )
            )
        return tuple(rows)

    def _read(self, entry: Entry) -> None:
        if isinstance(entry.event, EngineStarted | EngineLeft | JobStarted):
            self.abandoned(entry.at)  # the running job never ended
        if ended := ended_by(self.history, entry):
            self._end(ended)
        self.history.read(entry)
        self.run_curves.read(entry)
        if self.job:
            self.job = self._progress.after(self.job, entry)
        match entry.event:
            case EngineStarted():
                self.died = ""
            case JobStarted(command=command, pid=pid, device=device):
                self._rest()
                self.job, self.died = RunningJob(entry.job, command, pid, device), ""
                if isinstance(command, Preview) or not isinstance(command, ReadOnly):
                    self.previews.clear()
            case Previewed(ratio=ratio, error=error):
                self.previews[ratio] = error
            case JobFinished(outcome=outcome) if self.job and self.job.number == entry.job:
                if isinstance(self.job.command, Drop) and outcome == "done":
                    self.shown = ""  # its curve goes with it, unless it comes back
                self._rest()
            case Undone(task=task):
                self.shown = task
            case Saved():  # from now on the file has these counts
                self.live = self.ratio = None
                if self.job and (builder := self.builders.get(self.job.task)):
                    builder.save()
            case GivenUp(task=task) if task in self.builders and not self.builders[task].give_up():
                del self.builders[task]
            case Occupancy() as event:
                self.live = event
            case PhaseStarted() as event:
                self._begin(event)
            case TrainStep() | Epoch() | Pruned() as event:
                self._train(event)
        if line := log_line(entry):
            self.log.append(line)

    def _end(self, *runs: Run) -> None:
        self.ended += [run for run in runs if not isinstance(run.command, Preview)]

    def _rest(self) -> None:
        """Record that no job runs."""
        self.job = self.live = self.ratio = None
        self.run_curves.end()

    def _begin(self, event: PhaseStarted) -> None:
        if event.phase in ("eval", "compare", "order"):
            return
        name = event.task
        new = event.phase == "train" and event.epoch == 1 and self.job and isinstance(self.job.command, Add)
        if new or name not in self.builders:
            self.builders[name] = CurveBuilder(name)
        self.shown = name
        self.builders[name].begin(event)

    def _train(self, event: TrainStep | Epoch | Pruned) -> None:
        builder = self.builders.get(event.task)
        match event:
            case TrainStep() if builder:
                builder.step(event)
            case Epoch() if builder:
                builder.epoch(event)
            case Pruned():
                self.ratio = event.ratio
                if builder:
                    builder.prune(event)


def _fits(live: Occupancy, document: Document) -> bool:
    """Whether counts of a job can belong to this file: the same layers, and at most one task more or less."""
    tasks = {len(owned) for owned in live.layers.values()}
    return set(live.layers) == {layer.name for layer in document.layers} and all(
        len(tasks) == 1 and abs(len(owned) - len(document.tasks)) <= 1 and sum(owned) <= layer.weights
        for layer, owned in ((layer, live.layers[layer.name]) for layer in document.layers)
    )


def _held(checkpoint: Checkpoint) -> Occupancy:
    """The counts that a checkpoint holds."""
    document = checkpoint.document
    phase: TaskPhase = document.tasks[-1].phase if document.tasks else "trained"
    return Occupancy(
        task=checkpoint.task, phase=phase, layers={layer.name: list(layer.owned) for layer in document.layers}
    )


def _where(stopped: Checkpoint) -> str:
    return f"stopped {stopped.epoch}/{stopped.epochs}" if stopped.epochs else "stopped"
