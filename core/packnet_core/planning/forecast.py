"""How many more tasks fit into a file, by arithmetic on the counts in its header (§5.1). Needs no torch."""

from msgspec import Struct

from packnet_core.errors import RequestError
from packnet_core.schema.document import MOST_TASKS, Document, Layer

RATIOS = (0.5, 0.75, 0.9)  # the paper's (Table 2, Figure 4)
ROUNDING = 0.5  # weights of a layer: a tenth of a half is 5 %, though not of every count
LEAST = 0.05  # of the weights: with so many of its own a task was still about as good as ever (§5.2)


class Room(Struct, frozen=True, kw_only=True):
    """What of a layer, or of all together (`total`), further tasks would own: `owns` has those that fit, in order."""

    name: str
    weights: int
    free: int  # before the first of them
    owns: tuple[int, ...]

    @property
    def tasks(self) -> int:
        return len(self.owns)


def rooms(document: Document, ratio: float, least: float = LEAST) -> tuple[Room, ...]:
    """The room in every layer, and in all together, the last.

    Each further task takes all that is free in a layer and keeps what pruning at `ratio` leaves it, exactly (law 3).
    It fits while it keeps at least the share `least` of the layer's weights, or of all of them, up to rounding. An
    open task that is not pruned yet is pruned at the same ratio first. Raises RequestError for a share outside 0..1.
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
    """Whether the open task owns all that is not sealed, so that it has to be pruned before another can be added."""
    return document.open_task is not None and document.open_task.phase == "trained"


def _free(document: Document, layer: Layer, ratio: float) -> int:
    return layer.free + (round(ratio * layer.owned[-1]) if waits_for_pruning(document) else 0)


def _owns(free: int, ratio: float, slots: int) -> list[int]:
    """What each of so many further tasks would keep of one layer."""
    owns = []
    for _ in range(slots):
        left = round(ratio * free)
        owns.append(free - left)
        free = left
    return owns


def _fitting(owns: list[int], least: float) -> tuple[int, ...]:
    """Those before the first that has too little, or nothing."""
    for index, count in enumerate(owns):
        if count < max(least, 1):
            return tuple(owns[:index])
    return tuple(owns)
