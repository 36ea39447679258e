"""The scale of a chart's y axis: its range, which a few extreme values do not stretch, and its ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from packnet_tui.state.series import Sample

DOWN = 4  # dots in a cell, from top to bottom
LABEL = 5  # cells of a label
LEAST_TO_CUT = 8  # columns with values, from which on the highest values may be cut off
USUAL = 0.95  # share of the columns whose values are usual
FAR, FAR_LOG = 3.0, 1e4  # times the highest usual value: what is above is cut off


@dataclass(frozen=True)
class Scale:
    """The values from the bottom of a chart to its top. `beyond` is the highest value if it is cut off, else 0."""

    low: float
    high: float
    log: bool = False
    beyond: float = 0.0

    def share(self, value: float) -> float:
        """The height of a value, from 0 to 1."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def dot(self, value: float, rows: int) -> int:
        return min(int(self.share(value) * rows * DOWN), rows * DOWN - 1)

    def ticks(self, rows: int) -> tuple[tuple[float, str], ...]:
        """The ticks of the axis: their heights in dots and their labels, at most one per row."""
        values = [self.low, (self.low + self.high) / 2, self.high] if rows >= 4 else [self.low, self.high]
        if self.log:
            powers = [10.0**n for n in range(math.ceil(log10(self.low)), math.floor(log10(self.high)) + 1)]
            between = powers or [f * 10.0 ** math.floor(log10(self.low)) for f in (2, 5)]
            values = [self.low, *between[:: 1 + len(between) // max(rows, 1)], self.high]
        taken: dict[int, float] = {}
        for value in (self.low, self.high, *values):
            if self.low <= value <= self.high:
                row = round(self.share(value) * rows)
                if value in (self.low, self.high) or 0 < row < rows:
                    taken.setdefault(row, value)
        return tuple((round(self.share(value) * rows * DOWN, 6), label(value)) for value in taken.values())


def nice(value: float) -> float:
    """The next round number at or above a value, for the top of an axis."""
    return round_up(value, (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10))


def label(value: float) -> str:
    """A tick's value in five characters or less."""
    text = f"{value:.3g}"
    return text if len(text) <= LABEL else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def round_up(value: float, steps: Sequence[float]) -> float:
    unit = 10.0 ** math.floor(log10(value))
    # rounding may leave the product a little below the value
    return next((step * unit for step in steps if step * unit >= value * (1 - 1e-12)), 10 * unit)


def loss_scale(lines: Sequence[Sequence[Sample]], log: bool) -> Scale:
    """The scale of some lines of a loss, each with one sample per column.

    It starts from 0, or if it is logarithmic, from the round number below the lowest value. A few values that are far
    above the others of their line, as in the first steps, would flatten the rest: they are cut off.
    """
    above = [value for line in lines for sample in line for value in (sample.low, sample.high) if value > 0]
    highs = [sorted(sample.high for sample in line if sample.high > 0) for line in lines]
    highest = max((line[-1] for line in highs if line), default=0.0)
    usual = max((_usual(line) for line in highs if line), default=0.0)
    most = usual * (FAR_LOG if log else FAR)
    top = max((value for line in highs for value in line if value <= most), default=0.0)
    high = nice(max(top, 1e-9)) if above else 1.0
    beyond = highest if highest > high else 0.0
    if not (log and above):
        return Scale(0.0, high, beyond=beyond)
    least = max(min(above), high / 1e12)
    unit = 10.0 ** math.floor(log10(least))
    low = max(step * unit for step in (1, 2, 5) if step * unit <= least * (1 + 1e-12))
    return Scale(low if low < high else high / 10, high, log=True, beyond=beyond)


def _usual(highs: Sequence[float]) -> float:
    """The highest of a line's values, given in order, but for the few that may be cut off."""
    return highs[int(USUAL * (len(highs) - 1))] if len(highs) >= LEAST_TO_CUT else highs[-1]


def log10(value: float) -> float:
    """The logarithm, exact at powers of ten; -300 for 0 and below."""
    return math.log10(value) if value > 0 else -300.0
