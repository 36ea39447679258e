"""A job that did not come to its end: what it left to resume from, or that it left nothing. Needs no torch."""

from typing import NamedTuple

from packnet_core.jobs import journal
from packnet_core.packfile import checkpoint_header
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Command, Drop, Prune, Train, as_typed, summary
from packnet_core.schema.document import Document
from packnet_core.schema.events import JobFinished, JobStarted


class Unfinished(NamedTuple):
    """What an unfinished job left: a checkpoint, or nothing. Of both, one at most is there."""

    checkpoint: Checkpoint | None = None  # `train` resumes this
    lost: Command | None = None  # this has to be done again

    def advice(self, paths: Paths) -> str:
        """What to do about it, as a clause; empty where there is nothing to do."""
        if self.checkpoint:
            return f"resume {summary(self.checkpoint.command)} with: {as_typed(Train(), paths.file)}"
        if self.lost:
            return f"{summary(self.lost)} left nothing to resume; do it again: {as_typed(self.lost, paths.file)}"
        return ""


def unfinished(paths: Paths, document: Document, but: int = 0) -> Unfinished:
    """What the last job that changes the file (`but` for the one of this number) left, if it died or was stopped.

    Only for the holder of the file's lock, or where nobody holds it: otherwise the job may still run. Raises ReadError
    where the disk refuses to read the checkpoint, OSError where it refuses to read the journal.
    """
    if found := checkpoint_header.find(paths.checkpoint, document, to_work=True):
        return Unfinished(checkpoint=found)
    begun = document.history[0].at if document.history else 0.0
    last: tuple[int, Command] | None = None
    for entry in journal.read(paths.journal, steps=False):
        match entry.event:
            case JobStarted(command=Add() | Prune() | Train() | Drop() as command) if (
                entry.at >= begun and entry.job != but
            ):
                last = entry.job, command
            case JobFinished() if last and entry.job == last[0]:
                last = None
    return Unfinished(lost=_left(last[1], document) if last else None)


def _left(lost: Command, document: Document) -> Command | None:
    """What is left to do of a lost job: an addition may have saved its task and not have pruned it yet."""
    if not isinstance(lost, Add) or all(task.name != lost.task for task in document.tasks):
        return lost
    return None if lost.prune is None else Prune(ratio=lost.prune, steps=lost.steps)


def describe(lost: Command) -> str:
    """Why nothing can be resumed, and which command to repeat."""
    return f"{summary(lost)} was cut off before it left anything to resume; do it again: {as_typed(lost)}"
