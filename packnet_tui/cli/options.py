"""The options that several commands share: their help, their limits, their completion."""

import math
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, get_args

import typer

from packnet_core.data.kinds import KINDS
from packnet_core.errors import RequestError
from packnet_core.packfile.header import read_header
from packnet_core.schema.commands import BadImage
from packnet_core.schema.document import LAYER_KINDS, Document, Own
from packnet_core.schema.limits import MOST_IMAGES, MOST_STEPS
from packnet_core.schema.recipes import RECIPES
from packnet_tui.cli.completion import completions
from packnet_tui.cli.option_sets import option, option_set
from packnet_tui.cli.request import resolved

# -- values --------------------------------------------------------------------------------------------------------


def finite(value: float | None) -> float | None:
    """Check an option's number: it must be finite."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value:g} is not a number")
    return value


def parse_numbers(text: str | None) -> list[float] | None:
    """`0.485,0.456,0.406` as numbers."""
    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise RequestError(f"{text!r} is not a list of numbers, one per channel, like 0.485,0.456,0.406") from None


def parse_layer_ratios(texts: list[str]) -> dict[str, float]:
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


# -- completion: from the header of the file on the command line; none if it can't be read -------------------------


def complete_tasks(ctx: typer.Context, incomplete: str) -> list[str]:
    return [name for name in task_names(_file(ctx)) if name.startswith(incomplete)]


def complete_newest(ctx: typer.Context, incomplete: str) -> list[str]:
    return [name for name in task_names(_file(ctx))[-1:] if name.startswith(incomplete)]


def complete_layers(ctx: typer.Context, incomplete: str) -> list[str]:
    return [f"{name}=" for name in complete_layer_names(ctx, incomplete) if name not in ("all", "classifier")]


def complete_layer_names(ctx: typer.Context, incomplete: str) -> list[str]:
    document = _document(_file(ctx))
    names = [layer.name.removesuffix(".weight") for layer in document.layers] if document else []
    return [name for name in (*LAYER_KINDS, *names) if name.startswith(incomplete)]


def complete_data(incomplete: str) -> list[str]:
    return completions(incomplete)


def complete_architectures(incomplete: str) -> list[str]:
    small = ("cifar_resnet20", "cifar_resnet56", "cifar_vgg")
    usual = (*small, "vgg16", "vgg16_bn", "resnet18", "resnet50", "densenet121", "vit_b_16")
    return [name for name in usual if name.startswith(incomplete)]  # torchvision has many more, and is slow to ask


def complete_recipes(incomplete: str) -> list[str]:
    return [name for name in RECIPES if name.startswith(incomplete)]


def task_names(file: Path) -> list[str]:
    """The names of a file's tasks; empty if it can't be read."""
    document = _document(file)
    return [task.name for task in document.tasks] if document else []


def _document(file: Path) -> Document | None:
    with suppress(Exception):
        return read_header(file).document
    return None


def _file(ctx: typer.Context) -> Path:
    # after an option that has no value yet, the arguments are not parsed yet
    return Path(ctx.params.get("file") or next(iter(ctx.args), ""))


# -- types ---------------------------------------------------------------------------------------------------------

DATA = f"{KINDS[0].upper()}{KINDS[1:]}."

File = Annotated[Path, typer.Argument(metavar="FILE", help="The pack file.", show_default=False)]
DemoFile = Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to make.")]
DEMO = Path("demo.safetensors")
OldTask = Annotated[
    str, typer.Argument(metavar="TASK", help="A task of the file.", autocompletion=complete_tasks, show_default=False)
]
Arch = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="A torchvision classification model, cifar_resnet20, cifar_resnet56, cifar_vgg, or module:function.",
        autocompletion=complete_architectures,
        show_default=False,
    ),
]
OtherData = Annotated[
    str | None,
    typer.Option(
        metavar="DATA",
        help=f"Other data than the task was made with. {DATA}",
        autocompletion=complete_data,
        callback=resolved,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=MOST_IMAGES, help="At most N training images (default: all)."),
]
Device = Annotated[str | None, typer.Option(metavar="D", help="cpu, cuda, cuda:1 … (default: a GPU if there is one).")]
Trust = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:FUNCTION",
        help="Allow the function that the file names to build its network, from now on.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
GiveUp = Annotated[bool, typer.Option("--yes", "-y", help="Also give up an interrupted job.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON, for scripts.")]

Every = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="Without a terminal, print a line of progress this often.")
]
OnDone = Annotated[
    str,
    typer.Option(
        "--on-done",
        metavar="CMD",
        help="Run CMD by the shell when the job has ended. It has PACKNET_FILE, PACKNET_JOB, PACKNET_COMMAND, "
        "PACKNET_OUTCOME (done, failed, stopped, cancelled or died), PACKNET_MESSAGE, PACKNET_SECONDS, PACKNET_TASK, "
        "PACKNET_ERROR (test error in percent) and PACKNET_IMAGES (it was measured on) in its environment.",
        show_default=False,
    ),
]

NAMED_RECIPE = option_set(
    recipe=option(
        str,
        metavar="NAME",
        help="A recipe by name; other options change it. paper: of the paper's section 4, by the data; best: the best "
        "for small images.",
        autocompletion=complete_recipes,
    )
)
STEPS = option_set(
    steps=option(
        int, metavar="N", min=1, max=MOST_STEPS, help="Prune in N steps, with a retraining after each (default: 1)."
    )
)
IMAGE_OPTIONS = option_set(
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
            help="Resize to 8/7 of the input size and crop, at random while training, else in the centre (default: as "
            "the data suggests; on for the paper's Flowers, Places365 and ImageNet).",
        ),
    ],
)
OnBadImage = Annotated[
    BadImage, typer.Option(help="End the job at an image that can't be read, or leave it out and count it.")
]
BAD_IMAGES = option_set(
    on_bad_image=option(
        BadImage, help="End the job at an image that can't be read, or leave it out and count it (default: stop)."
    )
)
VARIANTS = option_set(
    own=option(
        list[StrEnum("Own", [(kind, kind) for kind in get_args(Own)])],  # type: ignore[misc]  # Typer takes no list of a Literal
        metavar="biases|norms",
        help="Give the task its own biases or normalisation; may be repeated (default: shared).",
    ),
    layers=option(
        list[str],
        metavar="all|conv|fc|classifier|NAME",
        help="Train only these layers, by kind, name or pattern; may be repeated (default: all). classifier is only "
        "the head.",
        autocompletion=complete_layer_names,
    ),
)
