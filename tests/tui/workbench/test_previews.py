"""The error right after pruning at several ratios, on the screen that asks for a ratio."""

import re

import pytest

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Preview, Prune
from packnet_core.schema.events import Checked, Previewed
from packnet_tui.state.chart import preview_chart, within
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from packnet_tui.workbench.widgets.plot import Plot
from packnet_tui.workbench.widgets.sweep_chart import SweepChart
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import append, at_rest, entries
from tests.tui.still import MEASURED, SMALL, WIDE, dense, opened, previewing


async def test_opening_the_screen_starts_the_preview(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("p")
        await desk.sees(PruneScreen)
        assert desk.app.engine.asked == [Preview()]


async def test_measured_ratios_are_not_measured_again(tmp_path):
    path = previewing(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("p")
            await desk.sees(PruneScreen)
            assert desk.app.engine.asked == []


async def test_a_readonly_screen_asks_for_nothing(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors"), readonly=True) as desk:
        await desk.press("p")
        assert isinstance(desk.app.screen, MainScreen)
        assert desk.app.engine.asked == []


async def test_errors_show_as_they_come_in(tmp_path):
    path = previewing(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path, SMALL) as desk:
            await desk.press("p")
            await desk.sees(PruneScreen)
            assert "0 ★17.0  0.5 ★18.0  0.75 ★21.5" in desk.text(desk.app.screen.query_one(SweepChart))
            append(path, entries([Previewed(task="cars", ratio=0.25, error=17.1, images=600)], job=9))
            await desk.until(lambda: "0.25 ★17.1" in desk.text())


async def test_in_a_small_terminal_a_ratio_and_its_error_stay_on_one_line(tmp_path):
    path = previewing(tmp_path / "model.safetensors")
    more = [Previewed(task="cars", ratio=i / 100, error=20.0 + i, images=600) for i in range(52, 70, 2)]
    append(path, entries(more, job=9))
    with Paths(path).locked():
        async with opened(path, SMALL) as desk:
            await desk.press("p")
            await desk.sees(PruneScreen)
            lines = desk.text(desk.app.screen.query_one(SweepChart)).splitlines()
            assert len(lines) > 1
            assert sum(len(re.findall(r"\d ★\d", line)) for line in lines) == len(MEASURED) + len(more)


async def test_if_there_is_room_errors_are_stars_in_a_chart(tmp_path):
    path = previewing(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path, WIDE) as desk:
            await desk.press("p")
            screen = await desk.sees(PruneScreen)
            await desk.until(lambda: desk.text(screen.query_one(SweepChart)).count("★") == 1 + len(MEASURED))
            assert screen.query_one(Plot).chart.sign == "★"


async def test_m_takes_the_largest_ratio_that_costs_at_most_one_two_or_five_points(tmp_path):
    path = previewing(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("p")
            screen = await desk.sees(PruneScreen)
            for ratio in (0.5, 0.5, 0.75, 0.5):
                await desk.press("m")
                assert screen.ratio == ratio


async def test_the_largest_ratios_for_one_two_and_five_points_are_beside_the_ratio(tmp_path):
    path = previewing(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path, SMALL) as desk:
            await desk.press("p")
            screen = await desk.sees(PruneScreen)
            beside = screen.query_one(".ratio")
            assert "largest ratio that costs ≤ 1 point 0.5  ≤ 2 points 0.5  ≤ 5 points 0.75" in desk.text(beside)
            append(path, entries([Previewed(task="cars", ratio=0.6, error=18.4, images=600)], job=9))
            await desk.until(lambda: "≤ 1 point 0.5  ≤ 2 points 0.6  ≤ 5 points 0.75" in desk.text(beside))


@pytest.mark.parametrize(("key", "asked"), [("enter", [Prune(ratio=0.75, task="cars")]), ("escape", [])])
async def test_leaving_the_screen_ends_the_preview(tmp_path, key, asked):
    path = previewing(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("p")
            await desk.sees(PruneScreen)
            await desk.press(key)
            await desk.sees(MainScreen)
            assert 9 in desk.app.engine.stopped
            assert desk.asked == asked


def test_within_needs_the_error_at_ratio_zero():
    assert within((), 1.0) is None
    assert within(((0.5, 10.0),), 1.0) is None
    assert within(((0.0, 10.0), (0.5, 11.0), (0.6, 14.0), (0.7, 10.5)), 1.0) == 0.7


def test_a_chart_of_one_ratio_can_be_drawn():
    assert preview_chart(((1.0, 90.0),), 1.0, 40, 8, "blue").points == ((79, 28),)


async def test_the_digest_check_is_beside_the_drift(tmp_path):
    path = at_rest(tmp_path / "model.safetensors")
    append(path, entries([Checked(task="imagenet", ok=True), Checked(task="cubs", ok=False)], job=11))
    async with opened(path) as desk:
        rows = desk.text(desk.bench.query_one(TasksPane)).splitlines()
        assert "0.00 =✓" in rows[2]
        assert "digest ✗" in rows[3]
