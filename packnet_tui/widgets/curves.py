"""Pane 3: loss and error of the task that was trained last; where it was pruned, and the error to get back to."""

import math
from collections.abc import Sequence

from rich.text import Text

from packnet_tui.figures import cut, pad
from packnet_tui.widgets.braille import Canvas
from packnet_tui.widgets.pane import Pane
from packnet_tui.widgets.series import Curve, Point, Sample

AXIS = 6  # columns of a y axis with its labels
BOTH = 10  # lines from which on loss and error have a chart each
VALIDATION = "bold"


class Curves(Pane):
    """Training loss above, validation error below; the error alone where there is no room for both."""

    number = 3
    title = "Curves"

    def caption(self) -> str:
        curve = self.picture.curve
        return cut(curve.task, max(0, self.size.width - 20)) if curve else ""

    def build(self, width: int, height: int) -> Sequence[Text]:
        self._titles()
        curve = self.picture.curve
        if curve is None or not (curve.loss or curve.validation_error):
            return [Text("  nothing was trained yet" if curve is None else "  waiting for the first step", "dim")]
        index = next((task.index for task in self.picture.tasks if task.name == curve.task), 1)
        colour, ascii = self.marks.colour(index), self.marks.ascii
        plots = height - 2  # two lines for the x axis
        if height < BOTH:
            chart = error_chart if curve.validation_error else loss_chart
            return [*chart(curve, width, plots, colour, ascii), *x_axis(curve.end, width)]
        above = loss_chart(curve, width, plots // 2, colour, ascii)
        return [*above, *error_chart(curve, width, plots - plots // 2, colour, ascii), *x_axis(curve.end, width)]


def loss_chart(curve: Curve, width: int, height: int, colour: str, ascii: bool) -> list[Text]:
    """A line that names and tells the newest values, and the chart below it: `height` lines together."""
    top = nice(max([*(s.high for s in curve.loss), *(y for _, y in curve.validation_loss), 1e-9]))
    plot = _Plot(width, height - 1, curve, top)
    plot.points(curve.validation_loss)
    plot.line(curve.loss, colour)
    plot.pruned(named=True)
    legend = Text.assemble((" loss", "bold"), ("   ─ train", colour))
    if curve.loss:
        legend.append(f" {curve.loss[-1].high:.3g}")
    if curve.validation_loss:
        legend.append("   • ", VALIDATION).append(f"validation {curve.validation_loss[-1][1]:.3g}")
    return [legend, *plot.lines(ascii)]


def error_chart(curve: Curve, width: int, height: int, colour: str, ascii: bool) -> list[Text]:
    """The same for the validation error, with the error before pruning as the line to get back to."""
    before = [curve.before[1]] if curve.before else []
    top = min(100.0, nice(max([*(y for _, y in curve.validation_error), *before, 1.0])))
    plot = _Plot(width, height - 1, curve, top)
    plot.points(curve.validation_error, colour)
    plot.pruned(named=False)
    legend = Text.assemble((" error %", "bold"), "   ")
    if curve.validation_error:
        legend.append("• ", VALIDATION).append(f"validation {curve.validation_error[-1][1]:.2f}")
    else:
        legend.append("no validation images", "dim")
    if curve.before:
        plot.level(*curve.before)
        words = f"   ╌ before pruning {curve.before[1]:.2f}"
        legend.append(words if len(legend) + len(words) <= width else words.replace(" pruning", ""), "dim")
    return [legend, *plot.lines(ascii)]


def x_axis(end: float, width: int) -> list[Text]:
    """Epochs since the task was added."""
    length = width - AXIS
    label = f"{end:g} epochs"
    return [
        Text(" " * (AXIS - 1) + "└" + "─" * length, "dim"),
        Text(" " * AXIS + pad("0", length - len(label)) + label, "dim"),
    ]


def nice(value: float) -> float:
    """The round number at or above a value, for the top of an axis."""
    unit = 10.0 ** math.floor(math.log10(value))
    return next((step * unit for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8) if step * unit >= value), 10 * unit)


class _Plot:
    """One chart: values from 0 to `top` over epochs from 0 to the curve's end."""

    def __init__(self, width: int, height: int, curve: Curve, top: float):
        self._canvas = Canvas(max(1, width - AXIS), max(1, height))
        self._curve, self._top = curve, top

    def line(self, samples: Sequence[Sample], style: str) -> None:
        """A line through samples, with the spread of each."""
        last: tuple[int, int] | None = None
        for sample in samples:
            x, low, high = self._x(sample.x), self._y(sample.low), self._y(sample.high)
            middle = (low + high) // 2
            if last:
                self._canvas.line(*last, x, middle, style)
            self._canvas.column(x, high, low, style)
            last = (x, middle)

    def points(self, points: Sequence[Point], joined: str | None = None) -> None:
        """Points, joined by a line in a style if one is given; where they are too many, the line alone."""
        few = 2 * len(points) <= self._canvas.width
        if joined is not None or not few:
            self.line([Sample(x, y, y) for x, y in points], joined if joined is not None else VALIDATION)
        if few:
            for x, y in points:
                self._canvas.sign(self._x(x) // 2, self._y(y) // 4, "•", VALIDATION)

    def pruned(self, named: bool) -> None:
        """Where it was pruned: a line from top to bottom, beside it the ratio."""
        for x, ratio in self._curve.pruned:
            column = self._x(x) // 2
            for row in range(self._canvas.height):
                self._canvas.sign(column, row, "┆", "dim", over=False)
            name = f"pruned {ratio:g}"
            if named and column + 1 + len(name) <= self._canvas.width:
                for i, character in enumerate(name, column + 1):
                    self._canvas.sign(i, 0, character, "dim")

    def level(self, start: float, value: float) -> None:
        """A level to get back to."""
        row = self._y(value) // 4
        for column in range(self._x(start) // 2 + 1, self._canvas.width):
            self._canvas.sign(column, row, "╌", "dim", over=False)

    def lines(self, ascii: bool) -> list[Text]:
        """The chart with its y axis."""
        last = self._canvas.height - 1
        labels = {0: self._top, last: 0.0}
        if last >= 4 and last % 2 == 0:
            labels[last // 2] = self._top / 2
        lines = []
        for row in range(self._canvas.height):
            label = f"{labels[row]:.4g}" if row in labels else ""
            line = Text(f"{label:>{AXIS - 1}}{'┤' if label else '│'}", "dim")
            for character, style in self._canvas.row(row, ascii):
                line.append(character, f"not dim {style}" if "dim" not in style else style)
            lines.append(line)
        return lines

    def _x(self, x: float) -> int:
        return round(x / self._curve.end * (self._canvas.dots_wide - 1))

    def _y(self, y: float) -> int:
        y = min(max(y, 0.0), self._top) if math.isfinite(y) else self._top
        return round((1 - y / self._top) * (self._canvas.dots_high - 1))
