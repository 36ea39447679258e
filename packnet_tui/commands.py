"""The commands of `packnet`: what each one takes and says in its help. The work is done elsewhere."""

from pathlib import Path
from typing import Annotated, Any

import typer

from packnet_core.commands import Add, Command, Drop, Evaluate, Preview, Prune, Train
from packnet_core.records import Recipe
from packnet_tui import options as o
from packnet_tui.orders import Order

PAPER = Recipe()  # the defaults, from the paper

app = typer.Typer(
    help="Pack many tasks into one network, in one file, without changing old tasks by one bit.",
    epilog="Exit status: 0 done, 1 the work failed or was stopped, 2 the request or the file is wrong. "
    "The workbench in the terminal: packnet-tui open FILE",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version as installed

        print("packnet-tui", installed("packnet-tui"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


@app.command(
    epilog=examples(
        "packnet new model.safetensors --arch resnet18 --weights DEFAULT",
        "packnet new small.safetensors --arch cifar_resnet20 --weights resnet20.safetensors --input-size 32",
        "packnet new model.safetensors --arch vgg16 --weights DEFAULT --task imagenet --data ~/imagenet",
    )
)
def new(
    file: o.File,
    arch: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="A classification model of torchvision, cifar_resnet20, cifar_resnet56, or module:function.",
            autocompletion=o.complete_architectures,
            show_default=False,
        ),
    ],
    weights: Annotated[
        str, typer.Option(metavar="PATH|DEFAULT|none", help="A state dict, torchvision's own weights, or none.")
    ] = "none",
    input_size: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Width and height of the images (default: the model's own).")
    ] = None,
    channels: Annotated[int, typer.Option(metavar="C", min=1, help="3 for colour, 1 for grey.")] = 3,
    mean: Annotated[
        str | None, typer.Option(metavar="X,X,X", help="Means of the channels in 0..1 (default: ImageNet's).")
    ] = None,
    std: Annotated[
        str | None, typer.Option(metavar="X,X,X", help="Their standard deviations (default: ImageNet's).")
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Keep the weights' head, as the first task, under this name.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help=f"That task's data. {o.DATA}", autocompletion=o.complete_data),
    ] = None,
    flip: o.Flip = None,
    limit: o.Limit = None,
    device: o.Device = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of untrained weights.")] = 0,
) -> int:
    """Make a pack file from a network.

    Without --task the given head is left out: all weights are free, and the first task added starts from them.
    """
    from packnet_tui.files import new

    return new(file, arch, task=task, data_source=data, weights=weights, input_size=input_size, channels=channels,
               mean=o.numbers(mean), std=o.numbers(std), flip=flip, limit=limit, device=device, seed=seed)  # fmt: skip


@app.command(
    epilog=examples(
        "packnet add model.safetensors cubs --data ~/cubs --prune 0.75",
        "packnet add model.safetensors signs --data signs.npz --no-flip --epochs 8 --lr 0.02 --limit 1200",
    )
)
def add(
    file: o.File,
    task: Annotated[str, typer.Argument(metavar="TASK", help="A name for the new task.", show_default=False)],
    data: Annotated[str, typer.Option(metavar="DATA", help=o.DATA, autocompletion=o.complete_data, show_default=False)],
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
    retrain_epochs: o.RetrainEpochs = None,
    retrain_lr: o.RetrainRate = None,
    limit: o.Limit = None,
    flip: o.Flip = None,
    device: o.Device = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the split, the order and the new head.")] = 0,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Also seal a task no better than chance, or give up an interrupted job.")
    ] = False,
    json: o.JsonLines = False,
) -> Order:
    """Train a new task on the free weights.

    The open task is sealed, for good; it must have been pruned before. With --prune the new one is pruned and
    retrained in the same job. The defaults are the paper's; small images mostly want a higher --lr, such as 0.02.
    """
    given = _given(epochs=epochs, lr=lr, batch_size=batch_size, optimizer=optimizer, momentum=momentum, seed=seed,
                   weight_decay=weight_decay, decay_epoch=decay_epoch, retrain_epochs=retrain_epochs,
                   retrain_lr=retrain_lr)  # fmt: skip
    command = Add(
        task=task,
        data=_resolved(data),
        recipe=PAPER.changed(given),
        flip=flip,
        limit=limit,
        prune=prune,
        device=device,
        yes=yes,
    )
    return _order(file, command, json)


