"""What a plot takes from textual-plot beyond its documented methods, so that a version without it fails here first."""

import pytest
from textual.app import App, ComposeResult
from textual_hires_canvas import Canvas
from textual_plot import PlotWidget
from textual_plot.plot_widget import Legend

from packnet_tui.state.chart import loss_chart
from packnet_tui.state.series import Curve, Sample
from packnet_tui.workbench.widgets.plot import Plot, PlotCanvas

CURVE = Curve(task="cars", loss=(Sample(0, 1, 2), Sample(1, 3, 4)), pruned=((1.0, 0.5),), end=2.0)


class Both(App[None]):
    """The library's widget above ours."""

    CSS = "PlotWidget, Plot { height: 50%; }"

    def compose(self) -> ComposeResult:
        yield PlotWidget(id="library")
        yield Plot()


def parts(plot: PlotWidget) -> list[str | None]:
    return [part.id for part in plot.walk_children() if isinstance(part, Canvas | Legend)]


def shown(plot: Plot) -> list[str]:
    return ["".join(char for char, _ in line) for line in plot.query_one("#plot", PlotCanvas).lines()]


async def test_a_plot_has_the_parts_that_the_library_looks_up():
    async with Both().run_test(size=(60, 40)) as pilot:
        library, plot = pilot.app.query_one("#library", PlotWidget), pilot.app.query_one(Plot)
        assert parts(plot) == parts(library) != []
        assert all(isinstance(canvas, PlotCanvas) for canvas in plot.query(Canvas))


@pytest.mark.parametrize("size", [(60, 40), (40, 30)])
async def test_a_chart_fills_its_place_also_after_a_resize_and_keeps_its_legend_and_marks(size):
    async with Both().run_test(size=(60, 40)) as pilot:
        plot = pilot.app.query_one(Plot)
        plot.draw(loss_chart(CURVE, *plot.room, "red"))
        await pilot.resize_terminal(*size)
        await pilot.pause()
        plot.draw(loss_chart(CURVE, *plot.room, "red", log=True))
        await pilot.pause()
        lines, (columns, rows) = shown(plot), plot.room
        assert (len(lines), {len(line) for line in lines}) == (rows + 2, {columns + 2})
        assert "loss  ─ train 4" in lines[0]
        assert any("┆" in line for line in lines)
        assert any("pruned 0.5" in line for line in lines)
        assert any(0x2801 <= ord(char) <= 0x28FF for line in lines for char in line)
        plot.refresh(layout=True)  # has the library draw all of it again
        await pilot.pause()
        assert shown(plot) == lines


async def test_drawing_the_same_chart_again_costs_nothing(monkeypatch):
    async with Both().run_test(size=(60, 40)) as pilot:
        plot = pilot.app.query_one(Plot)
        chart = loss_chart(CURVE, *plot.room, "red")
        plot.draw(chart)
        monkeypatch.setattr(plot, "render", lambda: pytest.fail("drawn again"))
        plot.draw(chart)
