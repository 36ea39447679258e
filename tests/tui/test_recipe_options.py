"""A field of `Recipe` is described once, and has an option, a form field, an argument and a line in the docs."""

import importlib.util
import inspect
from pathlib import Path
from typing import get_type_hints

import pytest
import typer
from msgspec.structs import fields as declared

from packnet_core import PackFile
from packnet_core.schema import recipes
from packnet_core.schema.fields import shown
from packnet_core.schema.recipes import BOTH, RETRAINING, TRAINING, Recipe
from packnet_tui.cli.program import app
from packnet_tui.workbench.screens import recipe_fields

DOCS = Path(__file__).parents[2] / "docs"
NAMES = [field.name for field in declared(Recipe)]
WHERE = {"add": set(NAMES), "prune": {*RETRAINING, *BOTH} - {"seed"}, "train": {*TRAINING, *BOTH} - {"seed"}}


def options(command: str) -> dict[str, list[str]]:
    """The options of a command, by the names of its parameters."""
    return {param.name: param.opts for param in typer.main.get_command(app).commands[command].params}


@pytest.mark.parametrize("command", WHERE)
def test_every_field_is_an_option(command):
    found = options(command)
    assert set(NAMES) & set(found) == WHERE[command]
    for name in WHERE[command]:
        assert found[name] == [recipes.fields()[name].option.split("/")[0]]


def test_every_field_is_in_the_add_form_with_its_default():
    form = {field.name: field for field in recipe_fields.form_fields(first=False)}
    assert set(NAMES) <= set(form)
    values = {name: field.value for name, field in form.items()} | {"data": ""}
    assert recipe_fields.recipe(values) == Recipe()


@pytest.mark.parametrize("method", ["add", "prune", "train"])
def test_every_field_is_an_argument_with_its_type_and_default(method):
    arguments = inspect.signature(getattr(PackFile, method)).parameters
    types = get_type_hints(Recipe)
    for name in NAMES:
        assert arguments[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert arguments[name].annotation == types[name]
        assert arguments[name].default == (getattr(Recipe(), name) if method == "add" else ...)


def test_the_docs_have_every_field_and_are_what_the_script_writes():
    spec = importlib.util.spec_from_file_location("recipe_page", DOCS / "recipe.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (DOCS / "recipe.md").read_text()
    assert page == script.page(), "write it again: python docs/recipe.py"
    for name in NAMES:
        assert f"| `{name}` | `{recipes.fields()[name].option}` |" in page


@pytest.mark.parametrize("first", [True, False])
def test_every_field_of_the_form_says_what_it_is_as_the_option_does(first):
    for field in recipe_fields.form_fields(first):
        assert len(field.label) <= 23
        if field.name in NAMES:
            described = recipes.fields()[field.name]
            assert field.about.startswith(described.help[:-1])
            assert shown(described.default) or described.unset in field.about
            assert ("The paper: " in field.about) == bool(described.paper)
        else:
            option = next(p for p in typer.main.get_command(app).commands["add"].params if p.name == field.name)
            assert field.about.startswith(option.help.split("; may be")[0].rstrip("."))


def test_every_field_is_described():
    for field in recipes.fields().values():
        assert field.help.endswith(".")
        assert field.limits
        assert 0 < len(field.label) <= 23  # cells that a form has for it
        assert field.optional == bool(field.unset)
