"""How many more tasks fit into a file: arithmetic on the counts in its header (§5.1). Needs no torch."""

from msgspec import Struct

from packnet_core.errors import RequestError
from packnet_core.schema.document import MOST_TASKS, Document, Layer

RATIOS = (0.5, 0.75, 0.9)  # the paper's pruning ratios (Table 2, Figure 4)
ROUNDING = 0.5  # weights per layer that a task may own fewer than `least` requires, since pruning rounds
LEAST = 0.05  # share of the weights with which the paper's tasks still had nearly their best error (§5.2)


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


def rooms(document: Document, ratio: float, least: float = LEAST) -> tuple[Room, ...]:
    """The room for further tasks in every layer, and, as the last entry, in all layers together (§5.1).

    `ratio` and `least` are shares from 0 to 1. Each further task takes all free weights of a layer, is pruned at
    `ratio` and keeps the rest. It fits if it keeps at least the share `least` of the layer's weights (in the last
    entry, of all weights), up to rounding. An open task that is not pruned yet is pruned at the same ratio first.
    Raises RequestError for a share outside 0..1.

    rooms(document, 0.75)[-1].tasks
    """
    for value, what in ((ratio, "a pruning ratio"), (least, "the least that a task owns")):
        if not 0 <= value <= 1:
            raise RequestError(f"{what} is a share from 0 to 1, and {value:g} is not")
    free = [_free(document, layer, ratio) for layer in document.layers]
    slots = MOST_TASKS - len(document.tasks)
    owns = [_owns(count, ratio, slots) for count in free]
    layers = [
        Room(name=layer.name, weights=layer.weights, free=count, owns=_fitting(own, least * layer.weights - ROUNDING))
        for layer, count, own in zip(document.layers, free, owns, strict=True)
    ]
    together = [sum(column) for column in zip(*owns, strict=True)]
    fitting = _fitting(together, least * document.weights - ROUNDING * len(layers))
    return (*layers, Room(name="total", weights=document.weights, free=sum(free), owns=fitting))


def waits_for_pruning(document: Document) -> bool:
    """Whether the open task still owns every weight that is not sealed: it must be pruned before another is added."""
    return document.open_task is not None and document.open_task.phase == "trained"


def _free(document: Document, layer: Layer, ratio: float) -> int:
    """How many weights of a layer are free, once the open task is pruned."""
    return layer.free + (round(ratio * layer.owned[-1]) if waits_for_pruning(document) else 0)


def _owns(free: int, ratio: float, slots: int) -> list[int]:
    """How many weights of one layer each of `slots` further tasks would keep."""
    owns = []
    for _ in range(slots):
        left = round(ratio * free)
        owns.append(free - left)
        free = left
    return owns


def _fitting(owns: list[int], least: float) -> tuple[int, ...]:
    """The counts before the first one that is 0 or below `least`."""
    for index, count in enumerate(owns):
        if count < max(least, 1):
            return tuple(owns[:index])
    return tuple(owns)
