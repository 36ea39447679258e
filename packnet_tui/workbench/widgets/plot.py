"""A chart drawn by textual-plot. It imports numpy, so it is only imported when there is something to draw.

It uses only the public parts of textual-plot and textual-hires-canvas, but replaces the canvases that a PlotWidget
composes, so both are pinned to the versions that the tests ran with.
"""

from collections.abc import Sequence
from typing import Any, Self

from rich.segment import Segment
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Grid
from textual.geometry import Region, Size
from textual.strip import Strip
from textual_hires_canvas import Canvas
from textual_plot import HiResMode, PlotWidget
from textual_plot.axis_formatter import AxisFormatter
from textual_plot.plot_widget import Legend

from packnet_tui.state.chart import ACROSS, Chart
from packnet_tui.state.scale import DOWN, LABEL

LEFT, BELOW = LABEL + 1, 1  # cells beside and below the box, for the labels of the axes
AXIS = "dim"
THIN = str.maketrans("━┃┏┓┗┛┳┻┣┫╋", "─│┌┐└┘┬┴├┤┼")  # the library's box is heavy


class PlotCanvas(Canvas):
    """A canvas that sends to the terminal only those of its lines that changed, with a thin box."""

    quiet = False  # while it is drawn on: refreshes are ignored
    annotated = False  # whether `Plot` has written over the library's drawing
    extent = Size(0, 0)  # of the drawing; at a resize, `size` changes first

    def reset(self, size: Size | None = None, refresh: bool = True) -> None:
        self.annotated = False
        self.extent = size or self.extent
        super().reset(size, refresh)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        if not self.quiet:
            super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self

    def lines(self) -> list[list[tuple[str, str]]]:
        """Characters with their styles, line by line."""
        width, height = self.extent
        return [[self.get_pixel(x, y) for x in range(width)] for y in range(height)]

    def settle(self, before: Sequence[object]) -> None:
        """Refresh the lines that differ from those `before`."""
        after = self.lines()
        if len(after) != len(before):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        style = self.rich_style
        if y >= self.extent.height:  # laid out, and not drawn yet
            return Strip.blank(self.size.width, style)
        return Strip([Segment(s.text.translate(THIN), s.style or style) for s in super().render_line(y)])


class TickLabels(AxisFormatter):
    """The ticks of a chart: `of` has their labels."""

    def __init__(self) -> None:
        self.of: dict[float, str] = {}

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        return list(self.of)

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        return [self.of[tick] for tick in ticks]


