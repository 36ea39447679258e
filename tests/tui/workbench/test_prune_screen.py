"""The screen that asks for a pruning ratio and shows what it would keep and free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Static

from packnet_core.schema.commands import Prune
from packnet_tui.state.capacity import after_pruning, total
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.screens.ratio_screen import typed_ratio
from packnet_tui.workbench.widgets.pruned_layers_pane import PrunedLayersPane
from tests.tui.made_up import at_rest
from tests.tui.still import SMALL, Desk, dense, opened


@pytest.fixture
def path(tmp_path):
    return dense(tmp_path / "model.safetensors")


async def test_news_that_come_before_it_is_composed_are_no_error(path):
    async with opened(path) as desk:
        picture = desk.app.picture
        desk.app.push_screen(PruneScreen(picture, picture.open_task))
        desk.app.show()
        screen = await desk.sees(PruneScreen)
        assert str(screen.query_one(".error", Static).content)


async def asked_for(desk: Desk, *keys: str) -> PruneScreen:
    await desk.press("p")
    screen = await desk.sees(PruneScreen)
    await desk.press(*keys)
    return screen


@pytest.mark.parametrize(
    ("keys", "ratio"),
    [
        ([], 0.75),
        (["right"], 0.8),
        (["left", "h", "minus"], 0.6),
        (["right"] * 9, 1.0),
        (["plus", "l"], 0.85),
        (["left"] * 17, 0.0),
        (["6"], 0.6),
        (["6", "2", "5"], 0.625),
        (["0", "full_stop", "3"], 0.3),
        (["1", "full_stop"], 1.0),
        (["1", "full_stop", "5"], 1.0),
        (["9", "right"], 0.95),
        (["6", "2", "backspace"], 0.6),
        (["6", "right", "5"], 0.5),
    ],
)
async def test_arrows_and_digits_set_the_ratio_and_enter_prunes_at_it(path, keys, ratio):
    async with opened(path) as desk:
        screen = await asked_for(desk, *keys)
        assert screen.ratio == ratio
        await desk.press("enter")
        if ratio == 1:  # which frees every weight
            await desk.sees(Question)
            await desk.press("y")
        await desk.sees(MainScreen)
        assert desk.asked == [Prune(ratio=ratio, task="cars", yes=ratio == 1)]


@pytest.mark.parametrize(("keys", "ratio"), [(["6"], 0.6), (["6", "right"], 0.65), (["1", "full_stop"], 1.0)])
async def test_what_is_kept_and_freed_is_shown_at_once_layer_by_layer_and_in_total(path, keys, ratio):
    async with opened(path) as desk:
        screen = await asked_for(desk, *keys)
        cuts = after_pruning(desk.app.picture.layers, ratio)
        whole = total(cuts)
        rows = [line.split() for line in desk.text(screen.query_one(PrunedLayersPane)).splitlines()]
        shown = {
            name: numbers[-3:-1] for name, *numbers in rows[1:]
        }  # between them is the bar, at the end what is free
        for cut in (*cuts, whole):
            assert shown[cut.name.removesuffix(".weight")] == [f"{cut.kept:,}", f"{cut.freed:,}"]
        said = str(screen.query_one(".ratio", Static).content)
        assert f"{ratio:.2f}" in said
        assert f"frees {whole.freed:,} of {whole.freed + whole.kept:,} weights, keeps {whole.kept:,}" in said


async def test_the_consequences_are_shown(path):
    async with opened(path) as desk:
        screen = await asked_for(desk)
        text = str(screen.query_one(".room", Static).content)
        assert "free afterwards: 28.1%" in text
        assert "at 0.75, seven more tasks: 7.0, 5.3, 4.0, … and 1.3 % of the weights each" in text
        assert "retraining: 5 epochs at 0.0001" in text


async def test_layers_that_do_not_fit_scroll_and_the_total_stays(path):
    async with opened(path, SMALL) as desk:
        await asked_for(desk)
        assert "classifier.3" not in desk.text()
        assert "enter prunes" in desk.text()
        await desk.press("G")
        assert "classifier.3" in desk.text()
        assert " total " in desk.text()
        await desk.press("g", "j")
        assert "features.0 " not in desk.text()


@pytest.mark.parametrize("key", ["escape", "q", "ctrl+c"])
async def test_leaving_it_prunes_nothing(path, key):
    async with opened(path) as desk:
        before = desk.app.ratio
        await asked_for(desk, "6", key)
        await desk.sees(MainScreen)
        assert desk.asked == []
        assert desk.app.ratio == before  # which the panes and the next dialog show


async def test_pruning_a_second_time_is_asked_about(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("p")
        await desk.sees(Question)
        assert "cars was pruned already" in desk.text()
        await desk.press("enter")
        await desk.sees(MainScreen)
        await desk.press("p")
        await desk.sees(Question)
        await desk.press("y")
        await desk.sees(PruneScreen)
        await desk.press("5", "enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Prune(ratio=0.5, task="cars")]


@given(st.text("0123456789.", max_size=10))
def test_typed_digits_are_a_share_or_nothing(text):
    ratio = typed_ratio(text)
    assert ratio is None or 0 <= ratio <= 1
    if text.isdigit() and len(text) <= 8:
        assert ratio == float(f"0.{text}")
