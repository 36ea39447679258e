"""The data sets that could be added next, the hardest first (§5.1). Needs neither Textual nor torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.cells import cell_len

from packnet_core.schema.commands import Add, Order
from packnet_tui.state.format import NAME, cut_middle, pad_name, short_summary
from packnet_tui.state.job_progress import done_in_words
from packnet_tui.state.picture import Picture


@dataclass(frozen=True)
class Candidate:
    """A data set that could be added. Errors are in percent; None if they are not measured."""

    name: str
    error: float | None = None  # of a new head
    chance: float | None = None
    waits: bool = False  # whether an `add` for it waits in the queue


def candidates(picture: Picture) -> list[Candidate]:
    """What was measured last, the hardest first, then what waits and was not measured; without the file's tasks."""
    there, waiting = {task.name for task in picture.tasks}, waiting_data(picture)
    measured = [
        Candidate(found.name, found.ordering_error, found.chance, found.name in waiting)
        for found in picture.hardness
        if found.name not in there
    ]
    known = there | {candidate.name for candidate in measured}
    return [*measured, *(Candidate(name, waits=True) for name in waiting if name not in known)]


def waiting_data(picture: Picture) -> Mapping[str, str]:
    """The data of the tasks that wait in the queue to be added, by name, in the queue's order."""
    return {command.task: command.data for _, command in picture.queue if isinstance(command, Add)}


def proposed(picture: Picture) -> Mapping[str, str]:
    """The data sets to propose for an order: those that wait to be added, else those measured last."""
    there = {task.name for task in picture.tasks}
    measured = {found.name: found.data for found in picture.hardness if found.name not in there}
    return waiting_data(picture) or measured


def order_in_words(picture: Picture, key: str = "o") -> list[str]:
    """The order in which to add tasks, as lines; the first is a heading."""
    found, measures = candidates(picture), _measuring(picture)
    if not found and not measures:
        return [f"order of new tasks: {key} measures which data set is hardest; add that one first"]
    lines = [
        f"order of new tasks: {measures}"
        if measures
        else "order of new tasks, the hardest first (error of a new head, %):"
    ]
    width = max((min(NAME, cell_len(candidate.name)) for candidate in found), default=0)
    for place, candidate in enumerate(found, 1):
        error = f"error {candidate.error:5.1f}   chance {candidate.chance:5.1f}" if candidate.error is not None else ""
        text = f"  {place if error else '–'}  {pad_name(candidate.name, width)}  "
        waits = "   waits in the queue" if candidate.waits else ""
        lines.append(f"{text}{error or f'not measured; {key} measures it'}{waits}")
    return lines


def _measuring(picture: Picture) -> str:
    """What the engine does about an order now; empty if nothing."""
    job = picture.job
    if job and isinstance(job.command, Order):
        step = f", {done_in_words(job)}" if job.done else ""
        return f"measuring {cut_middle(job.task, NAME)}{step} …" if job.task else "getting ready …"
    if any(isinstance(command, Order) for _, command in picture.queue):
        return f"measured once {short_summary(job.command)} is done" if job else "waiting for the engine"
    return ""
