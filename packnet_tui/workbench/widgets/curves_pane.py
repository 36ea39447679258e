"""Pane 3: loss and error of one task, a mark at each pruning, the error before it, and a cursor that reads values."""

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.geometry import Size
from textual.widget import Widget

from packnet_core.schema.commands import Add, Prune, Train
from packnet_tui.state import copied_tables
from packnet_tui.state.chart import Chart, Other, error_chart, loss_chart
from packnet_tui.state.copied_tables import Table
from packnet_tui.state.format import cut_middle
from packnet_tui.state.look import CHARTS, Charts
from packnet_tui.state.readout import column_at, columns_of, read_at
from packnet_tui.state.series import Curve
from packnet_tui.workbench.actions import bindings
from packnet_tui.workbench.widgets.pane import Pane
from packnet_tui.workbench.widgets.tasks_pane import TasksPane

if TYPE_CHECKING:
    from textual.timer import Timer

    from packnet_tui.workbench.widgets.plot import Plot

TWO_CHARTS = 12  # lines that two charts need, one above the other
ONE_CHART = 5  # lines that one chart needs
SIDE_BY_SIDE = 44  # cells that two charts need beside each other
LEAST_NAME = 8  # cells of a task's name in the title, before other words go
EVERY = 1.0  # seconds between two drawings of a growing curve


