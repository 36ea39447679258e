"""A form keeps what was typed before Escape, explains the field in focus, and opens its help with F1."""

import re

import pytest

from packnet_core.schema.commands import Add
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.dialog_help import DialogHelp
from packnet_tui.workbench.screens.form import AS_LEFT
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.screens.train_form import TrainForm
from tests.tui.made_up import SEALED, document, task, write
from tests.tui.still import dense, opened, sealed


@pytest.fixture
def path(tmp_path):
    return sealed(tmp_path / "model.safetensors")


async def test_what_was_typed_is_there_again_after_escape_and_ctrl_r_resets_it(path):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        assert AS_LEFT not in desk.text()
        begin = form.values()
        await desk.write("birds")
        await desk.fill(epochs="3", data="torchvision:MNIST")
        await desk.press("escape", "a")
        form = await desk.sees(AddForm)
        assert form.values() == begin | {"task": "birds", "epochs": "3", "data": "torchvision:MNIST"}
        assert AS_LEFT in desk.text()
        assert "3 epochs at 0.001" in desk.text()
        await desk.until(lambda: "28×28 grey" in desk.text(), "the preview of the data")
        await desk.press("ctrl+r")
        assert form.values() == begin
        assert AS_LEFT not in desk.text()
        await desk.press("escape", "a")
        form = await desk.sees(AddForm)
        assert form.values() == begin


async def test_a_form_that_was_sent_begins_anew(path):
    async with opened(path) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(task="birds", data="torchvision:MNIST")
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Add(task="birds", data="torchvision:MNIST", prune=0.75)]
        await desk.press("a")
        form = await desk.sees(AddForm)
        assert form.values()["task"] == ""


async def test_what_a_recipe_filled_in_and_was_changed_stays(path):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        await desk.fill(recipe="best")
        assert form.values()["optimizer"] == "adamw"
        await desk.fill(optimizer="sgd")
        await desk.press("escape", "a")
        form = await desk.sees(AddForm)
        await desk.fill(data="torchvision:MNIST")
        assert (form.values()["optimizer"], form.values()["batch_size"]) == ("sgd", "16")


async def test_a_question_that_is_answered_no_loses_nothing(tmp_path):
    bad = task("cars", 0.75, 99.5, "retrained", chance=99.5)
    async with opened(write(tmp_path / "model.safetensors", document((*SEALED, bad)))) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(task="birds", data="torchvision:MNIST")
        await desk.press("enter")
        await desk.sees(Question)
        await desk.press("n", "a")
        form = await desk.sees(AddForm)
        assert form.values()["task"] == "birds"
        assert desk.asked == []


async def test_each_form_remembers_its_own_fields(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("t")
        await desk.sees(TrainForm)
        await desk.fill(epochs="7")
        await desk.press("escape", "t")
        form = await desk.sees(TrainForm)
        assert form.values()["epochs"] == "7"
        assert desk.app.left_in_forms == {(str(desk.app.path), "Train cars further"): {"epochs": "7"}}


async def test_a_line_explains_the_field_in_focus(path):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        for field in form.table.fields.values():
            assert field.about, field.name
            form.table.go(field.name)
            await desk.pilot.pause()
            shown = " ".join(desk.text(form.query_one(".about")).split())
            assert shown[:60] == field.about[:60]
        form.table.go("batch_size")
        await desk.pilot.pause()
        assert "Images per step (from 1 to 1,048,576). The paper: 32 (§4)." in desk.text()


async def test_f1_opens_the_help_of_the_form_and_a_question_mark_is_text(path):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        await desk.press("question_mark", "f1")
        await desk.sees(DialogHelp)
        assert "Trains a new task on the free weights" in desk.text()
        assert re.search(r"\^r +back to the values", desk.text())
        await desk.press("escape")
        await desk.sees(AddForm)
        assert form.values()["task"] == "?"


async def test_a_click_edits_a_field(path):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        box = form.table.box("momentum")
        await desk.pilot.click(form.table, offset=(box.x + 1, box.y))
        assert form.table.here == "momentum"
        await desk.write("5")
        assert form.values()["momentum"] == "0.95"
