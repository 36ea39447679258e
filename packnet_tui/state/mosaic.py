"""The mosaic of a layer: per cell who owns most of it, and how much of it. Imports numpy, so after the first paint."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packnet_core.packfile.owner_counts import OwnerCounts

STEPS = 3  # of brightness
NOBODY = -1  # in a cell that is dim, since another owner is highlighted
NARROWEST = 0.2  # range of shares that the steps cover at least, so that chance differences do not look large


@dataclass(frozen=True)
class Mosaic:
    """What each cell shows, rows × columns.

    owner  0 free, k task k, or NOBODY
    step   0 for the largest shares of a cell's weights to STEPS - 1 for the smallest
    shown  the smallest and the largest share that is shown, 0 to 1
    highlighted  whether only one owner is shown
    """

    owner: NDArray[np.int16]
    step: NDArray[np.int8]
    shown: tuple[float, float]
    highlighted: bool = False


def mosaic(counts: OwnerCounts, highlighted: int | None = None) -> Mosaic:
    """Each cell shows who owns most of it; with `highlighted`, only that owner (0: free), where it owns any weight.

    Of owners with equal counts the task comes before free weights, and the older task before the newer one.
    """
    shares = counts.counts / counts.counts.sum(axis=2, keepdims=True)
    if highlighted is None:
        tasks_first = np.roll(shares, -1, axis=2)
        owner = ((tasks_first.argmax(axis=2) + 1) % shares.shape[2]).astype(np.int16)
        share = shares.max(axis=2)
        seen = share
    else:
        share = shares[:, :, highlighted]
        owner = np.where(share > 0, highlighted, NOBODY).astype(np.int16)
        seen = share[share > 0] if share.any() else np.zeros(1)
    low, high = float(seen.min()), float(seen.max())
    begin = min(low, high - NARROWEST)
    step = STEPS - 1 - np.clip((share - begin) / (high - begin) * STEPS, 0, STEPS - 1).astype(np.int8)
    return Mosaic(owner, step, (low, high), highlighted is not None)


def scale(cells: int, room: int) -> int:
    """How many times each cell is repeated in a direction, so that all of them fill the room best."""
    return max(1, room // cells)


def axes_in_words(counts: OwnerCounts) -> list[str]:
    """What the directions mean and what a cell is, the longest variant first."""
    outputs, inputs = (_several(n, what) for n, what in ((counts.outputs, "output"), (counts.inputs, "input")))
    positions = f" × {_several(counts.positions, 'kernel position')}" if counts.positions > 1 else ""
    cell = cell_in_words(counts)
    short = f" × {counts.positions}" if positions else ""
    return [
        f"{outputs} ↓ × {inputs}{positions} →, {cell}",
        f"{outputs} ↓ × {inputs}{short} →, {cell}",
        f"{outputs} ↓ × {inputs}{short} →, {cell.removeprefix('one ')}",
        f"{counts.outputs} ↓ × {counts.inputs}{short} →, {cell}",
        f"{counts.outputs} ↓ × {counts.inputs}{short} →",
    ]


def cell_in_words(counts: OwnerCounts) -> str:
    """How many weights a cell stands for: `one cell = 8 × 32 weights`, outputs × inputs × kernel positions."""
    rows, columns, _ = counts.counts.shape
    sides = [counts.outputs / rows, 1.0 if counts.apart else counts.inputs / columns]
    if counts.positions > 1 and not counts.apart:
        sides.append(counts.positions)
    if set(sides) == {1}:
        return "one cell = 1 weight"
    equals = "=" if all(side == round(side) for side in sides) else "≈"
    return f"one cell {equals} {' × '.join(f'{side:.0f}' for side in sides)} weights"


def shares_in_words(shown: Sequence[float]) -> str:
    """A range of shares: `34 to 71 %`, or `100 %`."""
    low, high = (f"{100 * share:.0f}" for share in shown)
    return f"{high} %" if low == high else f"{low} to {high} %"


def _several(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
