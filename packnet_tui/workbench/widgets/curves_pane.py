"""Pane 3: loss and error of one task, with a mark at each pruning and a line at the error before pruning."""

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.geometry import Size
from textual.widget import Widget

from packnet_core.schema.commands import Add, Prune, Train
from packnet_tui.state import tables
from packnet_tui.state.chart import error_chart, loss_chart
from packnet_tui.state.format import cut
from packnet_tui.state.series import Curve
from packnet_tui.state.tables import Table
from packnet_tui.workbench.actions import bindings
from packnet_tui.workbench.widgets.pane import Pane
from packnet_tui.workbench.widgets.tasks_pane import TasksPane

if TYPE_CHECKING:
    from textual.timer import Timer

    from packnet_tui.workbench.widgets.plot import Plot

TWO_CHARTS = 12  # lines that two charts need, one for loss and one for error
ONE_CHART = 5  # lines that one chart needs
EVERY = 1.0  # seconds between two drawings of a growing curve


class CurveView(Widget):
    """A curve as one or two charts, depending on the room; drawn at most once per second while it only grows."""

    DEFAULT_CSS = "CurveView { height: 1fr; layout: vertical; }"

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = self.smooth = False
        self._curve: Curve | None = None
        self._colour = ""
        self._drawn: tuple[Curve | None, object] = (None, None)
        self._at = 0.0
        self._timer: Timer | None = None

    def show(self, curve: Curve | None, colour: str) -> None:
        """Show a curve: at once if it is another one, begins a phase or looks different, else within a second."""
        self._curve, self._colour = curve, colour
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def on_canvas_resize(self) -> None:
        """Draw again after a plot was laid out."""
        self._draw()

    def _draw(self) -> None:
        curve = self._curve
        heights = _heights(self.size, curve)
        if curve is None or not heights:
            for plot in self.plots:
                plot.display = False
            return
        if not self.plots:
            self._mount()
            return
        if not all(plot.is_mounted for plot in self.plots):
            return  # on_canvas_resize follows
        for plot, height in zip(self.plots, (*heights, 0), strict=False):
            plot.display = height > 0
            plot.styles.height = height
        self.plots[0].margin_bottom = 2 - len(heights)  # of two charts, only the lower one has labels on its axis
        rooms = [plot.room for plot in self.plots]
        phase, look = (curve.end, curve.pruned, curve.before), (self.log_scale, self.smooth, self._colour)
        now = (curve.task, phase, look, heights, rooms)
        if self._drawn == (curve, now):
            return
        wait = self._at + EVERY - monotonic()
        if now == self._drawn[1] and wait > 0:
            if self._timer is None:
                self._timer = self.set_timer(wait, self._later)
            return
        self._drawn, self._at = (curve, now), monotonic()
        for i, (plot, (columns, rows)) in enumerate(zip(self.plots, rooms, strict=True)):
            if plot.display and columns > 0 and rows > 0:
                if i == 0 and (len(heights) == 2 or not curve.validation_error):
                    plot.draw(loss_chart(curve, columns, rows, self._colour, self.log_scale, self.smooth))
                else:
                    plot.draw(error_chart(curve, columns, rows, self._colour, named=len(heights) == 1))

    def _later(self) -> None:
        self._timer = None
        self._draw()

    @property
    def plots(self) -> "list[Plot]":
        return list(self.children)  # type: ignore[arg-type]

    def _mount(self) -> None:
        from packnet_tui.workbench.widgets.plot import Plot  # imports numpy, which the first paint does without

        self.mount(Plot(), Plot())


class CurvesPane(Pane):
    """Training loss above, validation error below; only the error if there is no room for both.

    With `follow` it shows the task in training, else the task selected in pane 2.
    """

    number = 3
    title = "Curves"
    BINDINGS = bindings(pane=3)

    def __init__(self, tasks: TasksPane, id: str | None = None):
        super().__init__(id)
        self._tasks = tasks
        self.log_scale = self.smooth = False
        self.follow = True

    def compose(self) -> ComposeResult:
        yield CurveView()

    @property
    def curve(self) -> Curve | None:
        """The curve to show, if any."""
        picture = self.picture
        job, newest, selected = picture.job, picture.curve, self._tasks.selected
        trains = job is not None and isinstance(job.command, Add | Prune | Train)
        if selected is None or (self.follow and trains and newest and job and job.task == newest.task):
            return newest
        return picture.curves.get(selected.name)

    def table(self, shown: Sequence[int]) -> Table:
        return tables.curve(self.curve)

    def caption(self) -> str:
        curve = self.curve
        words = ["log"] * self.log_scale + ["smooth"] * self.smooth + ["no follow"] * (not self.follow)
        state = " ".join(words)
        name = cut(curve.task, max(0, self.size.width - 20 - len(state))) if curve else ""
        return f"{name} {state}".strip()

    def build(self, width: int, height: int) -> Sequence[Text]:
        self._titles()
        curve = self.curve
        if _heights(self.content_size, curve):
            return []
        if curve is not None:
            return [Text("  waiting for the first step", "dim")]
        selected = self._tasks.selected
        if selected is None or not self.picture.curves:
            return [Text("  nothing was trained yet", "dim")]
        return [Text(f"  no training of {selected.name} in the journal", "dim")]

    def redraw(self) -> None:
        super().redraw()
        for view in self.query(CurveView):
            curve = self.curve
            view.log_scale, view.smooth = self.log_scale, self.smooth
            view.display = bool(_heights(self.content_size, curve))
            index = next((task.index for task in self.picture.tasks if curve and task.name == curve.task), 1)
            view.show(curve, self.marks.colour(index))


def _heights(size: Size, curve: Curve | None) -> tuple[int, ...]:
    """Heights of a curve's charts in lines; empty if there is nothing to draw, or no room for it."""
    if curve is None or not (curve.loss or curve.validation_error) or size.height < ONE_CHART or size.width < 20:
        return ()
    if size.height < TWO_CHARTS:
        return (size.height,)
    return ((size.height - 1) // 2, size.height - (size.height - 1) // 2)
