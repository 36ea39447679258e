"""Runs and results, as the history has them. Needs no torch."""

from msgspec import Struct

from packnet_core.schema.commands import Command
from packnet_core.schema.document import Error
from packnet_core.schema.recipes import Recipe


class Result(Struct, frozen=True):
    """A task's error on the test set. `at` is in seconds since 1970; a comparison has no loss.

    `of` is the number of images in the whole test set, if only some of them were measured.
    """

    at: float
    error: Error
    loss: float | None = None
    of: int | None = None


class Run(Struct, frozen=True):
    """One job as one process did it: a job that was stopped and resumed is two runs. Names are those in the file."""

    job: int  # its number in the journal
    at: float  # when it began, in seconds since 1970
    command: Command
    pid: int = 0
    device: str = ""
    tasks: tuple[str, ...] = ()  # those that it worked on or measured
    outcome: str = ""  # done, failed, stopped or died; empty while it runs
    message: str = ""
    seconds: float | None = None  # None: it runs, or it died
    recipe: Recipe | None = None  # with the command's changes; None: not known from the journal
    data: str = ""
    ratio: float | None = None  # of its pruning
    errors: dict[str, Error] = {}  # per task, the last one measured on the test set
    validation: float | None = None  # error in percent of the trained task, after the last epoch
    resumes: Command | None = None  # the interrupted job that it resumed
    then: str = ""  # what became of it once it was interrupted: "resumed by job 2", "given up by job 3"
    phase: str = ""  # of training, that it began last: train or retrain

    @property
    def is_interrupted(self) -> bool:
        """Whether it ended before its work was done, so that it may have left a checkpoint."""
        return self.outcome in ("stopped", "died") or (self.outcome == "failed" and self.phase != "")
