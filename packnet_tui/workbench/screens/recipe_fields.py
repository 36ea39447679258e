"""The recipe of a new task as fields, with the paper's values in them, and the command that they mean."""

import re
from collections.abc import Callable
from typing import Literal, TypeVar, get_args

from msgspec.structs import replace

from packnet_core.errors import RequestError
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add
from packnet_core.schema.document import Own
from packnet_core.schema.limits import LARGEST_SEED
from packnet_core.schema.recipes import RECIPES, Recipe
from packnet_tui.workbench.screens.field_input import unquoted
from packnet_tui.workbench.screens.field_values import Wrong, below_one, not_negative, number, rate, ratio, whole
from packnet_tui.workbench.screens.form import Field

Value = TypeVar("Value")
PAPER = Recipe()
FIRST_RATIO, LATER_RATIO = "0.5", "0.75"  # §4: half of the first task's weights, then three quarters
YES_OR_NO = {"on": True, "yes": True, "y": True, "off": False, "no": False, "n": False}


def fields(first: bool) -> list[Field]:
    """The essentials first; `first` is whether the task would be the file's first."""
    return [
        Field("epochs", "epochs", str(PAPER.epochs)),
        Field("lr", "learning rate", f"{PAPER.lr:g}"),
        Field("prune", "prune ratio", FIRST_RATIO if first else LATER_RATIO, "empty: not yet"),
        Field("decay_epoch", "decay epoch"),
        Field("retrain_epochs", "retrain epochs"),
        Field("retrain_lr", "retrain rate"),
        Field("batch_size", "batch size", str(PAPER.batch_size)),
        Field("optimizer", "optimizer", PAPER.optimizer, "sgd or adamw"),
        Field("momentum", "momentum", f"{PAPER.momentum:g}"),
        Field("weight_decay", "weight decay", f"{PAPER.weight_decay:g}"),
        Field("layers", "layers", hint="all, or conv, fc"),
        Field("own", "of its own", hint="the shared ones" if first else "or biases, norms"),
        Field("flip", "flips", hint="by the data"),
        Field("limit", "limit", hint="all training images"),
        Field("device", "device", hint="a GPU, if any"),
        Field("seed", "seed", str(PAPER.seed)),
        Field("recipe", "recipe", hint=" or ".join(RECIPES)),
    ]


def hints(values: dict[str, str]) -> dict[str, str]:
    """What fields that are empty would mean, given the others. An empty hint where the others make no sense."""
    half = rate_then = ""
    try:
        half = f"half of them: {whole('', values['epochs'], 0) // 2}"
        rate_then = f"a tenth: {number('', values['lr']) / 10:g}"
    except RequestError:
        pass
    return {"decay_epoch": half, "retrain_epochs": half, "retrain_lr": rate_then}


def recipe(values: dict[str, str]) -> Recipe:
    """The named recipe, if one is, with what the form has in its place. Raises Wrong where a field makes no sense."""
    return replace(
        recipes.named(*_named(values)),
        epochs=whole("epochs", values["epochs"], 0),
        lr=rate("learning rate", values["lr"]),
        decay_epoch=_given(values["decay_epoch"], lambda text: whole("decay epoch", text, 0)),
        retrain_epochs=_given(values["retrain_epochs"], lambda text: whole("retrain epochs", text, 0)),
        retrain_lr=_given(values["retrain_lr"], lambda text: rate("retrain rate", text)),
        batch_size=whole("batch size", values["batch_size"], 1),
        optimizer=_optimizer(values["optimizer"]),
        momentum=below_one("momentum", values["momentum"]),
        weight_decay=not_negative("weight decay", values["weight_decay"]),
        seed=whole("seed", values["seed"], 0, LARGEST_SEED),
    )


def add_command(values: dict[str, str]) -> Add:
    """The command that a filled-in form means. Raises Wrong, naming the field, where one makes no sense."""
    if not values["task"]:
        raise Wrong("name", "the task needs one")
    if not values["data"]:
        raise Wrong("data", "where are its images? A folder, FILE.npz, torchvision:NAME or sklearn:digits")
    command = Add(
        task=values["task"],
        data=resolved(values["data"]),
        prune=prune_ratio(values),
        recipe=recipe(values),
        layers=words(values["layers"]),
        own=_own(values["own"]),
        flip=_given(values["flip"], _flip),
        limit=_given(values["limit"], lambda text: whole("limit", text, 1)),
        device=_given(values["device"], _device),
    )
    named = recipes.additions(*_named(values))
    return replace(command, **{name: value for name, value in named.items() if name not in values})


def filled(values: dict[str, str], first: bool = False) -> dict[str, str]:
    """What the recipe that is named puts into the other fields, perhaps of the file's first task.

    Raises Wrong where it is none.
    """
    named = recipes.changes(*_named(values)) | recipes.additions(*_named(values), first)
    return {
        name: " ".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in named.items()
        if name in values
    }


def _named(values: dict[str, str]) -> tuple[str, str]:
    """The recipe named in the form, and the data it is for."""
    name = values["recipe"].lower()
    if name and name not in RECIPES:
        raise Wrong("recipe", f"there is none called {values['recipe']!r}; there is {', '.join(RECIPES)}")
    return name, unquoted(values["data"])


def prune_ratio(values: dict[str, str]) -> float | None:
    return _given(values["prune"], lambda text: ratio("prune ratio", text))


def words(text: str) -> tuple[str, ...]:
    """What stands between commas or spaces."""
    return tuple(re.split(r"[,\s]+", text)) if text else ()


def resolved(data: str) -> str:
    """Paths made absolute: the engine may work in another folder."""
    from packnet_core.data.kinds import resolve

    return resolve(unquoted(data))


def _given(text: str, read: Callable[[str], Value]) -> Value | None:
    return read(text) if text else None


def _optimizer(text: str) -> Literal["sgd", "adamw"]:
    match text.lower():
        case "sgd" | "adamw" as name:
            return name
        case name:
            raise Wrong("optimizer", f"{name or 'nothing'!r} is neither sgd nor adamw")


def _own(text: str) -> tuple[Own, ...]:
    kinds = words(text.lower())
    if other := next((kind for kind in kinds if kind not in get_args(Own)), None):
        raise Wrong("of its own", f"{other!r} is neither biases nor norms")
    return tuple(kind for kind in get_args(Own) if kind in kinds)


def _flip(text: str) -> bool:
    if text.lower() not in YES_OR_NO:
        raise Wrong("flips", f"{text!r} is neither on nor off; empty: as the data suggests")
    return YES_OR_NO[text.lower()]


def _device(text: str) -> str:
    if not re.fullmatch(r"[a-z]+(:\d+)?", text):
        raise Wrong("device", f"{text!r} is none; give cpu, cuda or cuda:1, or nothing for a GPU if there is one")
    return text
