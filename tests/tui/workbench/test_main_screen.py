"""Keys that change nothing: panes, moving, zoom, hold, help, palette, colours, leaving."""

import pytest
from textual.command import CommandPalette

from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import Note
from packnet_tui.state.marks import DARK, LIGHT, TERMINAL
from packnet_tui.workbench.screens.help_screen import HelpScreen
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.widgets.pane import Pane
from tests.tui.made_up import NOON, append, at_rest, entries, running
from tests.tui.still import SMALL, TOO_SMALL, WIDE, Desk, opened


@pytest.fixture
def path(tmp_path):
    return at_rest(tmp_path / "model.safetensors")


def here(desk: Desk) -> int:
    pane = desk.bench.focused
    assert isinstance(pane, Pane)
    return pane.number


def alone(desk: Desk) -> list[int]:
    return [pane.number for pane in desk.bench.panes if pane.region]


@pytest.mark.parametrize(
    ("keys", "lands"),
    [
        ([], 1),
        (["2"], 2),
        (["3"], 3),
        (["4"], 4),
        (["5"], 5),
        (["tab"], 2),
        (["shift+tab"], 5),
        (["tab"] * 5, 1),
        (["l"], 2),
        (["right"], 2),
        (["h"], 1),
        (["4", "l"], 5),
        (["5", "left"], 4),
        (["5", "l"], 5),
    ],
)
async def test_a_key_leads_to_a_pane(path, keys, lands):
    async with opened(path) as desk:
        await desk.press(*keys)
        assert here(desk) == lands


@pytest.mark.parametrize(
    ("keys", "layer"),
    [
        (["j"], "features.2"),
        (["j", "down", "k"], "features.2"),
        (["G"], "classifier.3"),
        (["end", "g"], "features.0"),
        (["k"], "features.0"),
        (["G", "j", "k"], "classifier.0"),
        (["ctrl+d", "ctrl+u"], "features.0"),
        (["pagedown"], "features.17"),
    ],
)
async def test_moving_selects_a_layer_and_pane_4_shows_it(path, keys, layer):
    async with opened(path) as desk:
        await desk.press(*keys)
        assert f"> {layer} " in desk.text()
        assert f" {layer}.weight " in desk.text()


async def test_the_newest_task_is_the_chosen_one_and_up_goes_to_older_ones(path):
    async with opened(path) as desk:
        await desk.press("2")
        assert "> *3 cars" in desk.text()
        await desk.press("k", "k", "k")
        assert ">  1 imagenet" in desk.text()


async def test_the_log_follows_until_it_is_scrolled_up(path):
    async with opened(path) as desk:
        assert "eval: done" in desk.text()
        await desk.press("5", "g")
        assert "eval: done" not in desk.text()
        append(path, entries([Note(text="something new")], at=NOON + 700))
        await desk.until(lambda: any("something new" in line.text for line in desk.app.picture.log))
        assert "something new" not in desk.text()
        await desk.press("G")
        assert "something new" in desk.text()


@pytest.mark.parametrize("pane", ["1", "2", "3", "4", "5"])
async def test_zoom_lets_one_pane_fill_the_screen(path, pane):
    async with opened(path) as desk:
        await desk.press(pane, "z")
        assert alone(desk) == [int(pane)]
        await desk.press("tab")
        assert alone(desk) == [here(desk)] != [int(pane)]
        await desk.press("shift+tab", "z")
        assert alone(desk) == [1, 2, 3, 4, 5]
        await desk.press("z", "escape")
        assert alone(desk) == [1, 2, 3, 4, 5]


async def test_in_a_small_terminal_other_panes_are_shown_by_their_key(path):
    async with opened(path, SMALL) as desk:
        assert alone(desk) == [1, 2, 3]
        await desk.press("4")
        assert alone(desk) == [4]
        await desk.press("escape")
        assert (alone(desk), here(desk)) == ([1, 2, 3], 1)


@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5"])
async def test_keys_go_to_a_pane_that_is_shown_after_one_that_has_no_room(path, key):
    async with opened(path, TOO_SMALL) as desk:
        await desk.press(key)
        assert here(desk) == int(key)
        await desk.press("escape")
        assert here(desk) in alone(desk)


