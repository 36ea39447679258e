"""The form for a new task: typed values become the command, and the form shows errors."""

import re

import pytest

from packnet_core.errors import RequestError
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add
from packnet_core.schema.recipes import Recipe
from packnet_tui.state.watch import Watch
from packnet_tui.workbench.screens import recipe_fields
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.main_screen import MainScreen
from tests.tui.made_up import SEALED, document, task, write
from tests.tui.still import SMALL, WIDE, empty, opened, outcome, sealed
from tests.worlds import images


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
        await desk.sees(MainScreen)
        assert desk.asked == [Add(task="cars", data="sklearn:digits", recipe=Recipe(), prune=0.75)]


async def test_every_field_arrives_in_the_command(path):
    async with opened(path) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(
            task="red cars", data="sklearn:digits", epochs="30", lr="0.02", batch_size="64", optimizer="AdamW",
            prune="0.6", retrain_epochs="0", limit="1000", decay_epoch="25", retrain_lr="1e-3", momentum="0.8",
            weight_decay="5e-4", flip="Off", seed="7", device="cuda:1", layers="conv, fc",
            own="norms biases", crop="yes", schedule="cosine", warmup_epochs="2", label_smoothing="0.1", clip="1.5",
            precision="BF16", channels_last="on", pick="last", retrain_decay_epoch="3",
        )  # fmt: skip
        await desk.press("enter")
        await desk.sees(MainScreen)
        typed = Recipe(
            optimizer="adamw", lr=0.02, epochs=30, batch_size=64, retrain_epochs=0, decay_epoch=25, retrain_lr=0.001,
            momentum=0.8, weight_decay=0.0005, seed=7, schedule="cosine", warmup_epochs=2, label_smoothing=0.1,
            clip=1.5, precision="bf16", channels_last=True, pick="last", retrain_decay_epoch=3,
        )  # fmt: skip
        data = {"data": "sklearn:digits", "limit": 1000, "flip": False, "crop": True, "device": "cuda:1"}
        data |= {"layers": ("conv", "fc"), "own": ("biases", "norms")}
        assert desk.asked == [Add(task="red cars", recipe=typed, prune=0.6, **data)]


async def test_a_recipe_by_name_fills_the_fields_by_the_data_and_what_is_typed_then_stays(path):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        await desk.fill(task="places", recipe="Paper")
        assert form.values()["epochs"] == "20"
        await desk.fill(data="places365:/data")
        assert (form.values()["epochs"], form.values()["decay_epoch"]) == ("10", "5")
        await desk.fill(epochs="2", data="places365:/data/places")
        assert form.values()["epochs"] == "2"
        places = recipes.named("paper", "places365:").changed({"epochs": 2})
        assert form.result(form.values()).recipe == places
        await desk.fill(data="imagenet:/data")
        assert form.result(form.values()).recipe == recipes.named("paper", "imagenet:")


def test_a_recipes_settings_without_a_field_reach_the_command(monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "ours", {"": {"own": ("norms",), "steps": 3, "schedule": "cosine"}})
    values = {field.name: field.value for field in recipe_fields.form_fields(first=False)} | {
        "task": "x",
        "data": "d.npz",
    }
    values |= {"recipe": "ours"}
    assert recipe_fields.filled(values) == {"own": "norms", "schedule": "cosine"}
    assert recipe_fields.filled(values, first=True) == {"schedule": "cosine"}
    command = recipe_fields.add_command(values | recipe_fields.filled(values))
    assert (command.own, command.steps, command.recipe.schedule) == (("norms",), 3, "cosine")


@pytest.mark.parametrize("typed", ["cars.npz", "~/cars.npz", "'cars.npz'"])
async def test_a_path_is_made_absolute_for_the_engine_works_elsewhere(path, tmp_path, monkeypatch, typed):
    images(tmp_path / "cars.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with opened(path) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(task="cars", data=typed, prune="")
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Add(task="cars", data=str(tmp_path / "cars.npz"), prune=None)]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"task": ""}, "name: the task needs one"),
        ({"data": ""}, "data: the task needs images"),
        ({"epochs": "many"}, "epochs: 'many' is not a whole number"),
        ({"epochs": "-1"}, "epochs: -1 is not from 0 to 1,000,000"),
        ({"lr": "fast"}, "learning rate: 'fast' is not a number"),
        ({"lr": "0"}, "learning rate: 0 is not above 0"),
        ({"lr": "nan"}, "learning rate: nan is not above 0"),
        ({"batch_size": "0"}, "batch size: 0 is not from 1 to 1,048,576"),
        ({"optimizer": "lion"}, "optimizer: 'lion' is not sgd or adamw"),
        ({"prune": "75"}, "pruning ratio: a share from 0 to 1, and 75 is not"),
        ({"prune": "half"}, "pruning ratio: 'half' is not a number"),
        ({"retrain_epochs": "x"}, "retraining epochs: 'x' is not a whole number"),
        ({"limit": "0"}, "images at most: 0 is not at least 1"),
        ({"decay_epoch": "1.5"}, "lower the rate at epoch: '1.5' is not a whole number"),
        ({"retrain_lr": "inf"}, "retraining rate: inf is not above 0"),
        ({"momentum": "1"}, "momentum: 1 is not from 0 to below 1"),
        ({"weight_decay": "-1"}, "weight decay: -1 is not at least 0"),
        ({"flip": "maybe"}, "left-right flips: 'maybe' is not on or off"),
        ({"device": "GPU 1"}, "device: 'GPU 1' is not a device; give cpu, cuda or cuda:1"),
        ({"layers": "conv, nowhere.*"}, "no layer fits 'nowhere.*'"),
        ({"recipe": "papre"}, "recipe by name: there is no recipe 'papre'; the recipes are paper"),
        ({"schedule": "linear"}, "rate schedule: 'linear' is not step, cosine or onecycle"),
        ({"precision": ""}, "precision: '' is not float32, bf16 or fp16"),
        ({"channels_last": "perhaps"}, "channels-last memory: 'perhaps' is not on or off"),
        ({"clip": "0"}, "clip gradients at norm: 0 is not above 0"),
        ({"crop": "maybe"}, "random crops: 'maybe' is not on or off"),
        ({"own": "weights"}, "own norms or biases: 'weights' is neither biases nor norms"),
        ({"seed": "-1"}, "random seed: -1 is not from 0 to 4,294,967,295"),
        ({"seed": "4294967296"}, "random seed: 4,294,967,296 is not from 0 to 4,294,967,295"),
        ({"task": "cubs"}, "name: there is a task 'cubs' already"),
    ],
)
def test_a_wrong_field_is_refused_and_named(path, fields, says):
    right = {field.name: field.value for field in recipe_fields.form_fields(first=False)} | {
        "task": "cars",
        "data": "cars.npz",
    }
    form = AddForm(Watch(path).picture)
    assert form.result(right).task == "cars"
    with pytest.raises(RequestError, match=f"^{re.escape(says)}"):
        form.result(right | fields)


