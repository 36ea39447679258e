"""Every whole number that a user gives has a largest value: it is taken, and one more is refused in one line."""

import msgspec
import pytest

from packnet_core.errors import RequestError
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, Evaluate, Preview, Prune, Train, validated
from packnet_core.schema.limits import LARGEST_BATCH, MOST_EPOCHS, MOST_IMAGES, MOST_STEPS
from packnet_core.schema.recipes import Recipe
from packnet_tui.cli.main import packnet
from packnet_tui.workbench.screens import recipe_fields
from tests.tui.cli import handmade
from tests.tui.cli.conftest import one_line

INTEGERS = {name: field.bounds for name, field in recipes.fields().items() if field.type is int}
COMMANDS = [
    (Add(task="a", data="/x"), "limit", 1, MOST_IMAGES),
    (Add(task="a", data="/x", prune=0.5), "steps", 1, MOST_STEPS),
    (Prune(ratio=0.5), "limit", 1, MOST_IMAGES),
    (Prune(ratio=0.5), "steps", 1, MOST_STEPS),
    (Prune(ratio=0.5), "trials", 1, MOST_STEPS),
    (Train(), "limit", 1, MOST_IMAGES),
    (Evaluate(), "limit", 1, MOST_IMAGES),
    (Preview(), "images", 1, MOST_IMAGES),
]


@pytest.fixture
def file(tmp_path):
    return handmade.write(tmp_path / "model.safetensors", handmade.document())


def test_the_integers_of_a_recipe_are_known():
    assert set(INTEGERS) == {
        "epochs", "decay_epoch", "retrain_epochs", "retrain_decay_epoch", "batch_size", "seed", "warmup_epochs",
    }  # fmt: skip
    assert INTEGERS["epochs"]["le"] == MOST_EPOCHS
    assert INTEGERS["batch_size"]["le"] == LARGEST_BATCH


@pytest.mark.parametrize("name", INTEGERS)
def test_a_recipe_takes_its_bounds_and_no_more(name):
    low, high = INTEGERS[name]["ge"], INTEGERS[name]["le"]
    for value in (low, high):
        assert getattr(Recipe().changed({name: value}), name) == value
        assert validated(Train(recipe={name: value}))
    for value in (low - 1, high + 1, 10**30):
        with pytest.raises(RequestError, match=name):
            Recipe().changed({name: value})


@pytest.mark.parametrize(("command", "field", "low", "high"), COMMANDS)
def test_a_command_takes_its_bounds_and_no_more(command, field, low, high):
    for value in (low, high):
        assert getattr(validated(msgspec.structs.replace(command, **{field: value})), field) == value
    for value in (low - 1, high + 1, 10**30):
        with pytest.raises(RequestError, match=field):
            validated(msgspec.structs.replace(command, **{field: value}))


def test_every_integer_of_a_command_is_bounded():
    found = {(type(command), field) for command, field, *_ in COMMANDS}
    for kind in (Add, Prune, Train, Evaluate, Preview):
        for field in msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"].items():
            name, described = field
            whole = [each for each in described.get("anyOf", [described]) if each.get("type") == "integer"]
            assert not whole or (kind, name) in found


@pytest.mark.parametrize(
    "words",
    [
        "add FILE a --data d.npz --epochs 1000001", "add FILE a --data d.npz --batch-size 100000000000000000000000",
        "add FILE a --data d.npz --limit 99999999999999", "add FILE a --data d.npz --warmup-epochs 1000001",
        "prune FILE 0.5 --steps 1001", "prune FILE --max-drop 1 --trials 1001", "train FILE --epochs 1000001",
        "preview FILE --images 99999999999999",
    ],
)  # fmt: skip
def test_the_command_line_says_so_in_one_line(file, words, capsys):
    assert packnet(words.replace("FILE", str(file)).split()) == 2
    assert "less than or equal to" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("name", [*INTEGERS, "limit"])
def test_so_does_the_form(name):
    values = {field.name: field.value for field in recipe_fields.form_fields(first=False)}
    values |= {"task": "a", "data": "/x", name: str(10**15)}
    with pytest.raises(RequestError):
        recipe_fields.add_command(values)


@pytest.mark.parametrize(("text", "wanted"), [("", "stop"), ("stop", "stop"), ("Skip", "skip"), ("ignore", None)])
def test_the_form_says_what_a_bad_image_means(text, wanted):
    values = {field.name: field.value for field in recipe_fields.form_fields(first=False)}
    values |= {"task": "a", "data": "/x", "on_bad_image": text}
    if wanted:
        assert recipe_fields.add_command(values).on_bad_image == wanted
    else:
        with pytest.raises(RequestError, match="'ignore' is neither stop nor skip"):
            recipe_fields.add_command(values)
