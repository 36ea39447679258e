"""How many more tasks fit into a file: arithmetic on the counts in its header (§5.1). Needs no torch.

The only definition of what fits. The API, the command line and every part of the screen ask here.
"""

from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from typing import Literal, Protocol

from msgspec import Struct

from packnet_core.errors import RequestError
from packnet_core.schema.document import MOST_TASKS, Document, Layer, TaskPhase

RATIOS = (0.5, 0.75, 0.9)  # the paper's pruning ratios (Table 2, Figure 4)
OTHERS = tuple(i / 20 for i in range(1, 20))  # ratios to propose if no task fits
ROUNDING = 0.5  # weights per layer that a task may own fewer than `least` requires, since pruning rounds
LEAST = 0.01  # share of the weights that a task must own to be counted: our convention; the paper's least is 5 % (§5.2)

Remedy = Literal["ratio", "prune", "drop", "new"]


class Named(Protocol):
    """A task of a file, as far as a forecast needs it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def phase(self) -> TaskPhase:
        """Its phase."""


class Room(Struct, frozen=True, kw_only=True):
    """The room for further tasks in a layer, or in all layers together: counts of weights."""

    name: str  # of the layer, or "total"
    weights: int
    free: int  # before the first further task
    owns: tuple[int, ...]  # what each further task that fits would own, in order

    @property
    def tasks(self) -> int:
        """How many further tasks fit."""
        return len(self.owns)


class Forecast(Struct, frozen=True, kw_only=True, dict=True):
    """What fits into a file at one pruning ratio.

    ratio    the pruning ratio of every further task, 0 to 1
    least    the share of the weights that a task must own to be counted, 0 to 1
    layers   the room in every layer
    total    the room in all layers together: its `tasks` is the answer
    next     weights that the next task would own, also if that is too little
    full     whether the file has as many tasks as it can (254)
    newest   the newest task, which the remedy may be about; empty if there is none
    other    the nearest ratio at which a task fits, where none fits at `ratio`; None if there is no such ratio
    remedy   what helps if no task fits: the ratio `other`, pruning `newest` again, dropping it, or a new file
    """

    ratio: float
    least: float
    layers: tuple[Room, ...]
    total: Room
    next: int
    full: bool
    newest: str
    other: float | None
    remedy: Remedy | None

    @property
    def tasks(self) -> int:
        """How many further tasks fit."""
        return self.total.tasks

    @cached_property
    def first_to_fill(self) -> tuple[Room, ...]:
        """The layers with room for the fewest tasks, least free share first; empty if all have room for as many."""
        fewest = min(room.tasks for room in self.layers)
        found = [room for room in self.layers if room.tasks == fewest]
        return () if len(found) == len(self.layers) else tuple(sorted(found, key=lambda room: room.free / room.weights))


def forecast(
    layers: Sequence[Layer],
    tasks: Sequence[Named],
    ratio: float,
    least: float = LEAST,
    *,
    prunes: float | None = None,
    only: Container[str] | None = None,
) -> Forecast:
    """What fits into a file with these layers and tasks (§5.1).

    `ratio` and `least` are shares from 0 to 1. Each further task takes all free weights of a layer, is pruned at
    `ratio` and keeps the rest. It is counted if it keeps at least the share `least` of all weights (in a layer's
    Room, of the layer's weights), up to rounding. The newest task is first pruned at the ratio `prunes`: by default
    at `ratio` if it is not pruned yet, else not at all. With `only`, further tasks take weights of these layers alone.
    Raises RequestError for a share outside 0..1.
    """
    for value, what in ((ratio, "a pruning ratio"), (least, "the least that a task owns")):
        if not 0 <= value <= 1:
            raise RequestError(f"{what} is a share from 0 to 1, and {value:g} is not")
    weights, newest = sum(layer.weights for layer in layers), tasks[-1] if tasks else None
    enough = max(1, least * weights - ROUNDING * len(layers))
    full, slots = len(tasks) >= MOST_TASKS, MOST_TASKS - len(tasks)

    def free_at(ratio: float, again: bool = False) -> list[int]:
        """The free weights of each layer, after the newest task is pruned at a ratio if that is done `again`."""
        first = prunes
        if first is None:
            first = ratio if newest and (again or newest.phase == "trained") else 0.0
        takes = [layer for layer in layers if only is None or layer.name in only]
        free = {layer.name: layer.free + round(first * sum(layer.owned[-1:])) for layer in takes}
        return [free.get(layer.name, 0) for layer in layers]

    def fits(ratio: float, again: bool = False) -> bool:
        return _next(free_at(ratio, again), ratio) >= enough

    free = free_at(ratio)
    owns = _fitting(_owned(free, ratio, slots), enough)
    other, remedy = None, None
    if not owns and not full:
        other = min(filter(fits, OTHERS), key=lambda other: abs(other - ratio), default=None)
        can_prune = newest is not None and newest.phase in ("pruned", "retrained")
        remedy = _remedy(other, can_prune and any(fits(other, again=True) for other in OTHERS), len(tasks) > 1)
    return Forecast(
        ratio=ratio,
        least=least,
        layers=tuple(
            Room(name=layer.name, weights=layer.weights, free=count,
                 owns=_fitting(_owned([count], ratio, slots), max(1, least * layer.weights - ROUNDING)))
            for layer, count in zip(layers, free, strict=True)
        ),
        total=Room(name="total", weights=weights, free=sum(free), owns=owns),
        next=_next(free, ratio),
        full=full,
        newest=newest.name if newest else "",
        other=other,
        remedy="new" if full else remedy,
    )  # fmt: skip


def _remedy(other: float | None, can_prune: bool, can_drop: bool) -> Remedy:
    if other is not None:
        return "ratio"
    return "prune" if can_prune else "drop" if can_drop else "new"


def forecast_of(document: Document, ratio: float, least: float = LEAST) -> Forecast:
    """What fits into a file with this document, as `forecast` says."""
    return forecast(document.layers, document.tasks, ratio, least)


def rooms(document: Document, ratio: float, least: float = LEAST) -> tuple[Room, ...]:
    """The room for further tasks in every layer, and, as the last entry, in all layers together, as `forecast` says.

    rooms(document, 0.75)[-1].tasks
    """
    found = forecast_of(document, ratio, least)
    return (*found.layers, found.total)


def waits_for_pruning(document: Document) -> bool:
    """Whether the open task still owns every weight that is not sealed: it must be pruned before another is added."""
    return document.open_task is not None and document.open_task.phase == "trained"


def _owned(free: Sequence[int], ratio: float, slots: int) -> Iterator[int]:
    """How many weights each of `slots` further tasks would keep; `free` counts the free weights of each layer."""
    for _ in range(slots):
        left = [round(ratio * count) for count in free]
        yield sum(free) - sum(left)
        free = left


def _next(free: Sequence[int], ratio: float) -> int:
    """How many weights the next task would own."""
    return next(_owned(free, ratio, 1))


def _fitting(owns: Iterator[int], enough: float) -> tuple[int, ...]:
    """The counts before the first one that is not enough."""
    found = []
    for count in owns:
        if count < enough:
            break
        found.append(count)
    return tuple(found)
