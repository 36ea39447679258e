"""The picture: all that the screen shows, as one read-only value. Needs neither Textual nor torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from packnet_core.jobs import chance
from packnet_core.jobs.history import Result, Run
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.planning.gap import gap_closed
from packnet_core.schema.commands import Command, Preview
from packnet_core.schema.document import Document, Layer, TaskPhase
from packnet_core.schema.events import Hardness
from packnet_tui.state.series import Curve


@dataclass(frozen=True)
class RunningJob:
    """The running job and its progress."""

    number: int
    command: Command
    pid: int
    device: str
    phase: str = ""  # train, retrain, eval, compare or order; empty while it is prepared
    task: str = ""
    epoch: int = 0  # under way, from 1
    epochs: int = 0
    validation: float | None = None  # error in percent, after the last epoch
    images_per_second: float = 0.0
    seconds_left: float | None = None  # of the job; of an evaluation, comparison or order, of the phase under way
    done: int = 0  # images evaluated; in a comparison or for an order, steps
    images: int = 0
    part: int = 1  # the phase is for this task of `parts` tasks
    parts: int = 1

    @property
    def trains(self) -> bool:
        """Whether it trains or retrains its task now; else it measures, or is prepared."""
        return self.phase in ("train", "retrain")


@dataclass(frozen=True)
class TaskRow:
    """One task. Errors are in percent on the test set, except `validation`."""

    index: int  # from 1
    name: str
    phase: TaskPhase
    prune_ratio: float | None
    owned: int
    added: float | None  # at the end of the last job that changed the task
    now: float | None  # when it was last evaluated
    validation: float | None  # on the validation images, while it is trained
    same_images: bool = True  # whether `now` was measured on as many images as `added`
    sample: Result | None = None  # when it was last evaluated, if that was on some test images only
    checked: bool | None = None  # whether its digest matched when it was last computed; None: never computed
    working: str = ""  # the phase of the running job, if it works on this task
    stopped: str = ""  # where the interrupted job stopped, if it works on this task: "stopped 3/8", of its epochs
    saved: bool = True  # whether the file has the task; False while it is added, or once that was stopped
    compared: Mapping[str, float] = field(default_factory=dict)  # its newest error by each baseline

    @property
    def open(self) -> bool:
        return self.phase != "sealed"

    @property
    def drift(self) -> float | None:
        """The error now minus the error when the task was added, in points; exactly 0 if nothing changed.

        None if one is unknown, or if they are of different images.
        """
        return None if self.added is None or self.now is None or not self.same_images else self.now - self.added

    @property
    def closed(self) -> float | None:
        """The share of the gap between Classifier Only and an Individual Network that is closed, in percent (§4)."""
        return gap_closed(self.added, self.compared.get("classifier"), self.compared.get("individual"))


@dataclass(frozen=True)
class LogLine:
    at: float
    text: str
    level: str = "info"  # info, good, warning, error


@dataclass(frozen=True)
class Picture:
    """All that the screen shows."""

    document: Document
    layers: tuple[Layer, ...]  # with the counts of the running or interrupted job, where it has changed them
    tasks: tuple[TaskRow, ...]
    job: RunningJob | None = None
    queue: tuple[tuple[int, Command], ...] = ()
    curve: Curve | None = None  # of the task trained last
    curves: Mapping[str, Curve] = field(default_factory=dict)  # of every task that was trained, by name
    runs: tuple[Run, ...] = ()  # oldest first; the running one is the last
    run_curves: Mapping[int, Curve] = field(default_factory=dict)  # by job number, of jobs that trained or pruned
    log: tuple[LogLine, ...] = ()
    stopped: Checkpoint | None = None  # of an interrupted job, which `train` resumes and `discard` gives up
    undo: str = ""  # the dropped task that `undo` brings back; empty: none
    previews: tuple[tuple[float, float], ...] = ()  # ratios, and the open task's error right after pruning at each
    hardness: tuple[Hardness, ...] = ()  # of data sets whose order was measured last, the hardest first
    usage: str = ""  # of the running job's device
    died: str = ""  # a message, if a process died during a job, until another process starts
    signature: object = None  # of the file: another one if it was saved or replaced

    @cached_property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @cached_property
    def free(self) -> int:
        return sum(layer.free for layer in self.layers)

    @cached_property
    def against_chance(self) -> str:
        """`no better than chance` or `little better than chance`, of the file's open task; empty if it is better."""
        task = self.document.open_task
        return chance.against_chance(task) if task else ""

    @property
    def interrupted(self) -> Command | None:
        """The command of the interrupted job."""
        return self.stopped.command if self.stopped else None

    @property
    def counted(self) -> Command | None:
        """The command whose work the counts show: the running one or the one that it resumes, else the interrupted."""
        if self.job is None:
            return self.interrupted
        return (self.runs[-1].resumes if self.runs else None) or self.job.command

    @property
    def unfinished(self) -> str:
        """The task that an interrupted job was adding and that the file does not have; empty: none."""
        return self.stopped.task if self.stopped and self.stopped.adds_to(self.document) else ""

    @cached_property
    def as_saved(self) -> "Picture":
        """The same with the counts and tasks of the file, from which a job begins that gives up the interrupted one."""
        if self.stopped is None:
            return self
        tasks = self.document.tasks
        rows = tuple(
            replace(row, phase=task.phase, prune_ratio=task.prune_ratio, owned=owned, stopped="")
            for row, task, owned in zip(self.tasks, tasks, self.document.owned, strict=False)
        )
        return replace(self, layers=self.document.layers, tasks=rows, stopped=None)

    @property
    def open_task(self) -> TaskRow | None:
        return self.tasks[-1] if self.tasks and self.tasks[-1].open else None

    @property
    def busy(self) -> bool:
        return self.job is not None or bool(self.queue)

    @property
    def doing(self) -> Command | None:
        """The command that runs, or else the first one that waits."""
        return self.job.command if self.job else self.queue[0][1] if self.queue else None

    @property
    def previewing(self) -> tuple[int, ...]:
        """Job numbers of the previews that run or wait; other jobs take precedence over them."""
        jobs = [(self.job.number, self.job.command)] if self.job else []
        return tuple(number for number, command in (*jobs, *self.queue) if isinstance(command, Preview))

    @property
    def working(self) -> bool:
        """Whether a job other than a preview runs or waits."""
        return len(self.previewing) < len(self.queue) + (self.job is not None)
