"""The settings of a new task as form fields, filled with the paper's recipe, and the command made from them."""

import re
from collections.abc import Callable
from typing import Any, TypeVar, get_args

from msgspec.structs import replace

from packnet_core.data.kinds import resolve
from packnet_core.errors import RequestError
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, BadImage, validated
from packnet_core.schema.document import Own
from packnet_core.schema.fields import Field, shown
from packnet_core.schema.recipes import RECIPES, Recipe
from packnet_tui.workbench.screens.field_input import unquoted
from packnet_tui.workbench.screens.field_table import FormField
from packnet_tui.workbench.screens.field_values import Wrong, number, ratio, switch, value_of, whole

T = TypeVar("T")
PAPER = Recipe()
FIRST_RATIO, LATER_RATIO = "0.5", "0.75"  # §4: half of the first task's weights, then three quarters
PAPERS_RATIOS = f" The paper: {FIRST_RATIO} for the first task, then {LATER_RATIO} (§4)."
LABELS = {  # of fields that are options of `packnet add` and not fields of a recipe
    "prune": "pruning ratio", "layers": "train only these layers", "own": "own norms or biases",
    "flip": "left-right flips", "crop": "random crops", "limit": "images at most",
    "on_bad_image": "unreadable images", "device": "device", "recipe": "recipe by name",
}  # fmt: skip
ESSENTIALS = (
    "epochs", "lr", "decay_epoch", "prune", "retrain_epochs", "retrain_lr", "batch_size", "optimizer", "momentum",
    "weight_decay", "layers", "own", "flip", "crop", "limit", "on_bad_image", "device", "seed", "recipe",
)  # fmt: skip


def form_fields(first: bool) -> list[FormField]:
    """The essential fields, then all others of a recipe; `first` says whether the task would be the file's first."""
    of_command = {
        "prune": _of_add("prune", FIRST_RATIO if first else LATER_RATIO, "not pruned yet", PAPERS_RATIOS),
        "layers": _of_add("layers", hint="all, or conv, fc"),
        "own": _of_add("own", hint="the shared ones" if first else "norms, biases"),
        "flip": _of_add("flip", hint="by the data"),
        "crop": _of_add("crop", hint="by the data"),
        "limit": _of_add("limit", hint="all images"),
        "on_bad_image": _of_add("on_bad_image", Add(task="", data="").on_bad_image, "stop or skip"),
        "device": _of_add("device", hint="a GPU, if any"),
        "recipe": _of_add("recipe", hint=" or ".join(RECIPES)),
    }
    names = (*ESSENTIALS, *(name for name in recipes.fields() if name not in ESSENTIALS))
    return [of_command.get(name) or recipe_field(name, PAPER) for name in names]


def recipe_field(name: str, recipe: Recipe) -> FormField:
    """The form field for a field of a recipe, with its value in `recipe`."""
    field = recipes.fields()[name]
    return FormField(name, field.label, shown(getattr(recipe, name)), field.unset or field.limits, in_words(field))


def in_words(field: Field) -> str:
    """A field of a recipe in a line: what it is, its limits, and the paper's value, or the usual one if it has none."""
    usual = shown(field.default) or field.unset
    source = f"The paper: {usual} ({field.paper})." if field.paper else f"Usual: {usual}."
    limits = "" if field.choices and all(choice in field.help for choice in field.choices) else f" ({field.limits})"
    return f"{field.help[:-1]}{limits}. {source}"


def option_help(name: str) -> str:
    """What `packnet add --help` says about an option or argument, for a user who fills in a field."""
    from packnet_tui.cli import job_commands  # Typer comes with it, which the program has imported anyway
    from packnet_tui.cli.option_sets import help_of

    return help_of(job_commands.add, name).replace("may be repeated", "several with spaces between")


def _of_add(name: str, value: str = "", hint: str = "", more: str = "") -> FormField:
    """The form field for an option of `packnet add` that is no field of a recipe."""
    return FormField(name, LABELS[name], value, hint, f"{option_help(name)}{more}")


