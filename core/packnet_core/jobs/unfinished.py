"""A job that did not come to its end: what it left to resume from, or that it left nothing. Needs no torch."""

from typing import NamedTuple

from packnet_core.jobs import journal
from packnet_core.packfile import checkpoint_header
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Command, Drop, Prune, Train, as_typed, summary
from packnet_core.schema.document import Document
from packnet_core.schema.events import Entry, JobFinished, JobStarted


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
    last: tuple[Entry, Command] | None = None
    begun_as: dict[str, Command] = {}  # the commands by what the file's history says of them
    for entry in journal.read(paths.journal, steps=False):
        match entry.event:
            case JobStarted(command=Add() | Prune() | Train() | Drop() as command) if (
                entry.at >= begun and entry.job != but
            ):
                last = entry, command
                begun_as[summary(command)] = command
            case JobFinished() if last and entry.job == last[0].job:
                last = None
    if last is None:
        return Unfinished()
    entry, lost = last
    newest = document.history[-1] if document.history else None
    saved = newest is not None and newest.at >= entry.at
    if newest and saved:
        lost = begun_as.get(newest.what, lost)  # a resumed job saves in the name of the one that it resumes
    if isinstance(lost, Add):
        return Unfinished(lost=_left(lost, document))
    return Unfinished(lost=None if saved else lost)


def _left(lost: Add, document: Document) -> Command | None:
    """What is left to do of an addition: it may have saved its task, and have pruned it or not."""
    task = next((task for task in document.tasks if task.name == lost.task), None)
    if task is None:
        return lost
    return Prune(ratio=lost.prune, steps=lost.steps) if lost.prune is not None and task.phase == "trained" else None


def describe(lost: Command) -> str:
    """Why nothing can be resumed, and which command to repeat."""
    return f"{summary(lost)} was cut off before it left anything to resume; do it again: {as_typed(lost)}"
