"""The error right after pruning at several ratios as a chart, while it is measured, and as a row of numbers."""

from rich.text import Text
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Static

from packnet_tui.state.chart import preview_chart
from packnet_tui.state.series import Point
from packnet_tui.state.what_if import sweep_columns

LABEL = 6  # cells of the label of a row


class SweepChart(Widget):
    """The paper's Figure 4 for the open task; `roomy` says whether there is room for a chart beside the numbers."""

    DEFAULT_CSS = """
    SweepChart { height: auto; }
    SweepChart Static { height: 2; }
    SweepChart Plot { height: 10; }
    """

    def __init__(self, colour: str):
        super().__init__()
        self._colour = colour
        self._previews: tuple[Point, ...] = ()
        self._ratio = 0.0
        self.roomy = False

    def compose(self) -> ComposeResult:
        yield Static()

    @property
    def charted(self) -> bool:
        """Whether the chart is shown."""
        return self.roomy and len(self._previews) > 1

    def show(self, previews: tuple[Point, ...], ratio: float, width: int) -> None:
        """Show the measurements so far, and the chosen ratio, in `width` cells."""
        self._previews, self._ratio = previews, ratio
        self.query_one(Static).update(self._rows(width))
        for plot in self.query("Plot"):
            plot.display = self.charted
        if self.charted:
            self._draw()

    def on_canvas_resize(self) -> None:
        """Draw again after the plot was laid out."""
        self._draw()

    def _draw(self) -> None:
        from packnet_tui.workbench.widgets.plot import Plot  # imports numpy

        plots = self.query(Plot)
        if not plots:
            self.mount(Plot())
            return
        plot: Plot = plots.first()
        columns, rows = plot.room
        if plot.display and columns > 0 and rows > 0 and self._previews:
            plot.draw(preview_chart(self._previews, self._ratio, columns, rows, self._colour))

    def _rows(self, width: int) -> Text:
        """The measured ratios, and below each its error; the chosen one is marked."""
        if not self._previews:
            return Text("")
        columns, before, after = sweep_columns(self._previews, self._ratio, width - LABEL)
        lines = [Text(f"{label}{before}", "dim") for label in ("ratio", "error")]
        for at, error, chosen in columns:
            for line, text in zip(lines, (at, error), strict=True):
                line.append(text[0])
                line.append(text[1:], "bold reverse" if chosen else "not dim")
        return Text("\n").join(line.append(after) for line in lines)
