"""A job that did not come to its end: what it left to resume from, or that it left nothing. Needs no torch."""

from pathlib import PurePath
from typing import NamedTuple

from packnet_core.errors import RequestError
from packnet_core.jobs import journal
from packnet_core.packfile import checkpoint_header
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Command, Discard, Drop, Prune, Train, as_typed, summary
from packnet_core.schema.document import Document
from packnet_core.schema.events import JobFinished, JobStarted


def ways_out(file: str | PurePath = "FILE") -> str:
    """What can be done about a checkpoint, as a clause."""
    return f"resume it: {as_typed(Train(), file)}, or give it up: {as_typed(Discard(), file)}"


class Unfinished(NamedTuple):
    """What an unfinished job left: a checkpoint, or nothing that can be resumed."""

    checkpoint: Checkpoint | None = None  # `train` resumes this
    lost: Command | None = None  # this has to be done again
    damaged: bool = False  # there is a checkpoint, and it can't be read

    def advice(self, paths: Paths) -> str:
        """What to do about it, as a clause; empty if there is nothing to do."""
        if self.checkpoint:
            return f"{summary(self.checkpoint.command)} is interrupted; {ways_out(paths.file)}"
        return self.loss(paths.file)

    def loss(self, file: str | PurePath = "FILE") -> str:
        """Why nothing can be resumed, and which command to repeat; empty where nothing was lost."""
        if self.lost:
            why = "left a damaged checkpoint" if self.damaged else "left nothing to resume"
            return f"{summary(self.lost)} {why}; do it again: {as_typed(self.lost, file)}"
        return "the checkpoint of an interrupted job is damaged; do that job again" if self.damaged else ""


def unfinished(paths: Paths, document: Document, but: int = 0) -> Unfinished:
    """What the last job that changes the file (`but` for the one of this number) left, if it died or was stopped.

    Only for the holder of the file's lock, or if nobody holds it: otherwise the job may still run. Raises ReadError if
    the disk refuses to read the checkpoint, OSError if it refuses to read the journal.
    """
    if found := checkpoint_header.find(paths.checkpoint, document, to_work=True):
        return Unfinished(checkpoint=found)
    begun = document.history[0].at if document.history else 0.0
    damaged = checkpoint_header.is_damaged(paths.checkpoint)
    running = lost = None  # the starts of the job that did not end so far, and of the last one that was cut off
    discards = 0  # the number of the job that gives up what was lost
    added: dict[str, Add] = {}  # by task, how it was added last
    for entry in journal.Reader(paths.journal).entries(steps=False):  # one by one: it may be long
        match entry.event:
            case JobStarted(command=Add() | Prune() | Train() | Drop() as command) if (
                entry.at >= begun and entry.job != but
            ):
                lost, running = running or lost, (entry, command)
                if isinstance(command, Add):
                    added[command.task] = command
            case JobStarted(command=Discard()):
                lost, running, discards = running or lost, None, entry.job
            case JobFinished(outcome="done") if entry.job == discards:
                lost = None
            case JobFinished(outcome=outcome, status=status) if running and entry.job == running[0].job:
                if outcome == "done":
                    lost = None
                elif damaged and status != RequestError.status:  # what it left can't be resumed
                    lost = running
                running = None  # a refused job changes nothing
    lost = running or lost
    if lost is None:
        return Unfinished(damaged=damaged)
    saved = [step for step in document.history if step.at >= lost[0].at]
    return Unfinished(lost=_left(document, added) if saved else lost[1], damaged=damaged)


def left_of(command: Command, document: Document) -> Command | None:
    """What is left of a job on the file: an addition may have saved its task and not have pruned it yet."""
    newest = document.open_task
    if not isinstance(command, Add) or newest is None or newest.name != command.task:
        return command
    if command.prune is None or newest.phase != "trained":
        return None
    return Prune(ratio=command.prune, steps=command.steps)


def _left(document: Document, added: dict[str, Add]) -> Command | None:
    """What is left of a lost job that saved the file; `added` are the additions by their tasks."""
    command = added.get(document.open_task.name) if document.open_task else None
    if command is None or document.history[-1].what != summary(command):
        return None
    return left_of(command, document)
