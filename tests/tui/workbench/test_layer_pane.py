"""Pane 4: the numbers of the selected layer, and its mosaic, by keys and by the cells that are drawn."""

import pytest
from rich.segment import Segment

from packnet_core.packfile.paths import Paths
from packnet_tui.state.marks import DARK_SHADES, FREE_DARK, glyph
from packnet_tui.workbench.widgets.layer_pane import LayerPane
from packnet_tui.workbench.widgets.occupancy_pane import OccupancyPane
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import TINY, at_rest, document, running, task, write
from tests.tui.made_up_owners import fill
from tests.tui.still import SMALL, WIDE, Desk, opened

NAMES = ("birds", "a_rather_long_name_of_a_task_1", "a_rather_long_name_of_a_task_2")
LARGE = {"conv.weight": (64, 32, 3, 3), "hidden.weight": (300, 200)}


def made(path, layers=TINY, names=NAMES, ratio=0.6):
    tasks = [task(name, ratio, 20.0) for name in names]
    owners = fill(write(path, document(tasks, layers, "digits_net")))
    return path, owners


@pytest.fixture
def path(tmp_path):
    return made(tmp_path / "model.safetensors", LARGE)[0]


def pane(desk: Desk) -> LayerPane:
    return desk.bench.query_one(LayerPane)


async def seen(desk: Desk, text: str = "cell") -> str:
    """Wait until pane 4 shows a text, usually that of a mosaic. Returns all its text."""
    await desk.until(lambda: text in desk.text(pane(desk)), text)
    return desk.text(pane(desk))


def drawn(desk: Desk) -> list[list[Segment]]:
    """The mosaic's characters as they are drawn, line by line, each with its style."""
    area = pane(desk).content_region
    strips = desk.app.screen._compositor.render_strips()[area.y : area.bottom]
    found = []
    for strip in strips:
        cells = [Segment(c, segment.style) for segment in strip.crop(area.x + 1, area.right) for c in segment.text]
        if any(cell.text in "▀█▓▒" for cell in cells) or (cells[0].style and cells[0].style.bgcolor in SOLID):
            found.append(cells)
    return found


def colour(value) -> str:
    return value.get_truecolor().hex if value else ""


class _Solid:
    """The backgrounds that only a mosaic has."""

    def __contains__(self, value) -> bool:
        return colour(value) in {*(each for row in DARK_SHADES for each in row), *FREE_DARK}


SOLID = _Solid()


# -- what is drawn ---------------------------------------------------------------------------------------------------


async def test_each_weight_of_a_small_layer_is_a_block_in_its_owners_colour(tmp_path):
    path, owners = made(tmp_path / "model.safetensors")
    async with opened(path) as desk:
        for key, name in (("g", "conv1.weight"), ("j", "conv2.weight"), ("j", "hidden.weight")):
            await desk.press(key)
            text = await seen(desk, name)
            await desk.until(lambda: len(drawn(desk)) > 3, "the mosaic")
            await seen(desk, "cell")
            layer = owners[name].reshape(owners[name].shape[0], -1)
            lines = drawn(desk)
            upper = [[colour(c.style.bgcolor if c.text == " " else c.style.color) for c in line] for line in lines]
            lower = [[colour(c.style.bgcolor) for c in line] for line in lines]
            rows = [row for pair in zip(upper, lower, strict=True) for row in pair]
            high = len(rows) // len(layer)
            wide = (pane(desk).content_size.width - 2) // layer.shape[1]
            if wide and "one cell = 1 weight" in text:
                for y, row in enumerate(layer):
                    for x, owner in enumerate(row):
                        expected = DARK_SHADES[owner - 1][0] if owner else FREE_DARK[0]
                        assert rows[y * high][x * wide] == expected, (name, y, x)


