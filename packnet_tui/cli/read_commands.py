"""The commands that look at a file's tasks and change nothing: `eval`, `preview` and `baseline`; see `orders`."""

from typing import Annotated

import typer

from packnet_core.data.kinds import resolve
from packnet_core.schema.commands import Compare, Evaluate, Preview
from packnet_tui.cli import options as o
from packnet_tui.cli.request import Request, examples, given, resolved, task_and_data

app = typer.Typer()


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
) -> Request:
    """Measure the test error of tasks.

    Top-1 and top-5, in percent. The file stays as it is; the journal keeps the result. Images are grouped by task:
    the network is made ready once for each, however they are mixed."""
    asked = [task_and_data(text, o.task_names(ctx)) for text in tasks or ()]
    command = Evaluate(
        tasks=tuple(name for name, _ in asked),
        data=resolved(data),
        sources={name: source for name, source in asked if source is not None},
        mixed=resolved(mixed),
        device=device,
    )
    return Request(file, command, json)


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
) -> Request:
    """Measure the error right after pruning, at several ratios.

    On validation images, before any retraining; nothing is changed. What retraining brings back is not in it."""
    asked = {"ratios": tuple(ratios)} if ratios else {}
    return Request(file, Preview(**asked, images=images, device=device), json)


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
) -> Request:
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
    return Request(file, command, json)
