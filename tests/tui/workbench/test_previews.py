"""The error right after pruning at several ratios, on the screen that asks for a ratio."""

import pytest

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate, Preview, Prune
from packnet_core.schema.events import Checked, JobFinished, JobStarted, Previewed
from packnet_tui.state.chart import preview_chart, within
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from packnet_tui.workbench.widgets.plot import Plot
from packnet_tui.workbench.widgets.sweep_chart import SweepChart
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import NOON, append, at_rest, entries, job
from tests.tui.still import MEASURED, SMALL, TOO_SMALL, WIDE, dense, opened, previewing


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
            ratios, errors = desk.text(desk.app.screen.query_one(SweepChart)).splitlines()
            assert (ratios.split(), errors.split()) == (
                ["ratio", "0.00", "0.50", "0.75", "0.90"],
                ["error", "17.0", "18.0", "21.5", "60.0"],
            )
            append(path, entries([Previewed(task="cars", ratio=0.25, error=17.1, images=600)], job=9))
            await desk.until(lambda: "0.00 0.25 0.50" in desk.text() and "17.0 17.1 18.0" in desk.text())


@pytest.mark.parametrize("size", [WIDE, SMALL, TOO_SMALL], ids=str)
async def test_the_error_at_the_ratio_in_hand_is_a_number_at_every_size(tmp_path, size):
    path = previewing(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path, size) as desk:
            await desk.press("p")
            await desk.sees(PruneScreen)
            assert "error 21.5 at 0.75, unpruned 17.0" in desk.text()
            assert "costs ≤ 1 point: 0.50   ≤ 2: 0.50   ≤ 5: 0.75" in desk.text()
            assert "17.0 18.0 21.5 60.0" in desk.text()
            assert "at 0.75, seven more tasks" in desk.text()
            assert "enter prunes" in desk.text()
            await desk.press("6")
            assert "error ≈ 19.4 at 0.6, unpruned 17.0" in desk.text()
            await desk.press("5", "backspace", "backspace", "9", "5")
            assert "error at 0.95: measuring …, unpruned 17.0" in desk.text()


async def test_of_a_task_that_was_pruned_before_the_error_at_0_is_not_called_unpruned(tmp_path):
    path = at_rest(tmp_path / "model.safetensors")
    seen = [
        Previewed(task="cars", ratio=ratio, error=error, images=600) for ratio, error in ((0.0, 17.0), (0.75, 21.5))
    ]
    append(path, job(9, Preview(), *seen))
    async with opened(path) as desk:
        await desk.press("p", "y")
        await desk.sees(PruneScreen)
        await desk.until(lambda: "error 21.5 at 0.75, now 17.0" in desk.text())
        assert "unpruned" not in desk.text()


async def test_the_screen_says_why_nothing_is_measured(tmp_path):
    path = dense(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path, SMALL) as desk:
            await desk.press("p")
            await desk.sees(PruneScreen)
            assert "the error right after pruning: waiting for the engine …" in desk.text()
            append(path, entries([JobStarted(command=Preview(), pid=7, device="cpu")], job=9))
            await desk.until(lambda: "the error right after pruning: measuring …" in desk.text())
            failed = JobFinished(outcome="failed", message="no such data", seconds=1.0, status=2)
            append(path, entries([failed], job=9, at=NOON + 9))
            await desk.until(lambda: "the error right after pruning is not measured: no such data" in desk.text())
            append(path, entries([JobStarted(command=Evaluate(), pid=7, device="cpu")], job=10, at=NOON + 10))
            await desk.until(lambda: "the error right after pruning is not measured while eval runs" in desk.text())
            assert desk.app.engine.asked == [Preview()]  # it failed, so it is not asked for again and again


async def test_it_is_measured_once_another_job_is_done(tmp_path):
    path = dense(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path, SMALL) as desk:
            await desk.press("p")
            append(path, entries([JobStarted(command=Preview(), pid=7, device="cpu")], job=9))
            await desk.until(lambda: desk.app.picture.previewing)
            await desk.press("escape")
            desk.app.engine.asked.clear()
            await desk.press("p")
            await desk.sees(PruneScreen)
            assert desk.app.engine.asked == []
            ended = JobFinished(outcome="stopped", message="stopped", seconds=1.0, status=1)
            append(path, entries([ended], job=9, at=NOON + 9))
            await desk.until(lambda: desk.app.engine.asked == [Preview()])


async def test_in_a_small_terminal_the_ratios_nearest_to_that_in_hand_are_shown(tmp_path):
    path = previewing(tmp_path / "model.safetensors")
    more = [Previewed(task="cars", ratio=i / 100, error=20.0 + i, images=600) for i in range(50, 70)]
    append(path, entries(more, job=9))
    with Paths(path).locked():
        async with opened(path, SMALL) as desk:
            await desk.press("p")
            await desk.sees(PruneScreen)
            ratios, errors = desk.text(desk.app.screen.query_one(SweepChart)).splitlines()
            assert (ratios.split()[-3:], errors.split()[-3:]) == (["0.69", "0.75", "0.90"], ["89.0", "21.5", "60.0"])
            assert (ratios.split()[1], errors.split()[1]) == ("…", "…")
            await desk.press("0", "full_stop", "1")
            ratios, errors = desk.text(desk.app.screen.query_one(SweepChart)).splitlines()
            assert (ratios.split()[:3], errors.split()[:3]) == (["ratio", "0.00", "0.50"], ["error", "17.0", "70.0"])
            assert ratios.split()[-1] == "…"


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
            beside = screen.query_one(".costs")
            assert "costs ≤ 1 point: 0.50   ≤ 2: 0.50   ≤ 5: 0.75" in desk.text(beside)
            append(path, entries([Previewed(task="cars", ratio=0.6, error=18.4, images=600)], job=9))
            await desk.until(lambda: "≤ 1 point: 0.50   ≤ 2: 0.60   ≤ 5: 0.75" in desk.text(beside))


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