@pytest.mark.parametrize("options", [{"ascii": True}, {"no_color": True}], ids=str)
async def test_without_colours_each_weight_is_its_owners_digit(tmp_path, monkeypatch, options):
    if options.pop("no_color", False):
        monkeypatch.setenv("NO_COLOR", "1")
    path, owners = made(tmp_path / "model.safetensors", {"hidden.weight": (10, 32)})
    async with opened(path, **options) as desk:
        text = await seen(desk, "one cell = 1 weight")
        free = "." if options else "·"
        for row in owners["hidden.weight"]:
            line = "".join(glyph(owner) if owner else free for owner in row)
            assert text.count(f" {line} ") >= 1
        bar = desk.text(desk.bench.query_one(OccupancyPane))
        assert "1111" in bar
        assert "▀" not in desk.text()


async def test_with_colours_occupancy_has_a_digit_once_per_task(path):
    async with opened(path) as desk:
        line = next(line for line in desk.text(desk.bench.query_one(OccupancyPane)).splitlines() if "> conv" in line)
        bar = line.partition("conv")[2].partition("%")[0].rpartition(" ")[0].split()
        assert bar[:3] == ["1", "2", "3"]
        assert set(bar[3]) == {"·"}


async def test_in_the_terminals_own_colours_blocks_are_shaded(path):
    async with opened(path) as desk:
        desk.app.theme = "ansi-dark"
        await seen(desk)
        await desk.until(lambda: any(c in desk.text(pane(desk)) for c in "█▓▒"))
        for line in drawn(desk):
            for cell in line:
                assert cell.text in "█▓▒· "
                if cell.text in "█▓▒":
                    assert cell.style.color.is_system_defined


async def test_the_numbers_of_every_task_stay(path):
    async with opened(path) as desk:
        text = await seen(desk)
        assert "conv.weight   64×32×3×3 = 18,432 weights" in text
        for words in ("1 birds", "7,373  40.0%", "2 a_ra…ask_1", "4,424", "· free", "3,981  21.6%"):
            assert words in text, words


async def test_the_numbers_of_many_tasks_scroll(tmp_path):
    path, _ = made(tmp_path / "model.safetensors", LARGE, [f"task number {i}" for i in range(1, 31)], ratio=0.9)
    async with opened(path) as desk:
        assert "1 task…ber 1 " in await seen(desk)
        await desk.press("4", "G")
        assert "· free" in desk.text(pane(desk))
        assert "cell" in desk.text(pane(desk))


@pytest.mark.parametrize("size", [WIDE, (200, 60)], ids=str)
@pytest.mark.parametrize("layers", [TINY, LARGE, {f"layer{i}.conv.weight": (32, 64, 1, 1) for i in range(53)}])
async def test_neither_occupancy_nor_the_mosaic_is_mostly_empty(tmp_path, size, layers):
    path, _ = made(tmp_path / "model.safetensors", layers)
    async with opened(path, size) as desk:
        await seen(desk)
        for each in (pane(desk), desk.bench.query_one(OccupancyPane)):
            lines = [line.strip("│┃ ") for line in desk.text(each).splitlines()[1:-1]]
            solid = len(drawn(desk)) if each is pane(desk) else 0
            blank = sum(not line for line in lines) - sum(not line for line in lines[:solid])
            assert sum(bool(line) for line in lines) + solid > len(lines) / 2 or blank < len(lines) / 2


async def test_the_legend_fits_and_says_what_a_cell_is(path):
    async with opened(path) as desk:
        text = await seen(desk)
        assert "64 outputs ↓ × 32 inputs × 9 →, " in text
        assert "colour: who owns most; brightness: " in text
        await desk.press("4", "enter")
        await seen(desk, "64 outputs ↓ × 32 inputs × 9 kernel positions →, one cell")


# -- keys ------------------------------------------------------------------------------------------------------------


async def test_enter_goes_to_pane_4_and_then_enlarges_it_and_escape_goes_back(path):
    async with opened(path) as desk:
        await desk.press("enter")
        assert desk.bench.focused is pane(desk)
        assert not pane(desk).has_class("alone")
        await desk.press("enter")
        assert [each.number for each in desk.bench.panes if each.region] == [4]
        await seen(desk)
        await desk.press("enter")
        assert pane(desk).has_class("alone")
        await desk.press("escape")
        assert len([each for each in desk.bench.panes if each.region]) == 5


