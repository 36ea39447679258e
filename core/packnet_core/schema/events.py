"""Events of jobs and engines, as values. The journal has them, one JSON object per line. Needs no torch.

A job is a generator of events: the same generator for the command line, the engine, the API and tests.
"""

from typing import Literal

from msgspec import Struct

from packnet_core.schema.commands import Add, Baseline, Command, Prune, Train
from packnet_core.schema.document import Error, TaskPhase


class EngineStarted(Struct, frozen=True, kw_only=True, tag="engine-started"):
    """An engine listens on its socket."""

    pid: int


class EngineLeft(Struct, frozen=True, kw_only=True, tag="engine-left"):
    """An engine ended, and why."""

    pid: int
    reason: str


class JobQueued(Struct, frozen=True, kw_only=True, tag="job-queued"):
    """A job waits in an engine's queue."""

    command: Command


class JobStarted(Struct, frozen=True, kw_only=True, tag="job-started"):
    """A process began a job, on a torch device."""

    command: Command
    pid: int
    device: str


class Resumed(Struct, frozen=True, kw_only=True, tag="resumed"):
    """An interrupted job, which worked on `task`, is resumed by this one."""

    task: str
    command: Add | Prune | Train


class GivenUp(Struct, frozen=True, kw_only=True, tag="given-up"):
    """An interrupted job, which worked on `task`, is given up: its checkpoint is removed."""

    task: str
    command: Add | Prune | Train


class PhaseStarted(Struct, frozen=True, kw_only=True, tag="phase-started"):
    """Training, retraining, evaluation, a comparison, or the training of a head for an order begins.

    `images` counts training (or test) images; in a comparison and for an order, training steps.
    """

    phase: Literal["train", "retrain", "eval", "compare", "order"]
    task: str
    epochs: int
    images: int
    epoch: int = 1  # the first epoch to do; more than 1 if an interrupted job is resumed
    before: float | None = None  # retraining: the validation error in percent before pruning
    part: int = 1
    parts: int = 1


class Occupancy(Struct, frozen=True, kw_only=True, tag="occupancy"):
    """How many weights each task owns now, by layer, as in the header. The file has them after the next Saved."""

    task: str
    phase: TaskPhase
    layers: dict[str, list[int]]


class TrainStep(Struct, frozen=True, kw_only=True, tag="step"):
    """One optimizer step. `step` counts over the whole phase; `seconds_left` is for the whole job."""

    task: str
    epoch: int
    epochs: int = 0  # 0: not known, in an old journal
    step: int
    steps: int
    loss: float
    error: float  # of this batch, percent
    lr: float
    images_per_second: float
    seconds_left: float


class Epoch(Struct, frozen=True, kw_only=True, tag="epoch"):
    """One pass over the training images is done. Errors in percent; None without validation images."""

    phase: Literal["train", "retrain"]
    task: str
    epoch: int
    epochs: int
    step: int
    loss: float
    error: float
    validation_loss: float | None
    validation_error: float | None
    seconds: float


class Pruned(Struct, frozen=True, kw_only=True, tag="pruned"):
    """Weights were set free. `before` and `after` are the validation errors in percent before and after pruning."""

    task: str
    ratio: float
    freed: int
    kept: int
    before: float | None
    after: float | None


class Previewed(Struct, frozen=True, kw_only=True, tag="previewed"):
    """The error in percent right after pruning at a ratio, on a sample; nothing was changed."""

    task: str
    ratio: float
    error: float
    images: int


class Compared(Struct, frozen=True, kw_only=True, tag="compared"):
    """A task's test error with a baseline; for LwF and EWC, `after` is the newest task at that time."""

    task: str
    baseline: Baseline
    error: Error
    after: str | None = None


class Hardness(Struct, frozen=True, kw_only=True, tag="hardness"):
    """How hard one data set is: the errors in percent of a new head on fixed features."""

    name: str
    data: str  # its source, resolved
    classes: int
    validation_error: float | None  # after the best epoch; None without validation images
    error: Error  # on the test set
    chance: float  # the error of always answering the test set's largest class

    @property
    def ordering_error(self) -> float:
        """The error in percent that tasks are ordered by: on validation images, or without any on the test set."""
        return self.error.top1 if self.validation_error is None else self.validation_error


class Checked(Struct, frozen=True, kw_only=True, tag="checked"):
    """The digest of all that a task uses was recomputed; `ok` says whether it is the one in the file."""

    task: str
    ok: bool


class Progress(Struct, frozen=True, kw_only=True, tag="progress"):
    """Progress of an evaluation, in images, or of a comparison or an order, in training steps: `done` of `images`.

    A comparison also says its epoch, from 1, of how many.
    """

    task: str
    done: int
    images: int
    epoch: int = 0
    epochs: int = 0


class Evaluated(Struct, frozen=True, kw_only=True, tag="evaluated"):
    """A task's error and mean loss were measured. `of`: images of the whole set, if only some of them were measured."""

    task: str
    error: Error
    loss: float
    seconds: float
    of: int | None = None


class Saved(Struct, frozen=True, kw_only=True, tag="saved"):
    """The file was saved; `bytes` is its size."""

    bytes: int


class Undone(Struct, frozen=True, kw_only=True, tag="undone"):
    """A dropped task is back: the file is again as it was before the drop, of that size in bytes."""

    task: str
    bytes: int


class Note(Struct, frozen=True, kw_only=True, tag="note"):
    """A message for the user."""

    text: str
    level: Literal["info", "warning"] = "info"


class JobFinished(Struct, frozen=True, kw_only=True, tag="job-finished"):
    """The last event of a job. `status` is the command line's exit status: 0 done, 1 failed or stopped, 2 refused."""

    outcome: Literal["done", "failed", "stopped", "cancelled"]
    message: str
    seconds: float
    status: int


Event = (
    EngineStarted
    | EngineLeft
    | JobQueued
    | JobStarted
    | Resumed
    | GivenUp
    | PhaseStarted
    | Occupancy
    | TrainStep
    | Epoch
    | Pruned
    | Previewed
    | Compared
    | Hardness
    | Checked
    | Progress
    | Evaluated
    | Saved
    | Undone
    | Note
    | JobFinished
)


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the journal. `job` is 0 for an event without a job; `at` is seconds since 1970."""

    at: float
    job: int
    event: Event