class CurveView(Widget):
    """A curve as one or two charts, depending on the room; drawn at most once per second while it only grows."""

    DEFAULT_CSS = "CurveView { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = self.smooth = False
        self.charts: Charts = "both"
        self.cursor: float | None = None  # in epochs
        self._curve: Curve | None = None
        self._other: Other | None = None
        self._colour = ""
        self._drawn: tuple[object, object] = (None, None)
        self._at = 0.0
        self._timer: Timer | None = None

    def show(self, curve: Curve | None, colour: str, other: Other | None = None) -> None:
        """Show a curve: at once if it is another one, begins a phase or looks different, else within a second."""
        self._curve, self._colour, self._other = curve, colour, other
        self._draw()

    def render(self) -> str:
        return ""  # behind the charts, and without any; else Textual writes the name of the class

    def on_resize(self) -> None:
        self._draw()

    def on_canvas_resize(self) -> None:
        """Draw again after a plot was laid out."""
        self._draw()

    @property
    def columns(self) -> int:
        """Columns of the charts that are shown; 0 if none is."""
        return next((plot.room[0] for plot in self.plots if plot.display), 0)

    def _draw(self) -> None:
        curve = self._curve
        beside, layout = _layout(self.size, curve, self.charts)
        if curve is None or not layout:
            for plot in self.plots:
                plot.display = False
            return
        if not self.plots:
            self._mount()
            return
        if len(self.plots) < 2 or not all(plot.is_mounted for plot in self.plots):
            return  # the screen closes, or on_canvas_resize follows
        self.styles.layout = "horizontal" if beside else "vertical"
        heights = dict(layout)
        for plot, name in zip(self.plots, ("loss", "error"), strict=True):
            plot.display = name in heights
            plot.styles.height = heights.get(name, 0)
        # of two charts one above the other, only the lower one has labels on its axis
        self.plots[0].margin_bottom = 0 if len(layout) == 2 and not beside else 1
        rooms = [plot.room for plot in self.plots]
        phase, look = (curve.end, curve.pruned, curve.before), (self.log_scale, self.smooth, self.cursor, self._colour)
        other = self._other.names if self._other else None
        now = (curve.task, phase, look, beside, layout, rooms, other)
        curves = (curve, self._other)
        if self._drawn == (curves, now):
            return
        wait = self._at + EVERY - monotonic()
        if now == self._drawn[1] and wait > 0:
            if self._timer is None:
                self._timer = self.set_timer(wait, self._later)
            return
        self._drawn, self._at = (curves, now), monotonic()
        for name, plot, (columns, rows) in zip(("loss", "error"), self.plots, rooms, strict=True):
            if name in heights and columns > 0 and rows > 0:
                plot.draw(self._chart(name, curve, columns, rows, alone=len(layout) == 1))

    def _chart(self, name: str, curve: Curve, columns: int, rows: int, alone: bool) -> Chart:
        cursor = None if self.cursor is None else column_at(self.cursor, curve, columns)
        if name == "error":
            return error_chart(curve, columns, rows, self._colour, alone, self._other, cursor)
        return loss_chart(curve, columns, rows, self._colour, self.log_scale, self.smooth, self._other, cursor)

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
    """Loss and validation error of a task; `charts` says which of them. A cursor reads their values.

    With `follow` it shows the task in training, else the task selected in pane 2.
    """

    DEFAULT_CSS = "CurvesPane { border-subtitle-color: $text; }"
    number = 3
    title = "Curves"
    BINDINGS = bindings(pane=3)
    NEW: ClassVar[dict[str, Any]] = {**Pane.NEW, "reading": None}

    def __init__(self, tasks: TasksPane, id: str | None = None):
        super().__init__(id)
        self._tasks = tasks
        self.log_scale = self.smooth = False
        self.charts: Charts = "both"
        self.follow = True
        self.reading: float | None = None  # where the cursor is, in epochs

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

    def switch_charts(self) -> None:
        """Show both charts, only the loss, only the error, in turn."""
        self.charts = following(self.charts)
        self.redraw()

    def read(self, by: int) -> None:
        """Move the cursor by columns: at first to the newest values, or with a step to the right to the oldest."""
        curve, columns = self.curve, self.query_one(CurveView).columns
        ends = columns_of(curve, columns) if curve and columns else None
        if curve is None or ends is None:
            return
        if self.reading is None:
            column = ends[0] if by > 0 else ends[1]
        else:
            column = min(max(column_at(self.reading, curve, columns) + by, ends[0]), ends[1])
        self.reading = (column + 0.5) * curve.end / columns
        self.redraw()

    def footnote(self) -> str:
        curve, columns = self.curve, next((view.columns for view in self.query(CurveView)), 0)
        if self.reading is None or curve is None or not columns or columns_of(curve, columns) is None:
            return ""
        column = column_at(self.reading, curve, columns)
        return read_at(curve, column, columns, self.smooth).words(self.size.width - 4)

    def table(self, shown: Sequence[int]) -> Table:
        return copied_tables.curve(self.curve)

    def caption(self) -> str:
        curve = self.curve
        words = [f"{self.charts} only"] * (self.charts != "both")
        words += ["log"] * self.log_scale + ["smooth"] * self.smooth + ["no follow"] * (not self.follow)
        room = self.size.width - 4 - len(f"{self.number} {self.title}  ")
        while words and len(" ".join(words)) + LEAST_NAME + 1 > room:
            words.pop(0)
        state = " ".join(words)
        name = cut_middle(curve.task, max(0, room - len(state) - 1)) if curve else ""
        return f"{name} {state}".strip()

    def build(self, width: int, height: int) -> Sequence[Text]:
        self._titles()
        curve = self.curve
        if _layout(self.content_size, curve, self.charts)[1]:
            return []
        if curve is not None:
            return [Text("  waiting for the first step", "dim")]
        selected = self._tasks.selected
        if selected is None:
            return [Text("  nothing was trained yet", "dim")]
        name = cut_middle(selected.name, width - len("  no training of  in the journal"))
        return [Text(f"  no training of {name} in the journal", "dim")]

    def redraw(self) -> None:
        super().redraw()
        for view in self.query(CurveView):
            curve = self.curve
            view.log_scale, view.smooth = self.log_scale, self.smooth
            view.charts, view.cursor = self.charts, self.reading
            view.display = bool(_layout(self.content_size, curve, self.charts)[1])
            index = next((task.index for task in self.picture.tasks if curve and task.name == curve.task), 1)
            view.show(curve, self.marks.colour(index))


def following(charts: Charts) -> Charts:
    """What is shown next when `c` is pressed."""
    return CHARTS[(CHARTS.index(charts) + 1) % len(CHARTS)]


def _layout(size: Size, curve: Curve | None, charts: Charts) -> tuple[bool, tuple[tuple[str, int], ...]]:
    """Whether the charts are side by side, and their heights in lines; none if there is nothing to draw, or no room."""
    if curve is None or not (curve.loss or curve.validation_error) or size.height < ONE_CHART or size.width < 20:
        return False, ()
    if charts != "both":
        return False, ((charts, size.height),)
    if size.height >= TWO_CHARTS:
        return False, (("loss", (size.height - 1) // 2), ("error", size.height - (size.height - 1) // 2))
    if size.width >= SIDE_BY_SIDE and curve.validation_error:
        return True, (("loss", size.height), ("error", size.height))
    return False, (("error" if curve.validation_error else "loss", size.height),)
