"""The commands that change a file. Each returns a Request and does nothing yet.

The command line carries it out (`execute.carry_out`); the workbench sends it to the engine.
"""

from typing import Annotated, Any

import typer

from packnet_core.data.kinds import resolve
from packnet_core.errors import RequestError
from packnet_core.schema import recipes
from packnet_core.schema.commands import LARGEST_RATIO, Add, Discard, Drop, Prune, Train, Undo
from packnet_core.schema.limits import MOST_STEPS
from packnet_core.schema.recipes import BOTH, RETRAINING, TRAINING
from packnet_tui.cli import options as o
from packnet_tui.cli.option_sets import Given, option, option_set, recipe_options, takes
from packnet_tui.cli.output.progress import EVERY
from packnet_tui.cli.request import Request, examples

TRIALS = Prune(ratio=0).trials
LATER = tuple(name for name in BOTH if name != "seed")  # the seed is the task's

app = typer.Typer()


@app.command(
    epilog=examples(
        "packnet add model.safetensors cubs --data ~/cubs --prune 0.75",
        "packnet add model.safetensors signs --data signs.npz --no-flip --epochs 8 --lr 0.02 --limit 1200",
        "packnet add model.safetensors scenes --data places365:~/places --recipe paper --prune 0.75",
        "packnet add model.safetensors birds --data ~/birds --own norms --layers conv --layers 'classifier.*'",
    )
)
@takes(
    *o.NAMED_RECIPE,
    *recipe_options(*TRAINING, defaults=True),
    *option_set(
        prune=option(
            float,
            metavar="R",
            help="Free this share of its weights in every layer after training, and retrain (default: not yet).",
        )
    ),
    *o.STEPS,
    *recipe_options(*RETRAINING, *BOTH, defaults=True),
    *o.VARIANTS,
    *o.IMAGE_OPTIONS,
    *o.BAD_IMAGES,
    *option_set(
        device=o.Device,
        yes=Annotated[
            bool,
            typer.Option("--yes", "-y", help="Also seal a task no better than chance, or give up an interrupted job."),
        ],
    ),
)
def add(
    file: o.File,
    task: Annotated[str, typer.Argument(metavar="TASK", help="A name for the new task.", show_default=False)],
    data: Annotated[str, typer.Option(metavar="DATA", help=o.DATA, autocompletion=o.complete_data, show_default=False)],
    given: Given,
    trust: o.Trust = None,
    json: o.JsonLines = False,
    every: o.Every = EVERY,
    on_done: o.OnDone = "",
) -> Request:
    """Train a new task on the free weights.

    This seals the open task, for good; it must have been pruned before. With --prune the new task is pruned and
    retrained in the same job. The defaults are the paper's; small images usually need a higher --lr, such as 0.02.
    """
    name, source = given.pop("recipe", ""), resolve(data)
    changes, others = recipes.divided(given)
    named = recipes.additions(name, source, first=not o.task_names(file))
    recipe = recipes.named(name, source).changed(changes)
    return Request(file, Add(task=task, data=source, recipe=recipe, **(named | others)), json, trust, every, on_done)


@app.command(
    epilog=examples(
        "packnet prune model.safetensors 0.75",
        "packnet prune model.safetensors 0.5 --layer 'features.*=0.3' --layer fc=0.9 --retrain-epochs 10",
        "packnet prune model.safetensors 0.5 --recipe paper --retrain-epochs 5",
        "packnet prune model.safetensors --max-drop 1 --steps 2",
    )
)
@takes(
    *o.STEPS,
    *o.NAMED_RECIPE,
    *recipe_options(*RETRAINING, *LATER),
    *o.BAD_IMAGES,
    *option_set(data=o.OtherData, limit=o.Limit, device=o.Device, yes=o.GiveUp),
)
def prune(
    file: o.File,
    ratio: Annotated[
        float | None,
        typer.Argument(
            metavar="R",
            help="The share to free, 0 to 1; with --max-drop the largest ratio to try (0.95).",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=R",
            help="Another ratio for a layer, conv, fc, or all layers that match a pattern; the last match wins.",
            autocompletion=o.complete_layers,
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            min=0,
            help="Find the largest ratio that costs at most POINTS of validation error after retraining.",
            callback=o.finite,
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option(metavar="N", min=1, max=MOST_STEPS, help="Try at most N ratios to find it.")
    ] = TRIALS,
    *,
    given: Given,
    trust: o.Trust = None,
    json: o.JsonLines = False,
    every: o.Every = EVERY,
    on_done: o.OnDone = "",
) -> Request:
    """Free weights of the open task, and retrain.

    Frees a share of its own weights in every layer, smallest magnitudes first, then retrains those it keeps. Options
    that are not given stay as the task was trained. --max-drop tries ratios by bisection, each with its retraining,
    measured on the validation images, and changes the file when it has found one.
    """
    if ratio is None and max_drop is None:
        raise RequestError("give a ratio, such as 0.75, or the points it may cost: --max-drop 1")
    command = Prune(
        ratio=LARGEST_RATIO if ratio is None else ratio,
        layers=o.parse_layer_ratios(layer or []),
        max_drop=max_drop,
        trials=trials,
        **_with_changes(given),
    )
    return Request(file, command, json, trust, every, on_done)


@app.command(
    epilog=examples("packnet train model.safetensors", "packnet train model.safetensors --epochs 5 --lr 0.001")
)
@takes(
    *o.NAMED_RECIPE,
    *recipe_options(*TRAINING, *LATER),
    *o.BAD_IMAGES,
    *option_set(data=o.OtherData, limit=o.Limit, device=o.Device, yes=o.GiveUp),
)
def train(
    file: o.File,
    given: Given,
    trust: o.Trust = None,
    json: o.JsonLines = False,
    every: o.Every = EVERY,
    on_done: o.OnDone = "",
) -> Request:
    """Resume an interrupted job, or train the open task further.

    Once the task is pruned, this retrains it. Without options, an interrupted job is resumed where it stopped. Options
    that are not given stay as the task was trained.
    """
    return Request(file, Train(**_with_changes(given)), json, trust, every, on_done)


@app.command(epilog=examples("packnet drop model.safetensors cubs"))
def drop(
    file: o.File,
    task: Annotated[
        str,
        typer.Argument(metavar="TASK", help="The newest task.", autocompletion=o.complete_newest, show_default=False),
    ],
    yes: o.Yes = False,
    trust: o.Trust = None,
    json: o.JsonLines = False,
) -> Request:
    """Remove the newest task.

    Its weights become free. No older task changes. Asks first. The former file is kept until the next job that changes
    the file: packnet undo FILE brings it back.
    """
    return Request(file, Drop(task=task, yes=yes), json, trust)


@app.command(epilog=examples("packnet undo model.safetensors"))
def undo(file: o.File, trust: o.Trust = None, json: o.JsonLines = False) -> Request:
    """Undo a drop.

    Brings back the file as it was before, to the bit, if the drop is its last change.
    """
    return Request(file, Undo(), json, trust)


@app.command(epilog=examples("packnet discard model.safetensors"))
def discard(file: o.File, yes: o.Yes = False, trust: o.Trust = None, json: o.JsonLines = False) -> Request:
    """Give up an interrupted job.

    Removes its checkpoint, so that it can't be resumed. The file stays as it was last saved. Asks first.
    """
    return Request(file, Discard(yes=yes), json, trust)


def _with_changes(given: Given) -> dict[str, Any]:
    """Options as the fields of `Prune` and `Train`: a recipe by name, its changes, and other fields."""
    changes, others = recipes.divided(given)
    return {"named": others.pop("recipe", ""), "recipe": changes, **others}
