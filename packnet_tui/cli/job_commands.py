"""The commands that are work on a file: what each takes and says in its help. They give an Order, and do nothing; those
that only look are in `looks`.

The command line carries an order out (`work.carry_out`), the workbench hands it to the engine.
"""

from typing import Annotated

import typer
from msgspec.structs import replace

from packnet_core.errors import RequestError
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, Drop, Prune, Train
from packnet_core.schema.recipes import Recipe
from packnet_tui.cli import options as o
from packnet_tui.cli import read_commands
from packnet_tui.cli.request import Request, examples, of_recipe, resolved, typed

PAPER = Recipe()  # the defaults, from the paper
LARGEST = 0.95  # ratio that is tried where none is given: the paper's (Figure 4)

app = typer.Typer()


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
) -> Request:
    """Train a new task on the free weights.

    The open task is sealed, for good; it must have been pruned before. With --prune the new one is pruned and
    retrained in the same job. The defaults are the paper's; small images mostly want a higher --lr, such as 0.02.
    """
    said, source = typed(ctx), resolved(data)
    command = Add(
        task=task,
        data=source,
        recipe=recipes.named(recipe, source).changed(of_recipe(said)),
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
    return Request(file, command, json)


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
) -> Request:
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
        recipe=of_recipe(typed(ctx)),
        data=resolved(data),
        limit=limit,
        device=device,
        yes=yes,
    )
    return Request(file, command, json)


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
) -> Request:
    """Go on with an interrupted job or the open task.

    Trains the open task further, or retrains it once it is pruned. Without options, an interrupted job goes on where
    it was. What is not given stays as the task was trained.
    """
    changes = of_recipe(typed(ctx))
    return Request(
        file, Train(named=recipe, recipe=changes, data=resolved(data), limit=limit, device=device, yes=yes), json
    )


@app.command(epilog=examples("packnet drop model.safetensors cubs"))
def drop(
    file: o.File,
    task: Annotated[
        str,
        typer.Argument(metavar="TASK", help="The newest task.", autocompletion=o.complete_newest, show_default=False),
    ],
    yes: o.Yes = False,
    json: o.JsonLines = False,
) -> Request:
    """Take the newest task out again.

    Its weights become free. No older task changes. Asks first."""
    return Request(file, Drop(task=task, yes=yes), json)


app.registered_commands[3:3] = read_commands.app.registered_commands
