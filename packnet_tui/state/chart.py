"""Charts as values, in dots on a grid of cells. Needs neither Textual nor torch.

A cell has two columns and four rows of dots; dots are counted from the left and from the bottom.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from packnet_tui.state.series import Curve, Point, Sample, smoothed, thinned

ACROSS, DOWN = 2, 4  # dots in a cell
VALIDATION_STYLE = "bold"
LABEL = 5  # cells of a label on the y axis

Dot = tuple[int, int]
Words = tuple[tuple[str, str], ...]  # texts with their styles


@dataclass(frozen=True)
class Chart:
    """A chart of `columns` × `rows` cells. Equal charts look the same, so a chart is only drawn if it differs."""

    columns: int
    rows: int
    legend: Words
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[tuple[tuple[Dot, ...], str], ...] = ()  # each with its style
    points: tuple[Dot, ...] = ()
    marks: tuple[tuple[int, str], ...] = ()  # vertical lines: their column of dots, and the text beside them
    level: tuple[Dot, ...] = ()  # a horizontal line, one dot per cell
    sign: str = "•"  # how points are drawn


@dataclass(frozen=True)
class Scale:
    """The values from the bottom of a chart to its top."""

    low: float
    high: float
    log: bool = False

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
            powers = [10.0**n for n in range(math.ceil(_log10(self.low)), math.floor(_log10(self.high)) + 1)]
            between = powers or [f * 10.0 ** math.floor(_log10(self.low)) for f in (2, 5)]
            values = [self.low, *between[:: 1 + len(between) // max(rows, 1)], self.high]
        taken: dict[int, float] = {}
        for value in (self.low, self.high, *values):
            if self.low <= value <= self.high:
                row = round(self.share(value) * rows)
                if value in (self.low, self.high) or 0 < row < rows:
                    taken.setdefault(row, value)
        return tuple((round(self.share(value) * rows * DOWN, 6), label(value)) for value in taken.values())


def loss_chart(curve: Curve, columns: int, rows: int, colour: str, log: bool = False, smooth: bool = False) -> Chart:
    """Training loss as a line, validation loss as points."""
    train = smoothed(curve.loss) if smooth else curve.loss
    values = [*(s.low for s in train), *(s.high for s in train), *(y for _, y in curve.validation_loss)]
    scale = _scale([value for value in values if math.isfinite(value)], log)
    words: list[tuple[str, str]] = [("loss", "bold")]
    if curve.loss:
        words.append((f"  ─ train {curve.loss[-1].high:.3g}", colour))
    short = list(words)
    if curve.validation_loss:
        value = f"{curve.validation_loss[-1][1]:.3g}"
        words.append((f"  • validation {value}", VALIDATION_STYLE))
        short.append((f"  • val {value}", VALIDATION_STYLE))
    lines, points = _points(curve.validation_loss, curve.end, columns, rows, scale, None)
    return Chart(
        columns,
        rows,
        _fitting([words, short, words[:2], words[:1]], columns),
        x_ticks(curve.end, columns),
        scale.ticks(rows),
        ((_path(train, curve.end, columns, rows, scale), colour), *lines),
        points,
        _marks(curve, columns, named=True),
    )


def error_chart(curve: Curve, columns: int, rows: int, colour: str, named: bool = False) -> Chart:
    """Validation error as points joined by a line, and the error before pruning as a horizontal line."""
    errors = [y for _, y in curve.validation_error if math.isfinite(y)]
    before = [curve.before[1]] if curve.before else []
    scale = Scale(0.0, min(100.0, nice(max([*errors, *before, 1.0]))))
    variants: list[list[tuple[str, str]]] = []
    for validation, level in ((" validation", " pruning"), (" validation", ""), (" val", "")):
        words = [("error %", "bold")]
        if curve.validation_error:
            words.append((f"  •{validation} {curve.validation_error[-1][1]:.2f}", VALIDATION_STYLE))
        else:
            over = bool(curve.loss) and curve.loss[-1].x > 1  # after the first epoch there would be an error
            words.append(("  no validation images" if over else "  none yet", "dim"))
        if curve.before:
            words.append((f"  ╌ before{level} {curve.before[1]:.2f}", "dim"))
        variants.append(words)
    lines, points = _points(curve.validation_error, curve.end, columns, rows, scale, colour)
    level_dots: tuple[Dot, ...] = ()
    if curve.before:
        first, row = _column(curve.before[0], curve.end, columns) // ACROSS + 1, scale.dot(curve.before[1], rows)
        level_dots = tuple((ACROSS * column, row) for column in range(first, columns))
    return Chart(
        columns,
        rows,
        _fitting([*variants, variants[-1][:2], variants[-1][:1]], columns),
        x_ticks(curve.end, columns),
        scale.ticks(rows),
        lines,
        points,
        _marks(curve, columns, named),
        level_dots,
    )


def preview_chart(previews: Sequence[Point], ratio: float, columns: int, rows: int, colour: str) -> Chart:
    """The error right after pruning at several ratios, as stars (Figure 4); a vertical mark at the chosen `ratio`."""
    scale = Scale(0.0, min(100.0, nice(max([*(error for _, error in previews), 1.0]))))
    width = ACROSS * columns
    dots = tuple((min(int(x * width), width - 1), scale.dot(error, rows)) for x, error in previews)
    level = tuple((ACROSS * column, scale.dot(previews[0][1], rows)) for column in range(columns))
    ticks = tuple((share * width, f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1))
    unpruned = previews[0][0] == 0
    legend = [("error % right after pruning", "bold"), ("  ★ measured  ┆ ratio", "")]
    whole = [*legend, (f"  ╌ unpruned {previews[0][1]:.2f}", "dim")] if unpruned else legend
    return Chart(
        columns,
        rows,
        _fitting([whole, legend, legend[:1]], columns),
        ticks,
        scale.ticks(rows),
        ((dots, colour),) if len(dots) > 1 else (),
        dots,
        sign="★",
        marks=((min(int(ratio * width), width - 1), ""),),
        level=level if unpruned else (),
    )


def within(previews: Sequence[Point], points: float) -> float | None:
    """The largest measured ratio that costs at most `points` of error; None if the error at ratio 0 is unknown."""
    if not previews or previews[0][0] != 0:
        return None
    return max(ratio for ratio, error in previews if error <= previews[0][1] + points)


def x_ticks(end: float, columns: int) -> tuple[tuple[float, str], ...]:
    """Ticks at a few round numbers of epochs, and at the end with the unit: their places in dots and their labels."""
    last = f"{end:g} epoch" + ("" if end == 1 else "s")
    step = max(1.0, _round_up(12 * end / columns, (1, 2, 5, 10)))
    ticks = [(0.0, "0")]
    for i in range(1, int(end / step) + 1):
        if (1 - i * step / end) * columns >= cell_len(last) + 3:
            ticks.append((ACROSS * columns * i * step / end, f"{i * step:g}"))
    return (*ticks, (float(ACROSS * columns), last))


def nice(value: float) -> float:
    """The next round number at or above a value, for the top of an axis."""
    return _round_up(value, (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10))


def label(value: float) -> str:
    """A tick's value in five characters or less."""
    text = f"{value:.3g}"
    return text if len(text) <= LABEL else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _round_up(value: float, steps: Sequence[float]) -> float:
    unit = 10.0 ** math.floor(_log10(value))
    # rounding may leave the product a little below the value
    return next((step * unit for step in steps if step * unit >= value * (1 - 1e-12)), 10 * unit)


