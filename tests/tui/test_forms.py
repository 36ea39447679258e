"""The forms: what is typed becomes the command, and what is wrong is said in the form."""

import os
import re

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from packnet_core.commands import Add, Train
from packnet_core.errors import RequestError
from packnet_core.records import Recipe
from packnet_tui.app import Watch
from packnet_tui.screens.add import AddForm
from packnet_tui.screens.train import TrainForm
from packnet_tui.screens.workbench import Workbench
from tests.tui.made_up import SEALED, document, task, write
from tests.tui.still import dense, empty, opened, sealed


@pytest.fixture
def path(tmp_path):
    return sealed(tmp_path / "model.safetensors")


async def test_add_with_the_papers_recipe_needs_a_name_and_data_alone(path):
    async with opened(path) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.write("cars")
        await desk.press("tab")
        await desk.write("sklearn:digits")
        await desk.press("enter")
        await desk.sees(Workbench)
        assert desk.asked == [Add(task="cars", data="sklearn:digits", recipe=Recipe(), prune=0.75)]


async def test_every_field_arrives_in_the_command(path):
    async with opened(path) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(
            task="red cars", data="sklearn:digits", epochs="30", lr="0.02", batch_size="64", optimizer="AdamW",
            prune="0.6", retrain_epochs="0", limit="1000",
        )  # fmt: skip
        await desk.press("enter")
        await desk.sees(Workbench)
        recipe = Recipe(optimizer="adamw", lr=0.02, epochs=30, batch_size=64, retrain_epochs=0)
        assert desk.asked == [Add(task="red cars", data="sklearn:digits", recipe=recipe, prune=0.6, limit=1000)]


@pytest.mark.parametrize(("typed", "meant"), [("data/cars", "{here}/data/cars"), ("~/cars", "{home}/cars")])
async def test_a_path_is_made_absolute_for_the_engine_works_elsewhere(path, tmp_path, monkeypatch, typed, meant):
    monkeypatch.chdir(tmp_path)
    async with opened(path) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(task="cars", data=typed, prune="")
        await desk.press("enter")
        await desk.sees(Workbench)
        data = meant.format(here=tmp_path, home=os.path.expanduser("~"))
        assert desk.asked == [Add(task="cars", data=data, prune=None)]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"task": ""}, "name: the task needs one"),
        ({"data": ""}, "data: where are its images?"),
        ({"epochs": "many"}, "epochs: 'many' is not a whole number"),
        ({"epochs": "-1"}, "epochs: it is 0 at least, and -1 is less"),
        ({"lr": "fast"}, "learning rate: 'fast' is not a number"),
        ({"lr": "0"}, "learning rate: 0 is not above 0"),
        ({"lr": "nan"}, "learning rate: nan is not above 0"),
        ({"batch_size": "0"}, "batch size: it is 1 at least, and 0 is less"),
        ({"optimizer": "lion"}, "optimizer: 'lion' is neither sgd nor adamw"),
        ({"prune": "75"}, "prune ratio: a share from 0 to 1, and 75 is not"),
        ({"prune": "half"}, "prune ratio: 'half' is not a number"),
        ({"retrain_epochs": "x"}, "retrain epochs: 'x' is not a whole number"),
        ({"limit": "0"}, "limit: it is 1 at least, and 0 is less"),
        ({"task": "cubs"}, "there is a task 'cubs' already"),
    ],
)
def test_what_makes_no_sense_is_refused_and_the_field_named(path, fields, says):
    right = {"task": "cars", "data": "sklearn:digits", "epochs": "2", "lr": "0.1", "batch_size": "8"}
    right |= {"optimizer": "sgd", "prune": "0.5", "retrain_epochs": "1", "limit": "9"}
    form = AddForm(Watch(path).picture)
    assert form.result(right).task == "cars"
    with pytest.raises(RequestError, match=f"^{re.escape(says)}"):
        form.result(right | fields)


@pytest.mark.parametrize(("field", "wrong", "says"), [("lr", "fast", "learning rate"), ("task", "cubs", "there is a")])
async def test_what_is_wrong_is_said_in_the_form_and_can_be_mended(path, field, wrong, says):
    async with opened(path) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(**({"task": "cars", "data": "sklearn:digits"} | {field: wrong}))
        await desk.press("enter")
        assert desk.error().startswith(says)
        assert says in desk.text()
        assert desk.asked == []
        await desk.fill(**{field: {"lr": "0.001", "task": "cars"}[field]})
        await desk.press("enter")
        await desk.sees(Workbench)
        assert desk.asked == [Add(task="cars", data="sklearn:digits", prune=0.75)]


async def test_escape_asks_for_nothing(path):
    async with opened(path) as desk:
        for key in ("a", "escape", "a", "ctrl+c"):
            await desk.press(key)
        await desk.sees(Workbench)
        assert desk.asked == []


async def test_letters_in_a_field_are_letters_not_keys(path):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        await desk.write("quiz?")
        assert form.query_one("#task", Input).value == "quiz?"


async def test_the_ratio_proposed_is_the_papers_and_what_is_sealed_is_said(tmp_path):
    async with opened(empty(tmp_path / "model.safetensors")) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        assert form.query_one("#prune", Input).value == "0.5"
        assert "seals" not in desk.text()
    newest = task("cars", 0.75, 18.0, "retrained")
    async with opened(write(tmp_path / "other.safetensors", document((*SEALED, newest)))) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        assert form.query_one("#prune", Input).value == "0.75"
        assert "seals cars, for good" in desk.text()


async def test_train_as_it_was_changes_nothing(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("t")
        await desk.sees(TrainForm)
        await desk.press("enter")
        await desk.sees(Workbench)
        assert desk.asked == [Train()]


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"epochs": "3"}, {"epochs": 3}),
        ({"lr": "1e-2"}, {"lr": 0.01}),
        ({"epochs": "10", "lr": "0.0010"}, {}),
    ],
)
async def test_train_says_only_what_is_other_than_before(tmp_path, fields, changes):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("t")
        await desk.sees(TrainForm)
        await desk.fill(**fields)
        await desk.press("enter")
        await desk.sees(Workbench)
        assert desk.asked == [Train(recipe=changes)]


async def test_retraining_proposes_what_retraining_had(tmp_path):
    pruned = replace(task("cars", 0.75, 40.0, "pruned"), recipe=Recipe(epochs=10, lr=0.01))
    async with opened(write(tmp_path / "model.safetensors", document((*SEALED, pruned)))) as desk:
        await desk.press("t")
        form = await desk.sees(TrainForm)
        assert [form.query_one(f"#{name}", Input).value for name in ("epochs", "lr")] == ["5", "0.001"]
        assert "Retrain cars" in desk.text()
        await desk.fill(epochs="0")
        await desk.press("enter")
        assert "it is 1 at least" in desk.error()
