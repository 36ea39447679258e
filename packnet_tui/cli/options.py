"""The arguments and options that several commands share: their help, their limits, their completion."""

import math
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from packnet_core.errors import RequestError
from packnet_core.packfile.header import read_header
from packnet_core.schema.document import KINDS, Document
from packnet_core.schema.limits import LARGEST_SEED
from packnet_core.schema.recipes import RECIPES
from packnet_tui.cli.completion import completions


class Schedule(StrEnum):
    step = "step"
    cosine = "cosine"
    onecycle = "onecycle"


class Precision(StrEnum):
    float32 = "float32"
    bf16 = "bf16"
    fp16 = "fp16"


class Pick(StrEnum):
    best = "best"
    last = "last"


class Own(StrEnum):
    biases = "biases"
    norms = "norms"


class BaselineName(StrEnum):
    classifier = "classifier"
    individual = "individual"
    lwf = "lwf"
    ewc = "ewc"
    joint = "joint"
    filters = "filters"


class Optimizer(StrEnum):
    sgd = "sgd"
    adamw = "adamw"


def above_zero(value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is not a number above 0")
    return value


def not_negative(value: float | None) -> float | None:
    if value is not None and not 0 <= value < math.inf:
        raise typer.BadParameter(f"{value:g} is not 0 or a number above it")
    return value


def below_one(value: float | None) -> float | None:
    if value is not None and not 0 <= value < 1:
        raise typer.BadParameter(f"{value:g} is not from 0 to below 1")
    return value


def numbers(text: str | None) -> list[float] | None:
    """`0.485,0.456,0.406` as numbers."""
    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise RequestError(f"{text!r} is not a list of numbers, one a channel, like 0.485,0.456,0.406") from None


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


# -- completion: from the header of the file on the command line, silently nothing where that can't be read ------


def complete_tasks(ctx: typer.Context, incomplete: str) -> list[str]:
    return [name for name in task_names(ctx) if name.startswith(incomplete)]


def complete_newest(ctx: typer.Context, incomplete: str) -> list[str]:
    return [name for name in task_names(ctx)[-1:] if name.startswith(incomplete)]


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


def task_names(ctx: typer.Context) -> list[str]:
    document = _document(ctx)
    return [task.name for task in document.tasks] if document else []


def _document(ctx: typer.Context) -> Document | None:
    with suppress(Exception):
        # behind an option that still lacks its value, the arguments are not parsed yet
        return read_header(ctx.params.get("file") or ctx.args[0]).document
    return None


# -- types ---------------------------------------------------------------------------------------------------------

DATA = (
    "A folder with train/CLASS/*.jpg and val/ or test/, FILE.npz, torchvision:NAME, sklearn:digits, or the paper's as "
    "their authors ship them: cub200:FOLDER, cars:, flowers102:, places365:, imagenet:."
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The pack file.", show_default=False)]
DemoFile = Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to make.")]
DEMO = Path("demo.safetensors")
OldTask = Annotated[
    str, typer.Argument(metavar="TASK", help="A task of the file.", autocompletion=complete_tasks, show_default=False)
]
Data = Annotated[
    str | None,
    typer.Option(metavar="DATA", help=f"Other data than the task was made with. {DATA}", autocompletion=complete_data),
]
RecipeName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="A recipe by name, which the other options change: paper, what its section 4 says for the data.",
        autocompletion=complete_recipes,
        show_default=False,
    ),
]
Epochs = Annotated[int | None, typer.Option(metavar="N", min=0, help="Passes over the training images.")]
Rate = Annotated[float | None, typer.Option("--lr", metavar="X", callback=above_zero, help="Learning rate.")]
BatchSize = Annotated[int | None, typer.Option(metavar="N", min=1, help="Images a step.")]
OptimizerName = Annotated[Optimizer | None, typer.Option(metavar="sgd|adamw", help="Optimizer.", case_sensitive=False)]
Momentum = Annotated[float | None, typer.Option(metavar="X", callback=below_one, help="Momentum of sgd.")]
WeightDecay = Annotated[float | None, typer.Option(metavar="X", callback=not_negative, help="Weight decay.")]
DecayEpoch = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, help="Divide the learning rate by ten after this epoch (default: half of the epochs)."
    ),
]
ScheduleName = Annotated[
    Schedule | None,
    typer.Option(
        metavar="step|cosine|onecycle",
        help="How the rate goes: divided by ten once, down along a cosine, or up and far down.",
        case_sensitive=False,
    ),
]
WarmupEpochs = Annotated[int | None, typer.Option(metavar="N", min=0, help="The rate rises over so many epochs.")]
LabelSmoothing = Annotated[
    float | None, typer.Option(metavar="X", callback=below_one, help="Share of a label that all classes get.")
]
Clip = Annotated[
    float | None, typer.Option(metavar="NORM", callback=above_zero, help="Clip the gradient of what is trained.")
]
PrecisionName = Annotated[
    Precision | None,
    typer.Option(metavar="float32|bf16|fp16", help="Of what is computed; weights stay float32.", case_sensitive=False),
]
ChannelsLast = Annotated[
    bool | None, typer.Option("--channels-last/--channels-first", help="How images lie in memory while training.")
]
PickName = Annotated[
    Pick | None,
    typer.Option(
        metavar="best|last",
        help="The epoch of each phase that counts: the best on the validation images, or the last (default: best).",
        case_sensitive=False,
    ),
]
RetrainEpochs = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, help="Epochs of retraining after pruning (default: half of the epochs)."),
]
RetrainRate = Annotated[
    float | None,
    typer.Option(
        "--retrain-lr", metavar="X", callback=above_zero, help="Learning rate of retraining (default: a tenth of --lr)."
    ),
]
RetrainDecayEpoch = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, help="Divide the rate of retraining by ten after this epoch of it (default: it stays)."
    ),
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Random left-right flips while training (default: as the data suggests; off for digits).",
    ),
]
Crop = Annotated[
    bool | None,
    typer.Option(
        "--crop/--no-crop",
        help="Resize to 8/7 of the input and crop, anywhere while training, else in the middle (default: as the data "
        "suggests; on for photographs of scenes among the paper's data).",
    ),
]
Limit = Annotated[
    int | None, typer.Option(metavar="IMAGES", min=1, help="Use so many training images at most (default: all).")
]
OwnRest = Annotated[
    list[Own] | None,
    typer.Option(help="Give the task biases or normalisation layers of its own; may be repeated (default: shared)."),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        metavar="all|conv|fc|classifier|NAME",
        help="Train these layers alone, by kind, name or pattern; may be repeated (default: all). "
        "classifier is the head alone.",
        autocompletion=complete_layer_names,
    ),
]
Steps = Annotated[int, typer.Option(metavar="N", min=1, help="Prune in so many steps, with a retraining after each.")]
Seed = Annotated[
    int,
    typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Of the split, the order and the new head."),
]
Device = Annotated[str | None, typer.Option(metavar="D", help="cpu, cuda, cuda:1 … (default: a GPU if there is one).")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
GiveUp = Annotated[bool, typer.Option("--yes", "-y", help="Also give up an interrupted job.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON, for scripts.")]