def _scale(values: Sequence[float], log: bool) -> Scale:
    """The scale of a loss: from 0, or if it is logarithmic, from the round number below the lowest value."""
    above = [value for value in values if value > 0]
    high = nice(max([*above, 1e-9]))
    if not (log and above):
        return Scale(0.0, high)
    least = max(min(above), high / 1e12)
    unit = 10.0 ** math.floor(_log10(least))
    low = max(step * unit for step in (1, 2, 5) if step * unit <= least * (1 + 1e-12))
    return Scale(low if low < high else high / 10, high, log=True)


def _column(x: float, end: float, columns: int) -> int:
    """The column of dots at x."""
    return min(max(int(x / end * columns * ACROSS), 0), columns * ACROSS - 1)


def _path(samples: Iterable[Sample], end: float, columns: int, rows: int, scale: Scale) -> tuple[Dot, ...]:
    """A line through the lowest and highest value of each sample: two dots per column, the nearer one first."""
    path: list[Dot] = []
    for sample in thinned(samples, end, columns * ACROSS):
        low, high = scale.dot(sample.low, rows), scale.dot(sample.high, rows)
        column = int(sample.x)
        if path and abs(high - path[-1][1]) < abs(low - path[-1][1]):
            path += [(column, high), (column, low)]
        else:
            path += [(column, low), (column, high)]
    return tuple(path)


def _points(
    points: Sequence[Point], end: float, columns: int, rows: int, scale: Scale, joined: str | None
) -> tuple[tuple[tuple[tuple[Dot, ...], str], ...], tuple[Dot, ...]]:
    """Lines and points: the points, joined by a line of style `joined` if given; only a line if they are too many."""
    few = 2 * len(points) <= columns
    lines: tuple[tuple[tuple[Dot, ...], str], ...] = ()
    if joined is not None or not few:
        path = _path([Sample(x, y, y) for x, y in points], end, columns, rows, scale)
        lines = ((path, VALIDATION_STYLE if joined is None else joined),)
    if not few:
        return lines, ()
    return lines, tuple((_column(x, end, columns), scale.dot(y, rows)) for x, y in points if math.isfinite(y))


def _marks(curve: Curve, columns: int, named: bool) -> tuple[tuple[int, str], ...]:
    return tuple((_column(x, curve.end, columns), f"pruned {ratio:g}" if named else "") for x, ratio in curve.pruned)


def _fitting(variants: Sequence[Sequence[tuple[str, str]]], columns: int) -> Words:
    """The first of the texts that fits between the corners of a chart."""
    fitting = (words for words in variants if sum(cell_len(text) for text, _ in words) + 2 <= columns)
    return tuple(next(fitting, ()))


def _log10(value: float) -> float:
    """The logarithm, exact at powers of ten; -300 for 0 and below."""
    return math.log10(value) if value > 0 else -300.0
