"""What a pruning would keep and free, and how many tasks still fit: arithmetic on the header's counts alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from packnet_core.schema.document import Layer


@dataclass(frozen=True)
class Cut:
    """One layer after a pruning: what the sealed tasks own, what the open task keeps, what is freed, what was free."""

    name: str
    weights: int
    sealed: tuple[int, ...]
    kept: int
    freed: int
    free: int  # before


def preview(layers: Sequence[Layer], ratio: float) -> list[Cut]:
    """Pruning the newest task at a ratio, layer by layer: exactly round(ratio * n) of its n weights become free.

    Law 3's numbers, that is, on the double product. Weights that training has left at exactly 0.0 come on top;
    nobody knows them without reading the weights.
    """
    cuts = []
    for layer in layers:
        *sealed, own = layer.owned
        freed = round(ratio * own)
        cuts.append(Cut(layer.name, layer.weights, tuple(sealed), own - freed, freed, layer.free))
    return cuts


def total(cuts: Sequence[Cut]) -> Cut:
    """All layers together."""
    tasks = len(cuts[0].sealed) if cuts else 0
    return Cut(
        name="total",
        weights=sum(cut.weights for cut in cuts),
        sealed=tuple(sum(cut.sealed[i] for cut in cuts) for i in range(tasks)),
        kept=sum(cut.kept for cut in cuts),
        freed=sum(cut.freed for cut in cuts),
        free=sum(cut.free for cut in cuts),
    )


def more_tasks(free: int, like: int) -> int | None:
    """How many more tasks with `like` weights of their own fit into what is free; None where that says nothing."""
    return free // like if like > 0 else None


def next_owns(layers: Sequence[Cut], ratio: float) -> int:
    """What the next task would own, pruned at the same ratio: it trains all that is free then."""
    free = [cut.free + cut.freed for cut in layers]
    return sum(n - round(ratio * n) for n in free)
