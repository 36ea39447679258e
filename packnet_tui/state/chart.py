"""Charts as values, in dots on a grid of cells. Needs neither Textual nor torch.

A cell has two columns and four rows of dots; dots are counted from the left and from the bottom.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from packnet_tui.state.scale import DOWN, Scale, loss_scale, nice, round_up
from packnet_tui.state.series import Curve, Point, Sample, smoothed, thinned

ACROSS = 2  # dots in a cell, from left to right
VALIDATION_STYLE = "bold"
BETWEEN = 6  # cells between two signs on a line

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
    crosses: tuple[Dot, ...] = ()  # × on the line of the other curve, whose style is `crossed`
    crossed: str = ""
    beyond: tuple[Dot, ...] = ()  # ↑ at the top: values there are higher
    cursor: int | None = None  # a column of cells with a line from top to bottom


@dataclass(frozen=True)
class Other:
    """Another curve in the same chart, with its colour; `names` are those of the chart's own curve and of this one."""

    curve: Curve
    colour: str
    names: tuple[str, str]


def loss_chart(
    curve: Curve,
    columns: int,
    rows: int,
    colour: str,
    log: bool = False,
    smooth: bool = False,
    other: Other | None = None,
    cursor: int | None = None,
) -> Chart:
    """Training loss as a line, validation loss as points; with another curve, the training loss of both."""
    curves = [(curve, colour), *([(other.curve, other.colour)] if other else [])]
    trains = [(smoothed(each.loss) if smooth else each.loss, style) for each, style in curves]
    validation = () if other else curve.validation_loss
    end = max(each.end for each, _ in curves)
    seen = [*(train for train, _ in trains), [Sample(x, y, y) for x, y in validation]]
    scale = loss_scale([thinned(line, end, columns) for line in seen], log)
    words: list[tuple[str, str]] = [("loss", "bold")]
    beyond = [(f"  ↑ {scale.beyond:.3g} beyond", "")] if scale.beyond else []
    if other:
        words += _legend_of_both(
            [f"{each.loss[-1].high:.3g}" if each.loss else "" for each, _ in curves], colour, other, "─"
        )
    elif curve.loss:
        words.append((f"  ─ train {curve.loss[-1].high:.3g}", colour))
    short = list(words)
    if validation:
        value = f"{validation[-1][1]:.3g}"
        words.append((f"  • validation {value}", VALIDATION_STYLE))
        short.append((f"  • val {value}", VALIDATION_STYLE))
    paths = [_path(train, end, columns, rows, scale) for train, _ in trains]
    lines, points = _points(validation, end, columns, rows, scale, None)
    variants = [words, short, words[:2]]
    if curve.loss and not other:
        variants.append([words[0], (f" {curve.loss[-1].high:.3g}", colour)])
    return Chart(
        columns,
        rows,
        _fitting([*([*variant, *beyond] for variant in variants), variants[-1], words[:1]], columns),
        x_ticks(end, columns),
        scale.ticks(rows),
        (*((path, style) for path, (_, style) in zip(paths, trains, strict=True)), *lines),
        points,
        _marks(curve, end, columns, named=not other),
        crosses=_spread(paths[1]) if other else (),
        crossed=other.colour if other else "",
        beyond=_too_high([sample for line in seen for sample in line], end, columns, rows, scale),
        cursor=cursor,
    )


def error_chart(
    curve: Curve,
    columns: int,
    rows: int,
    colour: str,
    named: bool = False,
    other: Other | None = None,
    cursor: int | None = None,
) -> Chart:
    """Validation error as points joined by a line, and the error before pruning as a horizontal line.

    With another curve, the errors of both, and no such line.
    """
    curves = [curve, *([other.curve] if other else [])]
    errors = [y for each in curves for _, y in each.validation_error if math.isfinite(y)]
    end, level = max(each.end for each in curves), None if other else curve.before
    scale = Scale(0.0, min(100.0, nice(max([*errors, *([level[1]] if level else []), 1.0]))))
    lines, points = _points(curve.validation_error, end, columns, rows, scale, colour)
    crosses: tuple[Dot, ...] = ()
    if other:
        others, crosses = _points(other.curve.validation_error, end, columns, rows, scale, other.colour)
        lines, crosses = (*lines, *others), crosses or tuple(dot for path, _ in others for dot in _spread(path))
    dots: tuple[Dot, ...] = ()
    if level:
        first, row = _column(level[0], end, columns) // ACROSS + 1, scale.dot(level[1], rows)
        dots = tuple((ACROSS * column, row) for column in range(first, columns))
    return Chart(
        columns,
        rows,
        _fitting(_error_legends(curve, colour, other), columns),
        x_ticks(end, columns),
        scale.ticks(rows),
        lines,
        points,
        _marks(curve, end, columns, named and not other),
        dots,
        crosses=crosses,
        crossed=other.colour if other else "",
        cursor=cursor,
    )


