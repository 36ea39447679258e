"""The commands that measure a file's tasks and change nothing. Like those in `job_commands`, each returns a Request."""

from typing import Annotated

import typer

from packnet_core.data.kinds import resolve
from packnet_core.schema.commands import Baseline, Compare, Evaluate, Preview
from packnet_core.schema.limits import MOST_IMAGES
from packnet_tui.cli import options as o
from packnet_tui.cli.option_sets import Given, recipe_options, takes
from packnet_tui.cli.output.progress import EVERY
from packnet_tui.cli.request import Request, examples, resolved, task_and_data

PREVIEW_IMAGES = Preview().images

app = typer.Typer()


@app.command(
    name="eval",
    epilog=examples(
        "packnet eval model.safetensors",
        "packnet eval model.safetensors cubs --json",
        "packnet eval model.safetensors --limit 500",
        "packnet eval model.safetensors cubs=~/other-cubs cars=~/other-cars",
        "packnet eval model.safetensors --mixed stream.npz",
    ),
)
def evaluate(
    file: o.File,
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK[=DATA]",
            help="Tasks of the file, on other data if DATA is given (default: all).",
            autocompletion=o.complete_tasks,
        ),
    ] = None,
    data: o.OtherData = None,
    mixed: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.npz",
            help="Images of several tasks: arrays images, labels, and tasks, the name of each image's task.",
            callback=resolved,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="IMAGES",
            min=1,
            max=MOST_IMAGES,
            help="At most this many test images per task, the same ones each time (default: all).",
        ),
    ] = None,
    on_bad_image: o.OnBadImage = "stop",
    device: o.Device = None,
    trust: o.Trust = None,
    json: o.JsonLines = False,
    every: o.Every = EVERY,
    on_done: o.OnDone = "",
) -> Request:
    """Measure the test error of tasks.

    Top-1 and top-5, in percent. The file stays as it is; the journal keeps the result. Mixed images are grouped by
    task, so that each task's weights are made once. With --limit the error is an estimate, each class in proportion,
    and is never compared with the error when the task was added.
    """
    asked = [task_and_data(text, o.task_names(file)) for text in tasks or ()]
    command = Evaluate(
        tasks=tuple(name for name, _ in asked),
        data=data,
        sources={name: source for name, source in asked if source is not None},
        mixed=mixed,
        limit=limit,
        on_bad_image=on_bad_image,
        device=device,
    )
    return Request(file, command, json, trust, every, on_done)


@app.command(
    epilog=examples("packnet preview model.safetensors", "packnet preview model.safetensors 0.5 0.6 0.7 --images 500")
)
def preview(
    file: o.File,
    ratios: Annotated[
        list[float] | None, typer.Argument(metavar="R", help="Ratios to try, 0 to 1 (default: twelve from 0 to 0.95).")
    ] = None,
    images: Annotated[
        int, typer.Option(metavar="N", min=1, max=MOST_IMAGES, help="Measure on at most N images.")
    ] = PREVIEW_IMAGES,
    device: o.Device = None,
    trust: o.Trust = None,
    json: o.JsonLines = False,
    every: o.Every = EVERY,
) -> Request:
    """Measure the error right after pruning, at several ratios.

    On validation images, without the retraining, which would lower the error again. Nothing is changed.
    """
    asked = {"ratios": tuple(ratios)} if ratios else {}
    return Request(file, Preview(**asked, images=images, device=device), json, trust, every)


@app.command(
    epilog=examples(
        "packnet baseline individual model.safetensors",
        "packnet baseline classifier model.safetensors cubs --weights DEFAULT",
        "packnet baseline lwf model.safetensors --lr 0.0005",
    )
)
@takes(*recipe_options("epochs", "lr"))
def baseline(
    name: Annotated[
        Baseline,
        typer.Argument(
            metavar="NAME",
            help="classifier (only a new head), individual (one network per task), lwf (Learning without Forgetting), "
            "ewc (Elastic Weight Consolidation), joint (all tasks at once), filters (filters pruned, one task added).",
            case_sensitive=False,
            show_default=False,
        ),
    ],
    file: o.File,
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK", help="Tasks of the file (default: all but the first).", autocompletion=o.complete_tasks
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|DEFAULT", help="Weights to begin with (default: the first task's network in the file)."
        ),
    ] = None,
    *,
    given: Given,
    on_bad_image: o.OnBadImage = "stop",
    device: o.Device = None,
    trust: o.Trust = None,
    json: o.JsonLines = False,
    every: o.Every = EVERY,
    on_done: o.OnDone = "",
) -> Request:
    """Measure the error of tasks that are added by another method.

    Each task is trained with its own data and recipe, on a copy of the network. The file stays as it is, the journal
    keeps the result, and the workbench shows it beside the task's error. lwf, ewc and joint take all tasks up to the
    last one named, and measure the older ones too. filters takes one task, needs a chain of layers such as VGG, and
    saves its network beside the file.
    """
    command = Compare(
        baseline=name,
        tasks=tuple(tasks or ()),
        weights=weights if weights is None or weights.upper() == "DEFAULT" else resolve(weights),
        recipe=given,
        on_bad_image=on_bad_image,
        device=device,
    )
    return Request(file, command, json, trust, every, on_done)
