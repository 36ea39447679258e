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

    Only for the holder of the file's lock, or where nobody holds it: otherwise the job may still run.
    """
    if found := checkpoint_header.find(paths.checkpoint, document):
        return Unfinished(checkpoint=found)
    begun = document.history[0].at if document.history else 0.0
    running = lost = None  # the starts of the job that did not end so far, and of the last one that was cut off
    added: dict[str, Add] = {}  # by task, how it was added last
    for entry in journal.Reader(paths.journal).entries(steps=False):  # one by one: it may be long
        match entry.event:
            case JobStarted(command=Add() | Prune() | Train() | Drop() as command) if (
                entry.at >= begun and entry.job != but
            ):
                lost, running = running or lost, (entry, command)
                if isinstance(command, Add):
                    added[command.task] = command
            case JobFinished(outcome=outcome) if running and entry.job == running[0].job:
                lost, running = None if outcome == "done" else lost, None  # a refused job changes nothing
    lost = running or lost
    if lost is None:
        return Unfinished()
    saved = [step for step in document.history if step.at >= lost[0].at]
    return Unfinished(lost=_left(document, added) if saved else lost[1])


def _left(document: Document, added: dict[str, Add]) -> Command | None:
    """What is left of a lost job that saved the file: an addition may have saved its task and not have pruned it."""
    newest = document.open_task
    command = added.get(newest.name) if newest else None
    if command is None or command.prune is None or document.history[-1].what != summary(command):
        return None
    return Prune(ratio=command.prune, steps=command.steps) if newest and newest.phase == "trained" else None


def describe(lost: Command) -> str:
    """Why nothing can be resumed, and which command to repeat."""
    return f"{summary(lost)} was cut off before it left anything to resume; do it again: {as_typed(lost)}"
