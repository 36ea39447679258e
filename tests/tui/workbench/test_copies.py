"""`y` copies a row, then its pane, as tables; `Y` saves pictures; both say what they did."""

import os
import xml.etree.ElementTree as ET

import pytest

from tests.tui.made_up import at_rest
from tests.tui.still import dense, opened


def table(desk):
    return [row.split("\t") for row in desk.app.clipboard.split("\n")]


async def typed(desk, line):
    await desk.press("colon")
    await desk.write(line)
    await desk.press("enter")


async def test_y_copies_the_row_and_then_the_whole_pane(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("j", "y")
        (row,) = table(desk)
        assert row[:4] == ["features.2.weight", "64×64×3×3", "36864", "10368"]
        assert sum(map(int, row[3:])) == 36864
        assert desk.app.said[-1] == "copied the row of features.2.weight; y again copies the whole pane"
        await desk.press("y")
        heading, *rows = table(desk)
        assert heading[:4] == ["layer", "shape", "weights", "free"]
        assert heading[4:] == ["owned by imagenet", "owned by cubs", "owned by cars"]
        assert [row[0] for row in rows] == [layer.name for layer in desk.app.picture.layers]
        assert desk.app.said[-1] == "copied pane 1: 15 rows, with tabs between the columns"
        await desk.press("k", "y")
        assert table(desk)[0][0] == "features.0.weight"


async def test_a_filtered_and_ordered_pane_is_copied_as_it_is_shown(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("o", "slash", *"classifier", "enter")
        await typed(desk, "copy pane")
        assert [row[0] for row in table(desk)[1:]] == ["classifier.0.weight", "classifier.3.weight"]


async def test_tasks_are_copied_with_all_digits(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("2", "k", "y")
        task = desk.app.picture.tasks[1]
        (row,) = table(desk)
        assert row[1:3] == ["cubs", "sealed"]
        share = task.owned / desk.app.picture.weights
        assert [float(cell) for cell in row[3:6]] == [task.prune_ratio, task.owned, share]
        await desk.press("y")
        heading, *rows = table(desk)
        assert heading[:4] == ["task", "name", "state", "pruning ratio"]
        assert len(rows) == 3
        assert {len(row) for row in rows} == {len(heading)}


async def test_curves_layer_and_log_are_copied_whole(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("3", "y")
        heading, *rows = table(desk)
        assert heading == ["task", "what", "epoch", "lowest", "highest"]
        assert {"training loss", "validation error in percent"} <= {row[1] for row in rows}
        assert {row[0] for row in rows} == {"cars"}
        await desk.press("4", "y")
        assert [row[1] for row in table(desk)] == ["owner", "imagenet", "cubs", "cars", "free"]
        await desk.press("5", "y")
        heading, *rows = table(desk)
        assert heading == ["time", "level", "text"]
        assert len(rows) == len(desk.app.picture.log)


async def test_a_pane_with_nothing_in_it_says_so(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("3", "y")
        assert desk.app.said == ["there is nothing to copy in this pane"]


async def test_pictures_get_new_names_and_never_replace_a_file(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        for name in ("model-screen.svg", "model-screen-2.svg"):
            await desk.press("Y")
            await desk.until((tmp_path / "here" / name).exists)
            await desk.until(lambda name=name: desk.app.said[-1] == f"saved {tmp_path / 'here' / name}")
        await desk.press("3", "Y")
        await desk.until((tmp_path / "here" / "model-curves.svg").exists)
        await desk.until(lambda: "curves" in desk.app.said[-1])
        whole, curves = (drawn(tmp_path / "here" / f"model-{name}.svg") for name in ("screen", "curves"))
        assert "Occupancy" in whole
        assert "Curves" in whole
        assert "Curves" in curves
        assert "Occupancy" not in curves
        await typed(desk, "save-svg model-screen.svg")
        await desk.until(lambda: "exists already" in desk.app.said[-1])
        await typed(desk, "save-svg ../other.svg")
        await desk.until((tmp_path / "other.svg").exists)
    assert len(os.listdir()) == 3


def drawn(path):
    return "".join(ET.parse(path).getroot().itertext())


@pytest.mark.parametrize("path", ["nowhere/x.svg", "."])
async def test_a_disk_that_refuses_a_picture_is_one_line(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await typed(desk, f"save-svg {path}")
        await desk.until(lambda: desk.app.said)
        assert desk.app.said[0].startswith("no picture was saved: ")
        assert "\n" not in desk.app.said[0]
