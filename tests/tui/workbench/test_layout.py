"""The order of layers, what a filter counts, clicks on the footer, and the look that is kept between sessions."""

import os
import stat

import pytest

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Prune
from packnet_core.schema.events import Note, Occupancy
from packnet_tui.state.look import FILE, Look, keep_look, read_look
from packnet_tui.workbench.screens.help_screen import HelpScreen
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.widgets.curves_pane import CurvesPane
from packnet_tui.workbench.widgets.footer import Footer
from packnet_tui.workbench.widgets.log_pane import LogPane
from packnet_tui.workbench.widgets.occupancy_pane import OccupancyPane
from packnet_tui.workbench.widgets.prompt import Prompt
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import append, at_rest, begun, document, entries, task, write
from tests.tui.still import SMALL, opened

UNEVEN = {"a.weight": (4, 1, 3, 3), "b.weight": (10, 32), "c.weight": (8, 4, 3, 3)}


@pytest.fixture
def path(tmp_path):
    return at_rest(tmp_path / "model.safetensors")


def layers(desk):
    pane = desk.bench.query_one(OccupancyPane)
    return [desk.app.picture.layers[i].name for i in pane.rows]


async def test_o_orders_the_layers_and_the_title_says_how(path):
    async with opened(path) as desk:
        pane, found = desk.bench.query_one(OccupancyPane), desk.app.picture.layers
        by_depth = [layer.name for layer in found]
        await desk.press("j")
        for title, order in (
            ("by size", sorted(found, key=lambda layer: -layer.weights)),
            ("by free", sorted(found, key=lambda layer: -layer.free / layer.weights)),
        ):
            await desk.press("o")
            assert title in str(pane.border_title)
            assert layers(desk) == [layer.name for layer in order]
            assert pane.selected.name == "features.2.weight"
            assert "total" in desk.text(pane)
        await desk.press("o")
        assert "by " not in str(pane.border_title)
        assert layers(desk) == by_depth


async def test_the_cursor_stays_on_its_layer_when_a_job_changes_the_order_by_free(tmp_path):
    before = document((task("one", 0.5, 20.0, "retrained"),), UNEVEN)
    path = write(tmp_path / "model.safetensors", before)
    with Paths(path).locked():
        async with opened(path) as desk:
            pane = desk.bench.query_one(OccupancyPane)
            await desk.press("o", "o", "j")
            first, kept, *_ = layers(desk)
            assert pane.selected.name == kept
            full = {layer.name: [layer.weights if layer.name == first else layer.owned[0]] for layer in before.layers}
            append(path, entries([begun(Prune(ratio=0.5)), Occupancy(task="one", phase="pruned", layers=full)], job=9))
            await desk.until(lambda: layers(desk)[0] != first, "the new order")
            assert pane.selected.name == kept


async def test_a_filter_says_how_many_it_shows_and_totals_them(tmp_path):
    tasks = (task("one", 0.5, 20.0, "retrained"),)
    async with opened(write(tmp_path / "model.safetensors", document(tasks, UNEVEN))) as desk:
        pane = desk.bench.query_one(OccupancyPane)
        await desk.press("slash", "a", "enter")
        assert "/a  1 of 3" in str(pane.border_title)
        total = desk.text(pane).splitlines()[-2]
        assert "shown 1 of 3" in total
        assert total.strip("┃ ").endswith(" 36")
        await desk.press("escape")
        assert "shown" not in desk.text(pane)
        assert desk.text(pane).splitlines()[-2].strip("┃ ").endswith(" 644")


async def test_a_filter_of_the_log_shows_lines_whole(path):
    append(path, entries([Note(text=f"one {'and another ' * 12}last")], job=9))
    async with opened(path) as desk:
        pane = desk.bench.query_one(LogPane)
        for needle in ("one and", "last"):
            await desk.press("5", "slash", *("space" if sign == " " else sign for sign in needle), "enter")
            assert "one and another" in desk.text(pane)
            assert "last" in desk.text(pane)
            await desk.press("escape")


async def test_the_other_panes_count_what_their_filters_show(path):
    async with opened(path) as desk:
        await desk.press("2", "slash", *"cub", "enter")
        assert "/cub  1 of 3" in str(desk.bench.query_one(TasksPane).border_title)
        await desk.press("5", "slash", *"saved", "enter")
        log = desk.bench.query_one(LogPane)
        assert f"/saved  {len(log.rows)} of {log.count()}" in str(log.border_title)


async def test_a_filter_with_no_match_has_no_weights(path):
    async with opened(path) as desk:
        await desk.press("slash", *"zzz")
        assert "shown 0 of 15" in desk.text(desk.bench.query_one(OccupancyPane))


@pytest.mark.parametrize("size", [(120, 40), SMALL])
async def test_each_label_of_the_footer_can_be_clicked(path, size):
    async with opened(path, size) as desk:
        footer = desk.bench.query_one(Footer)
        text = desk.text(footer)
        await desk.pilot.click(footer, offset=(text.index("? help") + 3, 0))
        await desk.sees(HelpScreen)
        await desk.press("escape")
        await desk.sees(MainScreen)
        await desk.pilot.click(footer, offset=(text.index("e eval"), 0))
        await desk.until(lambda: desk.asked)
        await desk.pilot.click(footer, offset=(text.index(": command"), 0))
        await desk.until(lambda: desk.bench.query_one(Prompt).display)


async def test_theme_and_layout_are_there_again_in_the_next_session(path, monkeypatch):
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)
    async with opened(path) as desk:
        await desk.press("o", "3", "z", "l", "s", "f", "c")
        desk.app.theme = "nord"
        await desk.pilot.pause()
    async with opened(path) as desk:
        curves = desk.bench.query_one(CurvesPane)
        assert desk.app.theme == "nord"
        assert desk.bench.focused is curves
        assert curves.has_class("alone")
        assert (curves.log_scale, curves.smooth, curves.follow, curves.charts) == (True, True, False, "loss")
        assert desk.bench.query_one(OccupancyPane).order == "size"
        await desk.press("escape")
    async with opened(path) as desk:
        assert not desk.bench.has_class("zoomed")
    assert read_look() == Look(theme="nord", order="size", log_scale=True, smooth=True, follow=False, charts="loss")


async def test_the_environments_theme_wins_and_is_not_kept(path, monkeypatch):
    keep_look(Look(theme="nord"))
    monkeypatch.setenv("TEXTUAL_THEME", "textual-dark")
    async with opened(path) as desk:
        assert desk.app.theme == "textual-dark"
    assert read_look() == Look(theme="nord")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "packnet" / FILE


def test_only_the_user_can_read_what_is_kept(kept):
    for look in (Look(zoomed=2), Look(zoomed=3)):
        keep_look(look)
        assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
        assert read_look() == look
    assert os.listdir(kept.parent) == [FILE]


@pytest.mark.parametrize(
    "damaged", [b"", b"\xff\x00{", b'{"zoomed": "x"}', b'{"order": "name"}', b"[" * 100_000, b'{"theme": "\\u001b[2J"}']
)
async def test_a_damaged_look_is_the_usual_one(path, kept, damaged):
    kept.parent.mkdir(parents=True)
    kept.write_bytes(damaged)
    async with opened(path) as desk:
        assert not desk.bench.has_class("zoomed")
        assert desk.app.theme in desk.app.available_themes
        assert layers(desk)[0] == "features.0.weight"


async def test_without_a_place_for_it_the_look_is_forgotten(path, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    async with opened(path) as desk:
        await desk.press("z")
        assert desk.bench.has_class("zoomed")
    assert read_look() == Look()
