"""What a pruning would keep and free, computed from the header's counts only. What fits then: `fits`."""

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
