"""The form that trains the open task further."""

import pytest
from msgspec.structs import replace

from packnet_core.schema.commands import Train
from packnet_core.schema.recipes import Recipe
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.train_form import TrainForm
from tests.tui.made_up import SEALED, document, task, write
from tests.tui.still import dense, opened, outcome


async def test_train_as_it_was_changes_nothing(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("t")
        await desk.sees(TrainForm)
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Train(task="cars")]


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"epochs": "3"}, {"epochs": 3}),
        ({"lr": "1e-2"}, {"lr": 0.01}),
        ({"epochs": "10", "lr": "0.0010"}, {}),
        ({"batch_size": "64", "weight_decay": "5e-4"}, {"batch_size": 64, "weight_decay": 0.0005}),
    ],
)
async def test_train_submits_only_the_fields_that_changed(tmp_path, fields, changes):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("t")
        await desk.sees(TrainForm)
        await desk.fill(**fields)
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Train(recipe=changes, task="cars")]


async def test_retraining_proposes_what_retraining_had(tmp_path):
    pruned = replace(task("cars", 0.75, 40.0, "pruned"), recipe=Recipe(epochs=10, lr=0.01))
    async with opened(write(tmp_path / "model.safetensors", document((*SEALED, pruned)))) as desk:
        await desk.press("t")
        form = await desk.sees(TrainForm)
        assert [form.values()[name] for name in ("epochs", "lr")] == ["5", "0.001"]
        assert "Retrain cars" in desk.text()
        assert outcome(desk).startswith("5 epochs at 0.001, with the same data. cars keeps the weights it owns")
        await desk.fill(epochs="0")
        await desk.press("enter")
        assert "epochs: 0 is not at least 1" in desk.error()