class Plot(PlotWidget, can_focus=False, inherit_bindings=False):
    """Shows the chart it is given. Keys and the mouse go to the pane it is in."""

    DEFAULT_CSS = """
    Plot {
        width: 1fr;
        height: 1fr;
        & > .plot--axis, & > .plot--tick { color: $foreground; text-style: dim; }
    }
    """

    def __init__(self) -> None:
        super().__init__(allow_pan_and_zoom=False)
        self.chart: Chart | None = None
        self._quiet = False
        self._sizes: list[Size] = []  # of the canvases, when it was drawn last
        self._across, self._up = TickLabels(), TickLabels()
        self.set_x_formatter(self._across)
        self.set_y_formatter(self._up)

    def compose(self) -> ComposeResult:
        with Grid():
            for name in ("margin-top", "margin-left", "plot", "margin-bottom"):
                yield PlotCanvas(1, 1, id=name)
        yield Legend(id="legend")

    def on_mount(self) -> None:
        self.margin_top, self.margin_bottom, self.margin_left = 0, BELOW, LEFT

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        if self._quiet:
            return self
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    @property
    def room(self) -> tuple[int, int]:
        """Columns and rows of cells inside the box; (0, 0) before it is laid out, and once the screen closes."""
        width, height = next((canvas.size for canvas in self.query("#plot").results(PlotCanvas)), (0, 0))
        return max(0, width - 2), max(0, height - 2)

    def draw(self, chart: Chart) -> None:
        """Show a chart whose size is `room`. Does nothing if it is shown already."""
        if chart == self.chart:
            return
        self.chart = chart
        canvases = list(self.query(PlotCanvas))
        before = [canvas.lines() for canvas in canvases]
        sizes = [canvas.size for canvas in canvases]
        if sizes != self._sizes:
            self._sizes = sizes
            super().refresh(layout=True)  # the library then fits its canvases to their new sizes
        self._quiet = True
        for canvas in canvases:
            canvas.quiet = True
        self._describe(chart)
        self.render()
        self._quiet = False
        for canvas, lines in zip(canvases, before, strict=True):
            canvas.quiet = False
            canvas.settle(lines)

    def render(self) -> Any:
        if self.chart is None:  # the library would draw an empty box
            return ""
        blank = super().render()
        canvas = self.query_one("#plot", PlotCanvas)
        if not canvas.annotated and self.room == (self.chart.columns, self.chart.rows):
            self._annotate(canvas, self.chart)
            canvas.annotated = True
        return blank

    def _describe(self, chart: Chart) -> None:
        """Pass the chart to the library: coordinates are dots, each point in the middle of its dot."""
        self.clear()
        self.set_xlimits(0, chart.columns * ACROSS)
        self.set_ylimits(0, chart.rows * DOWN)
        self._across.of, self._up.of = dict(chart.x_ticks), dict(chart.y_ticks)
        if chart.cursor is not None:
            self.scatter(*_middles([(ACROSS * chart.cursor, DOWN * row) for row in range(chart.rows)]), "│", "bold")
        for column, _ in chart.marks:  # the library's own vertical lines would hide the curve
            self.scatter(*_middles([(column, DOWN * row) for row in range(chart.rows)]), "┆", "dim")
        if chart.level:
            self.scatter(*_middles(chart.level), "╌", "dim")
        for line, style in chart.lines:
            if line:
                self.plot(*_middles(line), line_style=style, hires_mode=HiResMode.BRAILLE)
        if chart.points:
            self.scatter(*_middles(chart.points), chart.sign, "bold")
        if chart.crosses:
            self.scatter(*_middles(chart.crosses), "×", chart.crossed)
        if chart.beyond:
            self.scatter(*_middles(chart.beyond), "↑", "bold")

    def _annotate(self, canvas: PlotCanvas, chart: Chart) -> None:
        """Write what the library can't draw: the legend in place of the box's top, and texts beside the marks."""
        right, bottom = chart.columns + 1, chart.rows + 1
        canvas.set_pixels([*((x, 0) for x in range(1, right)), *((right, y) for y in range(bottom + 1))], " ", "")
        canvas.set_pixels([(0, bottom)], "└", AXIS)
        canvas.set_pixels([(0, 0)], "┤", AXIS)
        if chart.legend:
            canvas.write_text(2, 0, Text.assemble(*chart.legend).markup)
        for column, name in chart.marks:
            if name and not self._beside(canvas, 1 + column // ACROSS, name, chart):
                self._beside(canvas, 1 + column // ACROSS, name.split()[-1], chart)

    @staticmethod
    def _beside(canvas: PlotCanvas, column: int, name: str, chart: Chart) -> bool:
        """Write a name on empty cells to the right or left of a mark, as high up as possible, if there are any."""
        for row in range(1, chart.rows + 1):
            for start in (column + 2, column - len(name) - 1):
                cells = range(start - 1, start + len(name))
                if start < 2 or cells[-1] > chart.columns:
                    continue
                if all(canvas.get_pixel(x, row)[0] in " ┆" for x in cells):
                    canvas.write_text(start, row, f"[dim]{name}[/]")
                    return True
        return False


def _middles(dots: Sequence[tuple[int, int]]) -> tuple[list[float], list[float]]:
    return [x + 0.5 for x, _ in dots], [y + 0.5 for _, y in dots]