async def test_a_terminal_too_small_says_so_and_shows_tasks_and_job(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path, TOO_SMALL) as desk:
            assert alone(desk) == [2, 5]
            assert "60×18" in desk.text()
            assert "80×24" in desk.text()
            assert "RETRAIN cars 2/5" in desk.text()
            await desk.pilot.resize_terminal(120, 40)
            await desk.until(lambda: alone(desk) == [1, 2, 3, 4, 5])
            assert "80×24" not in desk.text()


@pytest.mark.parametrize("size", [WIDE, SMALL, TOO_SMALL], ids=str)
async def test_keys_go_to_a_pane_that_is_shown(path, size):
    async with opened(path, size) as desk:
        assert here(desk) in alone(desk)


async def test_keys_go_to_a_pane_that_is_shown_after_a_resize(path):
    async with opened(path) as desk:
        await desk.press("5")
        for size in (SMALL, TOO_SMALL, WIDE):
            await desk.pilot.resize_terminal(*size)
            await desk.until(lambda size=size: desk.app.size == size)
            await desk.pilot.pause()
            assert here(desk) in alone(desk)


async def test_hold_holds_the_display_and_lets_it_go_again(path):
    async with opened(path) as desk:
        await desk.press("space")
        assert "HELD" in desk.text()
        append(path, entries([Note(text="meanwhile")], at=NOON + 700))
        await desk.until(lambda: any("meanwhile" in line.text for line in desk.app.here.picture.log))
        await desk.pilot.pause()
        assert "meanwhile" not in desk.text()
        await desk.press("space")
        assert "meanwhile" in desk.text()
        assert "HELD" not in desk.text()


@pytest.mark.parametrize(
    ("key", "leave"), [("f1", "f1"), *(("question_mark", leave) for leave in ("escape", "q", "question_mark", "enter"))]
)
async def test_help_comes_and_goes(path, key, leave):
    async with opened(path) as desk:
        await desk.press(key)
        await desk.sees(HelpScreen)
        await desk.press(leave)
        await desk.sees(MainScreen)


async def test_help_that_is_longer_than_the_screen_scrolls(path):
    async with opened(path, SMALL) as desk:
        await desk.press("question_mark")
        await desk.sees(HelpScreen)
        assert "err now" not in desk.text()
        await desk.press(*["j"] * 60)
        end = desk.text()
        assert "0.00 =" in end
        await desk.press("k")
        assert desk.text() != end


async def test_the_palette_finds_an_action_by_its_words_and_does_it(path):
    async with opened(path) as desk:
        await desk.press("ctrl+p")
        await desk.sees(CommandPalette)
        await desk.write("hold the display")
        await desk.until(lambda: "key: space" in desk.text())
        await desk.press("down", "enter")
        await desk.until(lambda: desk.app.held, "the palette to hold the display")
        await desk.sees(MainScreen)


@pytest.mark.parametrize(
    ("theme", "colours"), [("textual-dark", DARK), ("textual-light", LIGHT), ("ansi-dark", TERMINAL)]
)
async def test_the_tasks_colours_go_with_the_theme(path, theme, colours):
    async with opened(path) as desk:
        desk.app.theme = theme
        await desk.until(lambda: desk.app.marks.colours == colours)


async def test_choosing_colours_is_in_the_palette(path):
    async with opened(path) as desk:
        await desk.bench.run_action("theme")
        await desk.sees(CommandPalette)
        await desk.write("textual-light")
        await desk.press("down", "enter")
        await desk.until(lambda: desk.app.theme == "textual-light")


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_leaving_submits_nothing(path, key):
    async with opened(path) as desk:
        await desk.press(key)
        await desk.until(lambda: not desk.app.is_running)
        assert (desk.asked, desk.app.engine.stopped, desk.app.return_code) == ([], [], 0)


async def test_ascii_draws_nothing_else(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path, ascii=True) as desk:
            for keys, shows in (
                ([], "Occupancy"),
                (["3", "z"], "epochs"),
                (["escape", "question_mark"], "Signs"),
                (["escape", "a"], "enter starts"),
                (["escape", "F"], "the hardest first"),
                (["escape", "x"], "esc closes"),
                (["escape", "ctrl+p"], "key: a"),
                (["escape", "p"], "wait until"),
                (["2", "enter"], "esc goes back"),
                (["escape", "colon", *"theme", "enter"], "nord"),
            ):
                await desk.press(*keys)
                await desk.until(lambda shows=shows: shows in desk.text(), shows)
                assert [line for line in desk.text().splitlines() if not line.isascii()] == []
