"""What the workbench shows, as one read-only picture folded from the file's header and its journal.

`Story` takes journal entries in their order; `Story.picture(document)` freezes what they and the header say together.
Every widget is a function of that picture. Needs neither Textual nor torch.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from packnet_core.schema.commands import Add, Command, Compare, Drop, Evaluate, summary
from packnet_core.schema.document import Document, Layer, Phase
from packnet_core.schema.events import (
    Checked,
    Compared,
    EngineLeft,
    EngineStarted,
    Entry,
    Epoch,
    Evaluated,
    JobFinished,
    JobQueued,
    JobStarted,
    Note,
    Occupancy,
    PhaseStarted,
    Previewed,
    Progress,
    Pruned,
    Saved,
    TrainStep,
)
from packnet_core.schema.text import printable
from packnet_tui.state.event_lines import line
from packnet_tui.state.format import cut, long
from packnet_tui.state.picture import Job, LogLine, Picture, TaskRow
from packnet_tui.state.runs import Runs
from packnet_tui.state.series import CurveBuilder

LOG_LINES = 1000
NAME = 24  # cells of a task's name in the log


@dataclass
class Story:
    """What the journal has told so far. `begun` is when the file was made: older entries are of a former one."""

    begun: float = 0.0
    job: Job | None = None
    queue: dict[int, Command] = field(default_factory=dict)
    live: Occupancy | None = None  # counts since the file was last saved
    ratio: float | None = None  # of the pruning since then
    previews: dict[float, float] = field(default_factory=dict)  # error right after pruning, by ratio; of the open task
    checked: dict[str, bool] = field(default_factory=dict)  # whether a task's digest was found to be the file's
    evaluated: dict[str, float] = field(default_factory=dict)  # top-1 error by task
    compared: dict[str, dict[str, float]] = field(default_factory=dict)  # the same by task and baseline
    builders: dict[str, CurveBuilder] = field(default_factory=dict)
    runs: Runs = field(default_factory=Runs)
    shown: str = ""  # the task whose curve is shown: the one trained last
    log: list[LogLine] = field(default_factory=list)
    engine: int = 0  # its process, 0 where none runs
    died: str = ""

    def read(self, entries: Iterable[Entry]) -> None:
        """Take in what was appended."""
        for entry in entries:
            if entry.at >= self.begun:
                self._read(entry)
        del self.log[:-LOG_LINES]

    def say(self, at: float, text: str, level: str = "info") -> None:
        """Put a line into the log that is the screen's own."""
        self.log.append(LogLine(at, printable(" ".join(text.split())), level))

    def abandoned(self, at: float, words: str = "") -> None:
        """Whoever did the running job is gone without having finished it. `words` are the engine's last."""
        if self.job is None:
            return
        if self.job.pid == self.engine:
            self.died = f"engine died; last words: {words}" if words else "engine died"
        else:
            self.died = f"process {self.job.pid} died"
        self.say(at, f"{self.died} (in the middle of {summary(self.job.command)})", "error")
        if self.queue:
            self.say(at, f"lost with it: {', '.join(summary(command) for command in self.queue.values())}", "error")
        self.job = self.live = self.ratio = None
        self.queue.clear()
        self.runs.abandon()
        self.engine = 0

    def picture(self, document: Document, interrupted: Command | None = None, usage: str = "") -> Picture:
        """What is shown: the header, with the running job's counts over it. Pure."""
        live = self.live if self.live and _fits(self.live, document) else None
        layers = document.layers
        if live:
            layers = tuple(replace_owned(layer, live.layers[layer.name]) for layer in layers)
        curves = {name: builder.curve() for name, builder in self.builders.items()}
        return Picture(
            document=document,
            layers=layers,
            tasks=self._tasks(document, live, layers),
            job=self.job,
            queue=tuple(self.queue.items()),
            curve=curves.get(self.shown),
            curves=curves,
            runs=self.runs.all(),
            log=tuple(self.log),
            interrupted=None if self.job else interrupted,
            previews=tuple(sorted(self.previews.items())),
            usage=usage if self.job else "",
            died=self.died,
        )

    def _tasks(self, document: Document, live: Occupancy | None, layers: tuple[Layer, ...]) -> tuple[TaskRow, ...]:
        names = [task.name for task in document.tasks]
        if live:
            count = len(next(iter(live.layers.values()), []))
            names = [*names, live.task][:count] if count > len(names) else names[:count]
        rows = []
        for index, name in enumerate(names, 1):
            saved = document.tasks[index - 1] if index <= len(document.tasks) else None
            newest = index == len(names)
            phase: Phase = saved.phase if saved else "trained"
            if live:
                phase = live.phase if newest else "sealed"
            job = self.job if self.job and self.job.task == name else None
            training = job is not None and job.phase in ("train", "retrain")
            ratio = saved.prune_ratio if saved else None
            rows.append(
                TaskRow(
                    index=index,
                    called=name,
                    name=printable(name),
                    phase=phase,
                    prune_ratio=self.ratio if newest and live and self.ratio is not None else ratio,
                    owned=sum(layer.owned[index - 1] for layer in layers),
                    added=saved.error.top1 if saved and saved.error else None,
                    now=self.evaluated.get(name),
                    checked=self.checked.get(name),
                    validation=job.validation if job and training else None,
                    working=job.phase if job else "",
                    compared=self.compared.get(name, {}),
                )
            )
        return tuple(rows)

    def _read(self, entry: Entry) -> None:
        match entry.event:
            case EngineStarted(pid=pid):
                self.abandoned(entry.at)
                self.queue.clear()
                self.engine, self.died = pid, ""
            case EngineLeft():
                self.abandoned(entry.at)
                self.queue.clear()
                self.engine = 0
            case JobQueued(command=command):
                self.queue[entry.job] = command
            case JobStarted(command=command, pid=pid, device=device):
                self.abandoned(entry.at)
                self.queue.pop(entry.job, None)
                self.live = self.ratio = None
                self.job, self.died = Job(entry.job, command, pid, device), ""
                if not isinstance(command, Evaluate | Compare):
                    self.previews.clear()
            case Previewed(ratio=ratio, error=error):
                self.previews[ratio] = error
            case Checked(task=task, ok=ok):
                self.checked[task] = ok
            case JobFinished() as event:
                self._finish(entry.job, event)
            case Saved():  # the file is the truth again
                self.live = self.ratio = None
            case Occupancy() as event:
                self.live = event
            case Evaluated(task=task, error=error):
                doing = self.job.command if self.job else None
                if not (isinstance(doing, Evaluate) and doing.elsewhere):  # other data prove no drift
                    self.evaluated[task] = error.top1
            case Compared(task=task, baseline=baseline, error=error):
                self.compared[task] = {**self.compared.get(task, {}), baseline: error.top1}
            case PhaseStarted() as event:
                self._begin(event)
            case Progress(task=task, done=done, images=images) if self.job:
                phase = "compare" if isinstance(self.job.command, Compare) else "eval"
                self.job = replace(self.job, phase=phase, task=task, done=done, images=images)
            case TrainStep() | Epoch() | Pruned() as event:
                self._train(event)
        self.runs.read(entry)
        self._log(entry)

    def _begin(self, event: PhaseStarted) -> None:
        if self.job:
            doing = replace(self.job, phase=event.phase, task=event.task, epoch=event.epoch, epochs=event.epochs)
            self.job = replace(doing, done=0, images=event.images, validation=None, seconds_left=None)
        if event.phase in ("eval", "compare"):
            return
        name = printable(event.task)
        anew = event.phase == "train" and event.epoch == 1 and self.job and isinstance(self.job.command, Add)
        if anew or name not in self.builders:
            self.builders[name] = CurveBuilder(name)
            if anew:
                self._forget(event.task)  # a dropped namesake
        self.shown = name
        self.builders[name].begin(event)

    def _train(self, event: TrainStep | Epoch | Pruned) -> None:
        builder = self.builders.get(printable(event.task))
        match event:
            case TrainStep():
                if self.job:
                    speed, left = event.images_per_second, event.seconds_left
                    self.job = replace(self.job, epoch=event.epoch, images_per_second=speed, seconds_left=left)
                if builder:
                    builder.step(event)
            case Epoch():
                if self.job:
                    self.job = replace(self.job, epoch=event.epoch, validation=event.validation_error)
                if builder:
                    builder.epoch(event)
            case Pruned():
                self.ratio = event.ratio
                if builder:
                    builder.prune(event)

    def _finish(self, job: int, event: JobFinished) -> None:
        self.queue.pop(job, None)
        if not self.job or self.job.number != job:
            return
        command = self.job.command
        if isinstance(command, Drop) and event.outcome == "done":
            self._forget(command.task)
            self.builders.pop(printable(command.task), None)
        self.job = self.live = self.ratio = None

    def _forget(self, task: str) -> None:
        for known in (self.evaluated, self.compared, self.checked):
            known.pop(task, None)

    def _log(self, entry: Entry) -> None:
        level, text = "info", line(entry)
        name = cut(getattr(entry.event, "task", ""), NAME)
        match entry.event:
            case Epoch() as event:
                # whose it is stands where the phase begins: with the name, lines come apart where the pane is narrow
                text = f"{event.phase} {event.epoch}/{event.epochs}  loss {event.loss:.3f}"
                if event.validation_error is not None:
                    text += f"  val {event.validation_error:.2f} %"
            case Pruned() as event:
                text = f"pruned {name} {event.ratio:g}  frees {long(event.freed)}"
                if event.before is not None and event.after is not None:
                    text += f"  val {event.before:.2f} → {event.after:.2f} %"
            case Evaluated(error=error):
                top5 = "" if error.top5 is None else f"  top-5 {error.top5:.2f} %"
                text = f"eval {name}  error {error.top1:.2f} %{top5}"
            case Compared(baseline=baseline, error=error, after=after):
                when = f"  after {cut(after, NAME)}" if after else ""
                text = f"{baseline} {name}  error {error.top1:.2f} %{when}"
            case Previewed():  # stars on the prune screen, and many
                text = None
            case Note(level="warning"):
                level = "warning"
            case JobFinished(outcome="failed"):
                level = "error"
            case JobFinished(outcome="done"):
                level = "good"
            case JobFinished(outcome="stopped"):
                level = "warning"
                text = entry.event.message.partition(";")[0]
        if text is not None:
            self.log.append(LogLine(entry.at, printable(text), level))


def replace_owned(layer: Layer, owned: Iterable[int]) -> Layer:
    """A layer with other counts."""
    return Layer(name=layer.name, shape=layer.shape, owned=tuple(owned))


def _fits(live: Occupancy, document: Document) -> bool:
    """Whether counts in the journal are of this file as it is: every layer, and one task more or less at most."""
    tasks = len(document.tasks)
    return set(live.layers) == {layer.name for layer in document.layers} and all(
        abs(len(owned) - tasks) <= 1 and sum(owned) <= layer.weights
        for layer, owned in ((layer, live.layers[layer.name]) for layer in document.layers)
    )