def _error_legends(curve: Curve, colour: str, other: Other | None) -> list[list[tuple[str, str]]]:
    title, variants = ("error %", "bold"), []
    if other:
        errors = (each.validation_error for each in (curve, other.curve))
        ends = [f"{each[-1][1]:.2f}" if each else "" for each in errors]
        return [[title, *_legend_of_both(ends, colour, other, "•")], [title]]
    for validation, level in ((" validation", " pruning"), (" validation", ""), (" val", "")):
        words = [title]
        if curve.validation_error:
            words.append((f"  •{validation} {curve.validation_error[-1][1]:.2f}", VALIDATION_STYLE))
        else:
            over = bool(curve.loss) and curve.loss[-1].x > 1  # after the first epoch there would be an error
            words.append(("  no validation images" if over else "  none yet", "dim"))
        if curve.before:
            words.append((f"  ╌ before{level} {curve.before[1]:.2f}", "dim"))
        variants.append(words)
    if curve.validation_error:
        variants += [variants[-1][:2], [title, (f" {curve.validation_error[-1][1]:.2f}", VALIDATION_STYLE)]]
    return [*variants, variants[-1][:2], [title]]


def _legend_of_both(ends: Sequence[str], colour: str, other: Other, sign: str) -> list[tuple[str, str]]:
    """The names of two curves with their signs and last values."""
    own, another = (f"{name} {end or 'none'}" for name, end in zip(other.names, ends, strict=True))
    return [(f"  {sign} {own}", colour), (f"  × {another}", other.colour)]


def preview_chart(previews: Sequence[Point], ratio: float, columns: int, rows: int, colour: str) -> Chart:
    """The error right after pruning at several ratios, as stars (Figure 4); a vertical mark at the chosen `ratio`."""
    scale = Scale(0.0, min(100.0, nice(max([*(error for _, error in previews), 1.0]))))
    width = ACROSS * columns
    dots = tuple((min(int(x * width), width - 1), scale.dot(error, rows)) for x, error in previews)
    level = tuple((ACROSS * column, scale.dot(previews[0][1], rows)) for column in range(columns))
    ticks = tuple((share * width, f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1))
    from_0 = previews[0][0] == 0
    legend = [("error % right after pruning", "bold"), ("  ★ measured  ┆ ratio", "")]
    whole = [*legend, (f"  ╌ at 0: {previews[0][1]:.2f}", "dim")] if from_0 else legend
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
        level=level if from_0 else (),
    )


def within(previews: Sequence[Point], points: float) -> float | None:
    """The largest measured ratio that costs at most `points` of error; None if the error at ratio 0 is unknown."""
    if not previews or previews[0][0] != 0:
        return None
    return max(ratio for ratio, error in previews if error <= previews[0][1] + points)


def x_ticks(end: float, columns: int) -> tuple[tuple[float, str], ...]:
    """Ticks at a few round numbers of epochs, and at the end with the unit: their places in dots and their labels."""
    last = f"{end:g} epoch" + ("" if end == 1 else "s")
    step = max(1.0, round_up(12 * end / columns, (1, 2, 5, 10)))
    ticks = [(0.0, "0")]
    for i in range(1, int(end / step) + 1):
        if (1 - i * step / end) * columns >= cell_len(last) + 3:
            ticks.append((ACROSS * columns * i * step / end, f"{i * step:g}"))
    return (*ticks, (float(ACROSS * columns), last))


def _too_high(samples: Iterable[Sample], end: float, columns: int, rows: int, scale: Scale) -> tuple[Dot, ...]:
    """A dot at the top of each column of cells with a value that is cut off."""
    high = [sample for sample in samples if scale.beyond and sample.high > scale.high]
    return tuple((ACROSS * int(sample.x), rows * DOWN - 1) for sample in thinned(high, end, columns))


def _spread(path: Iterable[Dot]) -> tuple[Dot, ...]:
    """Some dots of a line, for signs on it."""
    first: dict[int, Dot] = {}
    for x, y in path:
        first.setdefault(x // (ACROSS * BETWEEN), (x, y))
    return tuple(first.values())


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


def _marks(curve: Curve, end: float, columns: int, named: bool) -> tuple[tuple[int, str], ...]:
    return tuple((_column(x, end, columns), f"pruned {ratio:g}" if named else "") for x, ratio in curve.pruned)


def _fitting(variants: Sequence[Sequence[tuple[str, str]]], columns: int) -> Words:
    """The first of the texts that fits between the corners of a chart."""
    fitting = (words for words in variants if sum(cell_len(text) for text, _ in words) + 2 <= columns)
    return tuple(next(fitting, ()))