@pytest.mark.parametrize(
    ("field", "wrong", "says"),
    [("lr", "fast", "learning rate: "), ("task", "cubs", "name: "), ("seed", "", "random seed: ")],
)
async def test_the_form_shows_an_error_which_can_be_corrected(path, field, wrong, says):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        await desk.fill(**({"task": "cars", "data": "torchvision:MNIST"} | {field: wrong}))
        await desk.press("enter")
        assert desk.error().startswith(says)
        assert says in desk.text()
        assert desk.asked == []
        assert form.table.here == field
        assert form.values()["data"] == "torchvision:MNIST"
        await desk.fill(**{field: {"lr": "0.001", "task": "cars", "seed": "0"}[field]})
        assert desk.error() == ""
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Add(task="cars", data="torchvision:MNIST", prune=0.75)]


async def test_enter_starts_from_any_field(path):
    async with opened(path) as desk:
        fields = recipe_fields.form_fields(first=False)[::5]
        for field in fields:
            await desk.press("a")
            form = await desk.sees(AddForm)
            await desk.fill(task="cars", data="torchvision:MNIST")
            form.table.go(field.name)
            await desk.press("enter")
            await desk.sees(MainScreen)
        assert desk.asked == [Add(task="cars", data="torchvision:MNIST", prune=0.75)] * len(fields)


@pytest.mark.parametrize("size", [WIDE, SMALL, (60, 12)])
async def test_every_field_can_be_reached_and_is_seen_when_it_is(path, size):
    async with opened(path, size) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        entry = form.focused
        for name in form.values():
            assert form.table.here == name
            await desk.until(lambda: form.can_view_entire(entry), name)
            assert entry.region == form.table.box(name).translate(form.table.region.offset)
            assert entry.region.height == 1
            await desk.press("tab")


async def test_down_and_up_keep_to_their_column(path):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        form.table.go("lr")
        for key, fields in (
            ("down", ["prune", "retrain_lr"]),
            ("up", ["prune", "lr", "data", "task", "task"]),
        ):
            for field in fields:
                await desk.press(key)
                assert form.table.here == field


async def test_the_outcome_is_shown_while_the_user_types(path):
    async with opened(path) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        assert "20 epochs at 0.001, 0.0001 from epoch 11; pruned at 0.75; then 10 epochs" in outcome(desk)
        assert "At 0.75, eight more tasks: 9.4, 7.0, 5.3, … and 1.3 % of the weights each" in outcome(desk)
        await desk.fill(epochs="8", prune="")
        assert "8 epochs at 0.001, 0.0001 from epoch 5; not pruned yet: owns all free weights, 37.5%" in outcome(desk)
        assert "4 (half)" in desk.text()
        await desk.fill(prune="7")
        assert "pruning ratio: a share from 0 to 1" in outcome(desk)
        assert desk.error() == ""


async def test_escape_submits_nothing(path):
    async with opened(path) as desk:
        for key in ("a", "escape", "a", "ctrl+c"):
            await desk.press(key)
        await desk.sees(MainScreen)
        assert desk.asked == []


async def test_letters_in_a_field_are_letters_not_keys(path):
    async with opened(path) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        await desk.write("quiz?")
        assert form.values()["task"] == "quiz?"


async def test_the_papers_ratio_is_proposed_and_the_sealed_task_is_named(tmp_path):
    async with opened(empty(tmp_path / "model.safetensors")) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        assert form.values()["prune"] == "0.5"
        assert "Seals" not in desk.text()
    newest = task("cars", 0.75, 18.0, "retrained")
    async with opened(write(tmp_path / "other.safetensors", document((*SEALED, newest)))) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        assert form.values()["prune"] == "0.75"
        assert "Seals cars, for good." in outcome(desk)


async def test_of_two_errors_the_same_is_shown_while_typing_and_on_enter(path):
    async with opened(path) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(lr="fast", task="")
        shown = outcome(desk)
        assert "learning rate: 'fast' is not a number" in shown
        await desk.press("enter")
        assert desk.error() == shown
        await desk.fill(lr="")
        assert "learning rate: give a number" in outcome(desk)


async def test_at_80_columns_no_hint_is_cut_within_a_word(path):
    async with opened(path, SMALL) as desk:
        await desk.press("a")
        form = await desk.sees(AddForm)
        shown = desk.text(form.table)
        assert "0.0001 …" in shown
        assert not re.search(r"\w…", shown)