@app.command(
    epilog=examples(
        "packnet prune model.safetensors 0.75",
        "packnet prune model.safetensors 0.5 --layer 'features.*=0.3' --layer classifier.0=0.9 --retrain-epochs 10",
    )
)
def prune(
    file: o.File,
    ratio: Annotated[float, typer.Argument(metavar="R", help="The share to set free, 0 to 1.", show_default=False)],
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=R",
            help="Another ratio for a layer, or for all that fit a pattern; may be repeated, the last fit wins.",
            autocompletion=o.complete_layers,
        ),
    ] = None,
    retrain_epochs: o.RetrainEpochs = None,
    retrain_lr: o.RetrainRate = None,
    batch_size: o.BatchSize = None,
    data: o.Data = None,
    limit: o.Limit = None,
    device: o.Device = None,
    yes: o.GiveUp = False,
    json: o.JsonLines = False,
) -> Order:
    """Set weights of the open task free, and retrain.

    A share of its own weights is set free in every layer, smallest magnitudes first, then what is left is retrained.
    What is not given stays as the task was trained.
    """
    changes = _given(retrain_epochs=retrain_epochs, retrain_lr=retrain_lr, batch_size=batch_size)
    command = Prune(
        ratio=ratio,
        layers=o.layer_ratios(layer or []),
        recipe=changes,
        data=_resolved(data),
        limit=limit,
        device=device,
        yes=yes,
    )
    return _order(file, command, json)


@app.command(
    epilog=examples("packnet train model.safetensors", "packnet train model.safetensors --epochs 5 --lr 0.001")
)
def train(
    file: o.File,
    epochs: o.Epochs = None,
    lr: o.Rate = None,
    batch_size: o.BatchSize = None,
    optimizer: o.OptimizerName = None,
    momentum: o.Momentum = None,
    weight_decay: o.WeightDecay = None,
    decay_epoch: o.DecayEpoch = None,
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
    changes = _given(epochs=epochs, lr=lr, batch_size=batch_size, optimizer=optimizer, momentum=momentum,
                     weight_decay=weight_decay, decay_epoch=decay_epoch)  # fmt: skip
    return _order(file, Train(recipe=changes, data=_resolved(data), limit=limit, device=device, yes=yes), json)


@app.command(
    name="eval",
    epilog=examples(
        "packnet eval model.safetensors",
        "packnet eval model.safetensors cubs --json",
        "packnet eval model.safetensors cubs --data ~/other-cubs",
    ),
)
def evaluate(
    file: o.File,
    tasks: Annotated[
        list[str] | None,
        typer.Argument(metavar="TASK", help="Tasks of the file (default: all).", autocompletion=o.complete_tasks),
    ] = None,
    data: o.Data = None,
    device: o.Device = None,
    json: o.JsonLines = False,
) -> Order:
    """Measure the test error of tasks.

    Top-1 and top-5, in percent. The file stays as it is; the journal keeps the result."""
    return _order(file, Evaluate(tasks=tuple(tasks or ()), data=_resolved(data), device=device), json)


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
    return _order(file, Preview(**given, images=images, device=device), json)


@app.command(
    epilog=examples("packnet inspect model.safetensors", "packnet inspect model.safetensors --json | jq .totals")
)
def inspect(file: o.File, json: o.Json = False) -> int:
    """Show tasks, layers, owners and free weights.

    From the header alone, so at once. Errors are in percent, on the test set, when the task was last changed; `now`
    is the newest evaluation in the journal. --json prints one object."""
    from packnet_tui.report import inspect

    return inspect(file, json)


@app.command(epilog=examples("packnet verify model.safetensors", "packnet verify model.safetensors --json"))
def verify(file: o.File, json: o.Json = False) -> int:
    """Recompute every digest and every count.

    Exit status 2 where one does not fit."""
    from packnet_tui.files import verify

    return verify(file, json)


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
    return _order(file, Drop(task=task, yes=yes), json)


@app.command(epilog=examples("packnet export model.safetensors cubs cubs.safetensors"))
def export(
    file: o.File,
    task: o.OldTask,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new .safetensors file.", show_default=False)],
) -> int:
    """Write one task as a plain state dict.

    Dense: the network as the task uses it, with its head in the head's place, for load_state_dict."""
    from packnet_tui.files import export

    return export(file, task, out)


@app.command(epilog=examples("packnet watch model.safetensors", "packnet watch model.safetensors --json"))
def watch(file: o.File, json: o.JsonLines = False) -> int:
    """Show the running job's progress as lines.

    From the job's start until it ends; exits with its status, or 0 where no job runs."""
    from packnet_tui.follow import watch

    return watch(file, json)


@app.command(epilog=examples("packnet stop model.safetensors"))
def stop(file: o.File, yes: o.Yes = False) -> int:
    """End the file's engine.

    Asks first while a job runs; it stops after its step, and packnet train goes on with it."""
    from packnet_tui.follow import stop

    return stop(file, yes)


@app.command(epilog=examples("packnet demo", "packnet demo /tmp/digits.safetensors"))
def demo(
    file: o.DemoFile = o.DEMO,
) -> int:
    """Pack three small real tasks, offline.

    Handwritten digits: 0 to 3, 4 to 6, 7 to 9. Takes less than a minute."""
    from packnet_tui.demo import run

    return run(file)


def _given(**values: Any) -> dict[str, Any]:
    return {k: v.value if isinstance(v, o.Optimizer) else v for k, v in values.items() if v is not None}


def _resolved(data: str | None) -> Any:
    from packnet_core.data import resolve

    return None if data is None else resolve(data)


def _order(file: Path, command: Command, json: bool) -> Order:
    return Order(file, command, json)
