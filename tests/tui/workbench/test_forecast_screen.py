"""The forecast on the screen: what fits at a ratio, and the order in which to add tasks."""

import pytest
from textual.widgets import Input, Static

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Order, Prune
from packnet_core.schema.recipes import Recipe
from packnet_tui.state.fits import sentence, what_fits
from packnet_tui.workbench.screens.forecast_screen import ForecastScreen
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.order_form import OrderForm
from packnet_tui.workbench.widgets.forecast_pane import ForecastPane
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import append, at_rest, begun, entries, running
from tests.tui.state.test_adding_order import DONE, ORDER, hardness
from tests.tui.still import SMALL, TOO_SMALL, WIDE, Desk, dense, opened, outcome
from tests.worlds import images


@pytest.fixture
def path(tmp_path):
    return at_rest(tmp_path / "model.safetensors")


async def forecast(desk: Desk, *keys: str) -> ForecastScreen:
    await desk.press("F")
    screen = await desk.sees(ForecastScreen)
    await desk.press(*keys)
    return screen


def said(screen: ForecastScreen, what: str) -> str:
    return " ".join(str(screen.query_one(what, Static).content).split())


async def test_every_layer_has_what_is_free_how_many_tasks_fit_and_what_the_next_owns(path):
    async with opened(path) as desk:
        screen = await forecast(desk, "5")
        found = what_fits(desk.app.picture, 0.5)
        rows = [line.split() for line in desk.text(screen.query_one(ForecastPane)).splitlines()][1:]
        shown = {name: numbers[-3:] for name, *numbers in rows}
        for room in (*found.layers, found.total):
            free = f"{100 * room.free / room.weights:.1f}%"
            assert shown[room.name.removesuffix(".weight")] == [free, str(room.tasks), f"{room.owns[0]:,}"]
        assert sentence(found) in said(screen, ".fits")
        assert "all layers fill together: each has room for four more tasks" in said(screen, ".fits")


@pytest.mark.parametrize(("key", "kept"), [("enter", True), ("F", True), ("escape", False), ("q", False)])
async def test_enter_keeps_the_ratio_and_escape_brings_the_former_one_back(path, key, kept):
    async with opened(path) as desk:
        screen = await forecast(desk, "right", "right", "left", "left", "left")
        assert screen.ratio == 0.7
        await desk.press("6", "2", "5")
        assert screen.ratio == 0.625
        await desk.press(key)
        await desk.sees(MainScreen)
        assert desk.app.ratio == (0.625 if kept else 0.75)
        assert f"at {desk.app.ratio:g}, " in desk.text(desk.bench.query_one(TasksPane))
        assert desk.asked == []


async def test_it_opens_by_its_name_and_in_a_screen_that_only_watches(path):
    async with opened(path, readonly=True) as desk:
        await desk.press("colon")
        await desk.write("forecast")
        await desk.press("enter")
        await desk.sees(ForecastScreen)
        await desk.press("o")
        assert isinstance(desk.app.screen, ForecastScreen)
        assert any("only watches" in text for text in desk.app.said)


@pytest.mark.parametrize("size", [WIDE, SMALL, TOO_SMALL], ids=str)
async def test_at_every_size_it_has_the_answer_the_layers_the_order_and_the_keys(tmp_path, size):
    async with opened(dense(tmp_path / "model.safetensors"), size) as desk:
        screen = await forecast(desk)
        text = " ".join(desk.text().replace("┃", " ").split())
        assert "cars is pruned at it first" in text
        assert "at 0.75, seven more tasks: 7.0, 5.3, 4.0, … and 1.3 % of the weights each" in text
        assert "order of new tasks: o measures which data set is hardest; add that one first" in text
        assert "esc" in desk.text().splitlines()[screen.query_one(".keys").region.y]
        await desk.press("G")
        assert "classifier.3" in desk.text()
        assert " total " in desk.text()


async def test_it_says_at_which_ratio_the_running_job_prunes_first(tmp_path):
    path = dense(tmp_path / "model.safetensors")
    append(path, entries([begun(Prune(ratio=0.9))]))
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.until(lambda: desk.app.picture.job)
            assert "cars is pruned at 0.9 first" in said(await forecast(desk), ".ratio")


async def test_data_sets_are_asked_for_and_measured_by_the_engine(path, tmp_path):
    data = images(tmp_path / "birds.npz")
    async with opened(path) as desk:
        await forecast(desk, "o")
        form = await desk.sees(OrderForm)
        assert form.table.here == "data"
        assert "data sets " in desk.text(form.table)  # a wide field's label is whole
        await desk.press("enter")
        assert desk.error() == "data sets: name those that could be added, for example birds=~/birds cars=~/cars"
        await desk.fill(data=f"birds={data} birds")
        await desk.press("enter")
        assert desk.error() == "data sets: give NAME=DATA, a name and where its images are; 'birds' is not that"
        await desk.fill(data=f"birds={data} 'dogs=/my data'", epochs="3", lr="0.01", limit="0", features="boats")
        await desk.press("enter")
        assert (desk.error().partition(":")[0], form.table.here) == ("images at most", "limit")
        await desk.fill(limit="50")
        await desk.press("enter")
        assert "no task 'boats' in this file" in desk.error()
        await desk.fill(features="cubs")
        assert outcome(desk).startswith("Trains a head for each data set on fixed features, 3 epochs at 0.01.")
        await desk.press("enter")
        await desk.sees(ForecastScreen)
        wanted = {"birds": str(data), "dogs": "/my data"}
        recipe = Recipe(epochs=3, lr=0.01)
        assert desk.asked == [Order(data=wanted, recipe=recipe, limit=50, features="cubs")]


async def test_the_data_typed_last_is_completed(path, tmp_path):
    data = images(tmp_path / "birds.npz")
    async with opened(path) as desk:
        await forecast(desk, "o")
        form = await desk.sees(OrderForm)
        await desk.write(f"dogs=sklearn:digits birds={tmp_path / 'bi'}")
        entry = form.query_one(Input)
        await desk.until(lambda: entry._suggestion.endswith("birds.npz"), "the completion")
        await desk.press("right")
        assert entry.value == f"dogs=sklearn:digits birds={data}"


async def test_tasks_that_wait_in_the_queue_are_proposed(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            screen = await forecast(desk)
            assert "– flowers not measured; o measures it waits in the queue" in said(screen, ".order")
            await desk.press("o")
            form = await desk.sees(OrderForm)
            assert form.values()["data"] == "flowers=/data/flowers"
            await desk.press("enter")
            await desk.sees(ForecastScreen)
            assert desk.asked == [Order(data={"flowers": "/data/flowers"})]


async def test_results_show_as_they_come_in_and_stay(path):
    async with opened(path, SMALL) as desk:
        screen = await forecast(desk)
        append(path, entries([begun(ORDER), hardness("birds", 41.25), hardness("dogs", 62.5), DONE], job=20))
        head = "order of new tasks, the hardest first (error of a new head, %):"
        wanted = f"{head} 1 dogs error 62.5 chance 88.9 2 birds error 41.2 chance 88.9"
        await desk.until(lambda: said(screen, ".order") == wanted)
        assert "error  62.5   chance  88.9" in desk.text()
    async with opened(path, SMALL) as desk:
        assert said(await forecast(desk), ".order") == wanted
