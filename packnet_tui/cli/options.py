"""Options that several commands share, sets of them for one command, and those made from the fields of a recipe."""

import inspect
import math
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer

from packnet_core.data.kinds import KINDS as DATA_KINDS
from packnet_core.errors import RequestError
from packnet_core.packfile.header import read_header
from packnet_core.schema.document import KINDS, Document, Own
from packnet_core.schema.fields import Field
from packnet_core.schema.recipes import RECIPES, Recipe, fields
from packnet_tui.cli.completion import completions
from packnet_tui.cli.request import resolved

Result = TypeVar("Result")
Given = dict[str, Any]  # the options of a set that were typed, by name

# -- sets of options -----------------------------------------------------------------------------------------------


def takes(*options: Parameter) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Give a command the options at the place of its parameter `given`, a dict of those that were typed.

    @takes(*recipe("epochs", "lr"), *options(device=Device))
    def train(file: File, given: Given, json: JsonLines = False): ...
    """

    def decorate(command: Callable[..., Result]) -> Callable[..., Result]:
        @wraps(command)
        def call(ctx: typer.Context, **values: Any) -> Result:
            every = {option.name: values.pop(option.name) for option in options}
            typed = {name: value for name, value in every.items() if _is_typed(ctx, name)}
            return command(given={name: _plain(value) for name, value in typed.items()}, **values)

        parameters = [Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
        for own in inspect.signature(command).parameters.values():
            parameters += options if own.name == "given" else [own.replace(kind=Parameter.KEYWORD_ONLY)]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return call

    return decorate


def _is_typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def _plain(value: Any) -> Any:
    """The value of an option as a command has it: of one that is repeated, each value once."""
    return tuple(dict.fromkeys(map(str, value))) if isinstance(value, list) else value


def options(**types: Any) -> tuple[Parameter, ...]:
    """Options by name, for `takes`."""
    return tuple(Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=type) for name, type in types.items())


def option(type: Any, **about: Any) -> Any:
    """The type of an option that need not be given."""
    return Annotated[type | None, typer.Option(**about)]


def recipe(*names: str, defaults: bool = False) -> tuple[Parameter, ...]:
    """Options for fields of a recipe, for `takes`. The help has their `defaults` where a command makes a new recipe."""
    types = get_type_hints(Recipe)
    return tuple(
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=field.default if defaults else None,
            annotation=Annotated[types[field.name] | None, _option(field, defaults)],
        )
        for field in map(fields().__getitem__, names)
    )


def _option(field: Field, defaults: bool) -> Any:
    def check(value: Any) -> Any:
        if value is not None and (problem := field.problem(value)):
            raise typer.BadParameter(problem)
        return value

    whole = field.type is int
    return typer.Option(
        field.option,
        metavar=field.metavar or "|".join(field.choices) or {int: "N", float: "X"}.get(field.type),
        min=field.bounds.get("ge") if whole else None,
        max=field.bounds.get("le") if whole else None,
        callback=check if field.type is float else None,
        case_sensitive=False,
        help=f"{field.help[:-1]} (default: {field.unset})." if field.unset and defaults else field.help,
    )


# -- values --------------------------------------------------------------------------------------------------------


def finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value:g} is not a number")
    return value


def numbers(text: str | None) -> list[float] | None:
    """`0.485,0.456,0.406` as numbers."""
    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise RequestError(f"{text!r} is not a list of numbers, one per channel, like 0.485,0.456,0.406") from None


def layer_ratios(texts: list[str]) -> dict[str, float]:
    """`NAME=R` options as ratios by layer."""
    ratios = {}
    for text in texts:
        name, _, ratio = text.rpartition("=")
        try:
            ratios[name] = float(ratio)
        except ValueError:
            name = ""
        if not name:
            raise RequestError(f"--layer takes NAME=R, a layer and its pruning ratio, and {text!r} is not that")
    return ratios


# -- completion: from the header of the file on the command line; nothing, silently, where it can't be read --------


def complete_tasks(ctx: typer.Context, incomplete: str) -> list[str]:
    document = _document(ctx)
    return [task.name for task in document.tasks if task.name.startswith(incomplete)] if document else []


def complete_newest(ctx: typer.Context, incomplete: str) -> list[str]:
    document = _document(ctx)
    return [task.name for task in document.tasks[-1:] if task.name.startswith(incomplete)] if document else []


def complete_layers(ctx: typer.Context, incomplete: str) -> list[str]:
    return [f"{name}=" for name in complete_layer_names(ctx, incomplete) if name not in ("all", "classifier")]


def complete_layer_names(ctx: typer.Context, incomplete: str) -> list[str]:
    document = _document(ctx)
    names = [layer.name.removesuffix(".weight") for layer in document.layers] if document else []
    return [name for name in (*KINDS, *names) if name.startswith(incomplete)]


def complete_data(incomplete: str) -> list[str]:
    return completions(incomplete)


def complete_architectures(incomplete: str) -> list[str]:
    small = ("cifar_resnet20", "cifar_resnet56", "cifar_vgg")
    usual = (*small, "vgg16", "vgg16_bn", "resnet18", "resnet50", "densenet121", "vit_b_16")
    return [name for name in usual if name.startswith(incomplete)]  # torchvision has many more, and is slow to ask


def complete_recipes(incomplete: str) -> list[str]:
    return [name for name in RECIPES if name.startswith(incomplete)]


def task_names(file: Path) -> list[str]:
    """The tasks of a file, none where it can't be read."""
    with suppress(Exception):
        return [task.name for task in read_header(file).document.tasks]
    return []