@pytest.mark.parametrize("back", ["escape", "2"])
async def test_a_digit_highlights_a_task_until_it_comes_again_or_escape(path, back):
    async with opened(path) as desk:
        await desk.press("4", "enter")
        await seen(desk, "colour: who owns most")
        await desk.press("2")
        text = await seen(desk, "only task 2 a_rather_lo…")
        assert "task_1" in text
        seen_colours = {colour(c.style.bgcolor) for line in drawn(desk) for c in line if colour(c.style.bgcolor)}
        assert seen_colours & set(DARK_SHADES[1])
        assert not seen_colours & {each for i in (0, 2) for each in DARK_SHADES[i]}
        await desk.press(back)
        await seen(desk, "colour: who owns most")
        assert pane(desk).has_class("alone")


async def test_0_highlights_what_is_free(path):
    async with opened(path) as desk:
        await desk.press("4", "enter", "0")
        await seen(desk, "only free: ")


async def test_a_digit_without_a_task_says_so(path):
    async with opened(path) as desk:
        await desk.press("4", "enter", "7")
        assert desk.app.said == ["there is no task 7; esc goes back to all panes"]
        assert pane(desk).highlighted is None


async def test_beside_other_panes_a_digit_leads_to_a_pane(path):
    async with opened(path) as desk:
        await desk.press("4", "2")
        assert desk.bench.focused is desk.bench.query_one(TasksPane)
        assert pane(desk).highlighted is None


async def test_in_a_small_terminal_pane_4_has_a_mosaic(path):
    async with opened(path, SMALL) as desk:
        await desk.press("4")
        await seen(desk)
        assert len(drawn(desk)) > 5
        await desk.press("1")
        await seen(desk, "only task 1 birds")


# -- the file --------------------------------------------------------------------------------------------------------


async def test_what_was_read_is_shown_at_once_again(path):
    async with opened(path) as desk:
        await seen(desk)
        await desk.press("j")
        await seen(desk, "300 outputs")
        await desk.press("k")
        assert "64 outputs" in desk.text(pane(desk))


async def test_while_a_job_runs_it_is_the_file_as_saved(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            text = await seen(desk, "as saved")
            assert "3 cars" in text  # the numbers are the job's


async def test_at_rest_it_is_not_called_as_saved(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        assert "as saved" not in await seen(desk)


async def test_a_file_saved_anew_is_read_anew(path):
    async with opened(path) as desk:
        await seen(desk)
        before = [[colour(c.style.color) for c in line] for line in drawn(desk)]
        made(path, LARGE, NAMES[:1])
        await desk.until(lambda: len(desk.app.picture.tasks) == 1)
        await seen(desk)
        await desk.until(lambda: [[colour(c.style.color) for c in line] for line in drawn(desk)] != before)


async def test_a_file_that_contradicts_itself_gives_one_clear_sentence(path):
    write(path, document([task(name, 0.6, 20.0) for name in NAMES], LARGE))  # all weights are 0.0
    async with opened(path) as desk:
        text = await seen(desk, "its header says")
        words = " ".join(line.strip("│ ") for line in text.splitlines())
        assert "layer 'conv.weight' has owners' counts [0, 0, 0], and its header says [7373, 4424, 2654]" in words
        await desk.press("j", "k", "4", "enter")  # and all keys work
        await seen(desk, "its header says")


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"nothing"), lambda path: path.unlink()])
async def test_a_file_damaged_or_deleted_meanwhile_does_no_harm(path, damage):
    async with opened(path) as desk:
        await seen(desk)
        damage(path)
        await desk.press("j")
        await desk.until(lambda: any(w in desk.text(pane(desk)) for w in ("not a whole", "there is no file")))
        made(path, LARGE)
        await seen(desk, "300 outputs")


async def test_without_tasks_all_is_free(tmp_path):
    path = write(tmp_path / "model.safetensors", document((), TINY))
    async with opened(path) as desk:
        await seen(desk, "one cell = 1 weight")
        assert {colour(c.style.bgcolor) for line in drawn(desk) for c in line[:9]} == {FREE_DARK[0]}
