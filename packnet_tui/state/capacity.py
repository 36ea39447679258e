"""What a pruning would keep and free, and how many more tasks fit, computed from the header's counts only."""

from collections.abc import Sequence
from dataclasses import dataclass

from packnet_core.schema.document import Layer


@dataclass(frozen=True)
class PrunedLayer:
    """A layer after a pruning, in counts of weights."""

    name: str
    weights: int
    sealed: tuple[int, ...]  # owned, per sealed task
    kept: int  # by the open task
    freed: int
    free: int  # before the pruning


def after_pruning(layers: Sequence[Layer], ratio: float) -> list[PrunedLayer]:
    """Each layer after pruning the newest task at a ratio: round(ratio * n) of its n weights become free, as in law 3.

    Weights that training left at exactly 0.0 become free too, but the header does not say how many.
    """
    pruned = []
    for layer in layers:
        *sealed, own = layer.owned
        freed = round(ratio * own)
        pruned.append(PrunedLayer(layer.name, layer.weights, tuple(sealed), own - freed, freed, layer.free))
    return pruned


def total(layers: Sequence[PrunedLayer]) -> PrunedLayer:
    """All layers together."""
    tasks = len(layers[0].sealed) if layers else 0
    return PrunedLayer(
        name="total",
        weights=sum(layer.weights for layer in layers),
        sealed=tuple(sum(layer.sealed[i] for layer in layers) for i in range(tasks)),
        kept=sum(layer.kept for layer in layers),
        freed=sum(layer.freed for layer in layers),
        free=sum(layer.free for layer in layers),
    )


def more_tasks(free: int, like: int) -> int | None:
    """How many more tasks that own `like` weights each fit into `free` weights; None if `like` is 0."""
    return free // like if like > 0 else None


def next_owns(layers: Sequence[PrunedLayer], ratio: float) -> int:
    """How many weights the next task would own if it trains all free weights and is pruned at the same ratio."""
    free = [layer.free + layer.freed for layer in layers]
    return sum(n - round(ratio * n) for n in free)