def hints(values: dict[str, str]) -> dict[str, str]:
    """What empty fields would mean, from the values of other fields. Empty if those are wrong."""
    half = tenth = ""
    try:
        half = f"{whole('', values['epochs'], 0) // 2} (half)"
        tenth = f"{number('', values['lr']) / 10:g} (a tenth)"
    except RequestError:
        pass
    steps = values["schedule"] in ("step", "")
    return {"decay_epoch": half if steps else "only with step", "retrain_epochs": half, "retrain_lr": tenth}


def recipe(values: dict[str, str]) -> Recipe:
    """The recipe in the form. Raises Wrong, naming the field, if one is wrong."""
    _named(values)
    return Recipe(**{name: value_of(field, values[name]) for name, field in recipes.fields().items()})


def add_command(values: dict[str, str]) -> Add:
    """The command made from a form's values. Raises Wrong, naming the field, if one is wrong."""
    if not values["task"]:
        raise Wrong("name", "the task needs one")
    if not values["data"]:
        raise Wrong("data", "the task needs images; the kinds of data are listed below the field")
    command = Add(
        task=values["task"],
        data=resolve(unquoted(values["data"])),
        prune=prune_ratio(values),
        recipe=recipe(values),
        layers=words(values["layers"]),
        own=_own(values["own"]),
        flip=_given(values["flip"], lambda text: switch(LABELS["flip"], text)),
        crop=_given(values["crop"], lambda text: switch(LABELS["crop"], text)),
        limit=_given(values["limit"], lambda text: whole(LABELS["limit"], text, 1)),
        on_bad_image=_bad_image(values["on_bad_image"].lower() or "stop"),
        device=_given(values["device"], _device),
    )
    named = recipes.additions(*_named(values))
    return validated(replace(command, **{name: value for name, value in named.items() if name not in values}))


def filled(values: dict[str, str], first: bool = False) -> dict[str, str]:
    """The values that the recipe by name puts into the other fields; `first` is as for `fields`.

    Raises Wrong if there is no such recipe.
    """
    named = recipes.changes(*_named(values)) | recipes.additions(*_named(values), first)
    return {name: shown(value) for name, value in named.items() if name in values}


def _named(values: dict[str, str]) -> tuple[str, str]:
    """The name of the recipe in the form, and the data it is for. Raises Wrong if there is no such recipe."""
    name = values["recipe"].lower()
    if name and name not in RECIPES:
        raise Wrong(LABELS["recipe"], f"there is no recipe {values['recipe']!r}; the recipes are {', '.join(RECIPES)}")
    return name, unquoted(values["data"])


def prune_ratio(values: dict[str, str]) -> float | None:
    """The pruning ratio in the form. Raises Wrong."""
    return _given(values["prune"], lambda text: ratio(LABELS["prune"], text))


def words(text: str) -> tuple[str, ...]:
    """The words between commas or spaces."""
    return tuple(re.split(r"[,\s]+", text)) if text else ()


def _given(text: str, read: Callable[[str], T]) -> T | None:
    return read(text) if text else None


def _own(text: str) -> tuple[Own, ...]:
    kinds = words(text.lower())
    if other := next((kind for kind in kinds if kind not in get_args(Own)), None):
        raise Wrong(LABELS["own"], f"{other!r} is neither biases nor norms")
    return tuple(kind for kind in get_args(Own) if kind in kinds)


def _bad_image(text: str) -> Any:
    if text not in get_args(BadImage):
        raise Wrong(LABELS["on_bad_image"], f"{text!r} is neither {' nor '.join(get_args(BadImage))}")
    return text


def _device(text: str) -> str:
    if not re.fullmatch(r"[a-z]+(:\d+)?", text):
        raise Wrong(
            LABELS["device"], f"{text!r} is not a device; give cpu, cuda or cuda:1, or nothing for a GPU, if any"
        )
    return text
