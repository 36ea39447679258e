"""The commands that are work on a file: what each takes and says in its help. They give an Order, and do nothing.

The command line carries an order out (`work.carry_out`), the workbench hands it to the engine.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from packnet_core import recipes
from packnet_core.commands import Add, Command, Compare, Drop, Evaluate, Preview, Prune, Train
from packnet_core.data import resolve
from packnet_core.errors import RequestError
from packnet_core.records import Recipe
from packnet_tui import options as o

PAPER = Recipe()  # the defaults, from the paper
LARGEST = 0.95  # ratio that is tried where none is given: the paper's (Figure 4)

app = typer.Typer()


@dataclass(frozen=True)
class Order:
    """A command for a file, as it was typed."""

    file: Path
    command: Command
    json: bool = False


def examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@app.command(
    epilog=examples(
        "packnet add model.safetensors cubs --data ~/cubs --prune 0.75",
        "packnet add model.safetensors signs --data signs.npz --no-flip --epochs 8 --lr 0.02 --limit 1200",
        "packnet add model.safetensors scenes --data places365:~/places --recipe paper --prune 0.75",
        "packnet add model.safetensors birds --data ~/birds --own norms --layers conv --layers 'classifier.*'",
    )
)
def add(
    ctx: typer.Context,
    file: o.File,
    task: Annotated[str, typer.Argument(metavar="TASK", help="A name for the new task.", show_default=False)],
    data: Annotated[str, typer.Option(metavar="DATA", help=o.DATA, autocompletion=o.complete_data, show_default=False)],
    recipe: o.RecipeName = "",
    epochs: o.Epochs = PAPER.epochs,
    lr: o.Rate = PAPER.lr,
    batch_size: o.BatchSize = PAPER.batch_size,
    optimizer: o.OptimizerName = o.Optimizer.sgd,
    momentum: o.Momentum = PAPER.momentum,
    weight_decay: o.WeightDecay = PAPER.weight_decay,
    decay_epoch: o.DecayEpoch = None,
    prune: Annotated[
        float | None,
        typer.Option(
            metavar="R", help="Then set this share of its weights free in every layer, and retrain (default: not yet)."
        ),
    ] = None,
    steps: o.Steps = 1,
    retrain_epochs: o.RetrainEpochs = None,
    retrain_lr: o.RetrainRate = None,
    retrain_decay_epoch: o.RetrainDecayEpoch = None,
    own: o.OwnRest = None,
    layers: o.Layers = None,
    schedule: o.ScheduleName = None,
    warmup_epochs: o.WarmupEpochs = None,
    label_smoothing: o.LabelSmoothing = None,
    clip: o.Clip = None,
    precision: o.PrecisionName = None,
    channels_last: o.ChannelsLast = None,
    pick: o.PickName = None,
    limit: o.Limit = None,
    flip: o.Flip = None,
    crop: o.Crop = None,
    device: o.Device = None,
    seed: o.Seed = 0,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Also seal a task no better than chance, or give up an interrupted job.")
    ] = False,
    json: o.JsonLines = False,
) -> Order:
    """Train a new task on the free weights.

    The open task is sealed, for good; it must have been pruned before. With --prune the new one is pruned and
    retrained in the same job. The defaults are the paper's; small images mostly want a higher --lr, such as 0.02.
    """
    said, source = _typed(ctx), _resolved(data)
    command = Add(
        task=task,
        data=source,
        recipe=recipes.named(recipe, source).changed(_of_recipe(said)),
        flip=flip,
        crop=crop,
        limit=limit,
        prune=prune,
        steps=steps,
        own=tuple(dict.fromkeys(kind.value for kind in own or ())),
        layers=tuple(layers or ()),
        device=device,
        yes=yes,
    )
    named = recipes.additions(recipe, source, first=not o.task_names(ctx))
    command = replace(command, **{name: value for name, value in named.items() if name not in said})
    return Order(file, command, json)


@app.command(
    epilog=examples(
        "packnet prune model.safetensors 0.75",
        "packnet prune model.safetensors 0.5 --layer 'features.*=0.3' --layer fc=0.9 --retrain-epochs 10",
        "packnet prune model.safetensors 0.5 --recipe paper --retrain-epochs 5",
        "packnet prune model.safetensors --max-drop 1 --steps 2",
    )
)
def prune(
    ctx: typer.Context,
    file: o.File,
    ratio: Annotated[
        float | None,
        typer.Argument(
            metavar="R",
            help="The share to set free, 0 to 1; with --max-drop the largest that is tried (0.95).",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=R",
            help="Another ratio for a layer, for conv or fc, or for all that fit a pattern; the last fit wins.",
            autocompletion=o.complete_layers,
        ),
    ] = None,
    steps: o.Steps = 1,
    max_drop: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            min=0,
            help="Find the largest ratio that costs at most so many points of validation error, retrained.",
            callback=o.not_negative,
        ),
    ] = None,
    trials: Annotated[int, typer.Option(metavar="N", min=1, help="Try so many ratios at the most to find it.")] = Prune(
        ratio=0
    ).trials,
    recipe: o.RecipeName = "",
    retrain_epochs: o.RetrainEpochs = None,
    retrain_lr: o.RetrainRate = None,
    retrain_decay_epoch: o.RetrainDecayEpoch = None,
    batch_size: o.BatchSize = None,
    schedule: o.ScheduleName = None,
    warmup_epochs: o.WarmupEpochs = None,
    label_smoothing: o.LabelSmoothing = None,
    clip: o.Clip = None,
    precision: o.PrecisionName = None,
    channels_last: o.ChannelsLast = None,
    pick: o.PickName = None,
    data: o.Data = None,
    limit: o.Limit = None,
    device: o.Device = None,
    yes: o.GiveUp = False,
    json: o.JsonLines = False,
) -> Order:
    """Set weights of the open task free, and retrain.

    A share of its own weights is set free in every layer, smallest magnitudes first, then what is left is retrained.
    What is not given stays as the task was trained. --max-drop tries ratios by bisection, each with its retraining,
    measured on the validation images, and changes the file when it has found one.
    """
    if ratio is None and max_drop is None:
        raise RequestError("give a ratio, such as 0.75, or the points it may cost: --max-drop 1")
    command = Prune(
        ratio=LARGEST if ratio is None else ratio,
        layers=o.layer_ratios(layer or []),
        steps=steps,
        max_drop=max_drop,
        trials=trials,
        named=recipe,
        recipe=_of_recipe(_typed(ctx)),
        data=_resolved(data),
        limit=limit,
        device=device,
        yes=yes,
    )
    return Order(file, command, json)


@app.command(
    epilog=examples("packnet train model.safetensors", "packnet train model.safetensors --epochs 5 --lr 0.001")
)
def train(
    ctx: typer.Context,
    file: o.File,
    recipe: o.RecipeName = "",
    epochs: o.Epochs = None,
    lr: o.Rate = None,
    batch_size: o.BatchSize = None,
    optimizer: o.OptimizerName = None,
    momentum: o.Momentum = None,
    weight_decay: o.WeightDecay = None,
    decay_epoch: o.DecayEpoch = None,
    schedule: o.ScheduleName = None,
    warmup_epochs: o.WarmupEpochs = None,
    label_smoothing: o.LabelSmoothing = None,
    clip: o.Clip = None,
    precision: o.PrecisionName = None,
    channels_last: o.ChannelsLast = None,
    pick: o.PickName = None,
    data: o.Data = None,
    limit: o.Limit = None,
    device: o.Device = None,
    yes: o.GiveUp = False,
    json: o.JsonLines = False,
) -> Order:
    """Go on with an interrupted job or the open task.

    Trains the open task further, or retrains it once it is pruned. Without options, an interrupted job goes on where
    it was. What is not given stays as the task was trained.
    """
    changes = _of_recipe(_typed(ctx))
    return Order(
        file, Train(named=recipe, recipe=changes, data=_resolved(data), limit=limit, device=device, yes=yes), json
    )


@app.command(
    name="eval",
    epilog=examples(
        "packnet eval model.safetensors",
        "packnet eval model.safetensors cubs --json",
        "packnet eval model.safetensors cubs=~/other-cubs cars=~/other-cars",
        "packnet eval model.safetensors --mixed stream.npz",
    ),
)
def evaluate(
    ctx: typer.Context,
    file: o.File,
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK[=DATA]",
            help="Tasks of the file, perhaps on other data (default: all).",
            autocompletion=o.complete_tasks,
        ),
    ] = None,
    data: o.Data = None,
    mixed: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.npz", help="Images of several tasks: images, labels, and tasks, which has each one's task."
        ),
    ] = None,
    device: o.Device = None,
    json: o.JsonLines = False,
) -> Order:
    """Measure the test error of tasks.

    Top-1 and top-5, in percent. The file stays as it is; the journal keeps the result. Images are grouped by task:
    the network is made ready once for each, however they are mixed."""
    given = [_task_and_data(text, o.task_names(ctx)) for text in tasks or ()]
    command = Evaluate(
        tasks=tuple(name for name, _ in given),
        data=_resolved(data),
        sources={name: source for name, source in given if source is not None},
        mixed=_resolved(mixed),
        device=device,
    )
    return Order(file, command, json)


@app.command(
    epilog=examples("packnet preview model.safetensors", "packnet preview model.safetensors 0.5 0.6 0.7 --images 500")
)
def preview(
    file: o.File,
    ratios: Annotated[
        list[float] | None, typer.Argument(metavar="R", help="Ratios to try, 0 to 1 (default: a row of them).")
    ] = None,
    images: Annotated[int, typer.Option(metavar="N", min=1, help="Images to measure with, at the most.")] = 1000,
    device: o.Device = None,
    json: o.JsonLines = False,
) -> Order:
    """Measure the error right after pruning, at several ratios.

    On validation images, before any retraining; nothing is changed. What retraining brings back is not in it."""
    given = {"ratios": tuple(ratios)} if ratios else {}
    return Order(file, Preview(**given, images=images, device=device), json)


@app.command(
    epilog=examples(
        "packnet baseline individual model.safetensors",
        "packnet baseline classifier model.safetensors cubs --weights DEFAULT",
        "packnet baseline lwf model.safetensors --lr 0.0005",
    )
)
def baseline(
    name: Annotated[
        o.BaselineName,
        typer.Argument(
            metavar="NAME",
            help="classifier (only a new head), individual (a network of its own), lwf (Learning without Forgetting), "
            "ewc (Elastic Weight Consolidation), joint (all tasks at once), filters (filters pruned, one task added).",
            case_sensitive=False,
            show_default=False,
        ),
    ],
    file: o.File,
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK", help="Tasks of the file (default: all that were added).", autocompletion=o.complete_tasks
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|DEFAULT", help="Begin with these, not with the first task's network as the file has it."
        ),
    ] = None,
    epochs: o.Epochs = None,
    lr: o.Rate = None,
    device: o.Device = None,
    json: o.JsonLines = False,
) -> Order:
    """Measure what tasks would have by another way of adding them.

    With their own data and recipes, in copies: the file stays as it is, the journal keeps the result, and the workbench
    shows it beside the task's error. lwf, ewc and joint take all tasks up to the last one named, and measure the older
    ones too; filters takes one, in chains of layers such as VGG, and keeps its network beside the file."""
    command = Compare(
        baseline=name.value,
        tasks=tuple(tasks or ()),
        weights=weights if weights is None or weights.upper() == "DEFAULT" else resolve(weights),
        recipe=given(epochs=epochs, lr=lr),
        device=device,
    )
    return Order(file, command, json)


@app.command(epilog=examples("packnet drop model.safetensors cubs"))
def drop(
    file: o.File,
    task: Annotated[
        str,
        typer.Argument(metavar="TASK", help="The newest task.", autocompletion=o.complete_newest, show_default=False),
    ],
    yes: o.Yes = False,
    json: o.JsonLines = False,
) -> Order:
    """Take the newest task out again.

    Its weights become free. No older task changes. Asks first."""
    return Order(file, Drop(task=task, yes=yes), json)


def _typed(ctx: typer.Context) -> dict[str, Any]:
    """What was said on the command line, and is no default."""
    said = {}
    for name, value in ctx.params.items():
        source = ctx.get_parameter_source(name)
        if source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP"):
            said[name] = value.value if isinstance(value, StrEnum) else value
    return said


def _of_recipe(said: dict[str, Any]) -> dict[str, Any]:
    """The part of it that is a recipe's: options have the names of its fields."""
    return {name: value for name, value in said.items() if name in Recipe.__struct_fields__}


def given(**values: Any) -> dict[str, Any]:
    """The values that were given, as a recipe has them."""
    return {k: v.value if isinstance(v, StrEnum) else v for k, v in values.items() if v is not None}


def _task_and_data(text: str, known: list[str]) -> tuple[str, str | None]:
    """`TASK` or `TASK=DATA`; the name of a task may have a = in it."""
    if text in known or "=" not in text:
        return text, None
    name, _, data = text.partition("=")
    return name, _resolved(data)


def _resolved(data: str | None) -> Any:
    return None if data is None else resolve(data)
