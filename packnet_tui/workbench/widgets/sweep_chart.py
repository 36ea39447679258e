"""The error right after pruning at several ratios, while it is measured: a chart, or text if there is no room."""

from rich.text import Text
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Static

from packnet_tui.state.chart import preview_chart
from packnet_tui.state.series import Point


class SweepChart(Widget):
    """The paper's Figure 4 for the open task; `roomy` says whether there is room for a chart."""

    DEFAULT_CSS = """
    SweepChart { height: auto; }
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

    def show(self, previews: tuple[Point, ...], ratio: float, waiting: bool) -> None:
        """Show the measurements so far, and the chosen ratio; `waiting`: more measurements will come."""
        self._previews, self._ratio = previews, ratio
        charted = self.roomy and len(previews) > 1
        line = self.query_one(Static)
        line.display = not charted
        line.update(self._line(waiting))
        for plot in self.query("Plot"):
            plot.display = charted
        if charted:
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

    def _line(self, waiting: bool) -> Text:
        """The ratios with their errors, in lines that do not break within a pair."""
        if not (self._previews or waiting):
            return Text("")
        words = [Text("% wrong right after pruning ", "dim")]
        for ratio, error in self._previews:
            words.append(Text(f" {ratio:g} ★{error:.1f} ", "bold reverse" if ratio == self._ratio else ""))
        if waiting:
            words.append(Text(" …", "dim"))
        lines, width = [Text()], self.size.width or 74
        for word in words:
            if lines[-1].cell_len + word.cell_len > width:
                lines.append(Text())
            lines[-1].append_text(word)
        return Text("\n").join(lines)