def _document(ctx: typer.Context) -> Document | None:
    with suppress(Exception):
        # behind an option that still lacks its value, the arguments are not parsed yet
        return read_header(ctx.params.get("file") or ctx.args[0]).document
    return None


# -- types ---------------------------------------------------------------------------------------------------------

DATA = f"{DATA_KINDS[0].upper()}{DATA_KINDS[1:]}."

File = Annotated[Path, typer.Argument(metavar="FILE", help="The pack file.", show_default=False)]
DemoFile = Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to make.")]
DEMO = Path("demo.safetensors")
OldTask = Annotated[
    str, typer.Argument(metavar="TASK", help="A task of the file.", autocompletion=complete_tasks, show_default=False)
]
Architecture = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="A torchvision classification model, cifar_resnet20, cifar_resnet56, cifar_vgg, or module:function.",
        autocompletion=complete_architectures,
        show_default=False,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="DATA",
        help=f"Other data than the task was made with. {DATA}",
        autocompletion=complete_data,
        callback=resolved,
    ),
]
Limit = Annotated[int | None, typer.Option(metavar="N", min=1, help="At most N training images (default: all).")]
Device = Annotated[str | None, typer.Option(metavar="D", help="cpu, cuda, cuda:1 … (default: a GPU if there is one).")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
GiveUp = Annotated[bool, typer.Option("--yes", "-y", help="Also give up an interrupted job.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON, for scripts.")]

NAMED = options(
    recipe=option(
        str,
        metavar="NAME",
        help="A recipe by name, changed by other options: paper (its section 4, by the data) or best (the best for "
        "small images).",
        autocompletion=complete_recipes,
    )
)
STEPS = options(
    steps=option(int, metavar="N", min=1, help="Prune in N steps, with a retraining after each (default: 1).")
)
IMAGES = options(
    limit=Limit,
    flip=Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip",
            help="Random left-right flips while training (default: as the data suggests; off for digits).",
        ),
    ],
    crop=Annotated[
        bool | None,
        typer.Option(
            "--crop/--no-crop",
            help="Resize to 8/7 of the input size and crop: anywhere while training, else in the middle (default: as "
            "the data suggests; on for photographs of scenes among the paper's data).",
        ),
    ],
)
PARTS = options(
    own=option(
        list[StrEnum("Own", [(kind, kind) for kind in get_args(Own)])],  # type: ignore[misc]  # Typer takes no list of a Literal
        metavar="biases|norms",
        help="Give the task biases or normalisation of its own; may be repeated (default: shared).",
    ),
    layers=option(
        list[str],
        metavar="all|conv|fc|classifier|NAME",
        help="Train these layers alone, by kind, name or pattern; may be repeated (default: all). classifier is the "
        "head alone.",
        autocompletion=complete_layer_names,
    ),
)
