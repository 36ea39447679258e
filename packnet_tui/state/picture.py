"""The one read-only picture that every widget is a function of. Needs neither Textual nor torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from packnet_core.planning.gap import gap_closed
from packnet_core.schema.commands import Command, Preview
from packnet_core.schema.document import Document, Layer, Phase
from packnet_tui.state.runs import Run
from packnet_tui.state.series import Curve


@dataclass(frozen=True)
class Job:
    """The job that runs, as far as the journal says."""

    number: int
    command: Command
    pid: int
    device: str
    phase: str = ""  # train, retrain, eval or compare; empty while it gets ready
    task: str = ""
    epoch: int = 0  # the one under way
    epochs: int = 0
    validation: float | None = None  # error in percent, after the last epoch
    images_per_second: float = 0.0
    seconds_left: float | None = None
    done: int = 0  # images evaluated; of a comparison, steps too
    images: int = 0


@dataclass(frozen=True)
class TaskRow:
    """One task, from 1. Errors are percentages of wrong answers on the test set, `validation` on the validation set."""

    index: int
    called: str  # in the file
    name: str  # as it is shown
    phase: Phase
    prune_ratio: float | None
    owned: int
    added: float | None  # at the end of the last job that changed the task
    now: float | None  # when it was last evaluated
    validation: float | None  # while it is trained
    checked: bool | None = None  # whether its digest was found to be the file's, when it was last computed
    working: str = ""  # what the running job does with it
    compared: Mapping[str, float] = field(default_factory=dict)  # its error by baselines, as last measured

    @property
    def open(self) -> bool:
        return self.phase != "sealed"

    @property
    def drift(self) -> float | None:
        """By how many points the error moved since the task was added; exactly 0 where nothing changed."""
        return None if self.added is None or self.now is None else self.now - self.added

    @property
    def closed(self) -> float | None:
        """How much of the gap between Classifier Only and an Individual Network is closed, in percent."""
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
    layers: tuple[Layer, ...]  # with live counts, while a job changes them
    tasks: tuple[TaskRow, ...]
    job: Job | None = None
    queue: tuple[tuple[int, Command], ...] = ()
    curve: Curve | None = None  # of the task trained last
    curves: dict[str, Curve] = field(default_factory=dict)  # of every task that was trained, by name
    runs: tuple[Run, ...] = ()  # oldest first
    log: tuple[LogLine, ...] = ()
    interrupted: Command | None = None  # a stopped job that `train` goes on with
    previews: tuple[tuple[float, float], ...] = ()  # ratios, with the open task's error right after pruning at them
    usage: str = ""  # of the running job's device
    died: str = ""  # who died in the middle of what, until the next one starts

    @cached_property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @cached_property
    def free(self) -> int:
        return sum(layer.free for layer in self.layers)

    @property
    def open_task(self) -> TaskRow | None:
        return self.tasks[-1] if self.tasks and self.tasks[-1].open else None

    @property
    def busy(self) -> bool:
        return self.job is not None or bool(self.queue)

    @property
    def previewing(self) -> tuple[int, ...]:
        """The numbers of the previews that run or wait; they give way to any work."""
        jobs = [(self.job.number, self.job.command)] if self.job else []
        return tuple(number for number, command in (*jobs, *self.queue) if isinstance(command, Preview))

    @property
    def working(self) -> bool:
        """Whether a job runs or waits that is more than a preview."""
        return len(self.previewing) < len(self.queue) + (self.job is not None)
