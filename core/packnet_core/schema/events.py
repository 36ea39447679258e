"""Events: what happens during a job, as values. The journal has them, one JSON object per line. Needs no torch.

A job is a generator of events, the same one for the command line, the engine, the API and tests.
"""

from typing import Literal

from msgspec import Struct

from packnet_core.schema.commands import Baseline, Command
from packnet_core.schema.document import Error, Phase


class EngineStarted(Struct, frozen=True, kw_only=True, tag="engine-started"):
    pid: int


class EngineLeft(Struct, frozen=True, kw_only=True, tag="engine-left"):
    pid: int
    reason: str


class JobQueued(Struct, frozen=True, kw_only=True, tag="job-queued"):
    command: Command


class JobStarted(Struct, frozen=True, kw_only=True, tag="job-started"):
    command: Command
    pid: int
    device: str


class PhaseStarted(Struct, frozen=True, kw_only=True, tag="phase-started"):
    """Training, retraining, evaluation or a comparison begins. `images` counts training (or test) images."""

    phase: Literal["train", "retrain", "eval", "compare"]
    task: str
    epochs: int
    images: int
    epoch: int = 1  # the first one to be done; more than 1 where an interrupted job is resumed
    before: float | None = None  # retraining: the validation error in percent before pruning


class Occupancy(Struct, frozen=True, kw_only=True, tag="occupancy"):
    """The weights that each task owns now, by layer, as in the header. The file has them only after the next Saved."""

    task: str
    phase: Phase
    layers: dict[str, list[int]]


class TrainStep(Struct, frozen=True, kw_only=True, tag="step"):
    """One optimizer step. `step` counts over the whole phase; `seconds_left` is for the whole job."""

    task: str
    epoch: int
    step: int
    steps: int
    loss: float
    error: float  # of this batch, percent
    lr: float
    images_per_second: float
    seconds_left: float


class Epoch(Struct, frozen=True, kw_only=True, tag="epoch"):
    """One pass over the training images is done. Errors in percent; those of validation are None without images."""

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
    """A task's test error with a baseline; `after` names the newest task at that time, where that matters."""

    task: str
    baseline: Baseline
    error: Error
    after: str | None = None


class Checked(Struct, frozen=True, kw_only=True, tag="checked"):
    """The digest of all that a task uses was computed; `ok` says whether it is the file's."""

    task: str
    ok: bool


class Progress(Struct, frozen=True, kw_only=True, tag="progress"):
    """How far an evaluation is, in images, or a comparison, in training steps."""

    task: str
    done: int
    images: int


class Evaluated(Struct, frozen=True, kw_only=True, tag="evaluated"):
    task: str
    error: Error
    loss: float
    seconds: float


class Saved(Struct, frozen=True, kw_only=True, tag="saved"):
    """The file was replaced by its new state."""

    bytes: int


class Note(Struct, frozen=True, kw_only=True, tag="note"):
    """A message for a person."""

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
    | PhaseStarted
    | Occupancy
    | TrainStep
    | Epoch
    | Pruned
    | Previewed
    | Compared
    | Checked
    | Progress
    | Evaluated
    | Saved
    | Note
    | JobFinished
)


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the journal. `job` is 0 for what belongs to no job; `at` is seconds since 1970."""

    at: float
    job: int
    event: Event
