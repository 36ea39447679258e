"""Arguments and help of the commands that make, check, show, export and watch files.

The work is done elsewhere, and torch is imported there.
"""

from pathlib import Path
from typing import Annotated

import typer

from packnet_core.planning.forecast import LEAST
from packnet_core.schema.document import MOST_TASKS
from packnet_core.schema.limits import LARGEST_SEED, LARGEST_SIDE, MOST_CHANNELS
from packnet_core.schema.recipes import Recipe
from packnet_tui.cli import options as o
from packnet_tui.cli.option_sets import Given, option, option_set, recipe_options, takes
from packnet_tui.cli.output.progress import EVERY
from packnet_tui.cli.request import examples

app = typer.Typer()


@app.command(
    epilog=examples(
        "packnet new model.safetensors --arch resnet18 --weights DEFAULT",
        "packnet new small.safetensors --arch cifar_resnet20 --weights resnet20.safetensors --input-size 32",
        "packnet new model.safetensors --arch vgg16 --weights DEFAULT --task imagenet --data ~/imagenet",
    )
)
@takes(
    *option_set(
        task=option(str, metavar="TASK", help="Keep the head of the weights as the first task, of this name."),
        data=option(str, metavar="DATA", help=f"The data of that task. {o.DATA}", autocompletion=o.complete_data),
    ),
    *o.IMAGE_OPTIONS,
    *option_set(
        device=o.Device,
        seed=option(int, metavar="N", min=0, max=LARGEST_SEED, help="Seed of untrained weights (default: 0)."),
    ),
)
def new(
    file: o.File,
    arch: o.Arch,
    weights: Annotated[
        str, typer.Option(metavar="PATH|DEFAULT|none", help="A state dict, torchvision's own weights, or none.")
    ] = "none",
    input_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=LARGEST_SIDE, help="Width and height of the images (default: the model's own)."
        ),
    ] = None,
    channels: Annotated[int, typer.Option(metavar="C", min=1, max=MOST_CHANNELS, help="3 for colour, 1 for grey.")] = 3,
    mean: Annotated[
        str | None, typer.Option(metavar="X,X,X", help="Means of the channels in 0..1 (default: ImageNet's).")
    ] = None,
    std: Annotated[
        str | None, typer.Option(metavar="X,X,X", help="Their standard deviations (default: ImageNet's).")
    ] = None,
    *,
    given: Given,
) -> int:
    """Make a pack file from a network.

    Without --task the head of the weights is left out: all weights are free, and the first task that is added starts
    from their values.
    """
    from packnet_tui.cli.file_operations import make_file

    return make_file(file, arch, weights=weights, input_size=input_size, channels=channels, mean=o.parse_numbers(mean),
               std=o.parse_numbers(std), data_source=given.pop("data", None), **given)  # fmt: skip


@app.command(
    epilog=examples("packnet inspect model.safetensors", "packnet inspect model.safetensors --json | jq .totals")
)
def inspect(file: o.File, json: o.Json = False) -> int:
    """Show tasks, layers, owners and free weights.

    Reads only the header. Errors are in percent, on the test set, when the task was last changed; `now` is the newest
    evaluation in the journal. --json prints one object.
    """
    from packnet_tui.cli.output.inspect_report import print_inspection

    return print_inspection(file, json)


@app.command(epilog=examples("packnet verify model.safetensors", "packnet verify model.safetensors --json"))
def verify(file: o.File, json: o.Json = False) -> int:
    """Recompute every digest and every count.

    The exit status is 2 if one is wrong.
    """
    from packnet_tui.cli.file_operations import verify_file

    return verify_file(file, json)


@app.command(epilog=examples("packnet export model.safetensors cubs cubs.safetensors"))
def export(
    file: o.File,
    task: o.OldTask,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="A new file: .safetensors, or .pth or .pt for torch.load.", show_default=False
        ),
    ],
) -> int:
    """Write one task as a plain state dict.

    Dense: the network as the task uses it, with the task's head, for load_state_dict.
    """
    from packnet_tui.cli.file_operations import export_task

    return export_task(file, task, out)


@app.command(
    epilog=examples(
        "packnet watch model.safetensors",
        "packnet watch model.safetensors --json",
        """packnet watch model.safetensors --on-done 'echo "$PACKNET_COMMAND $PACKNET_OUTCOME" | mail -s done me'""",
    )
)
def watch(file: o.File, json: o.JsonLines = False, every: o.Every = EVERY, on_done: o.OnDone = "") -> int:
    """Show the running job's progress as lines.

    From the start of the job to its end. The exit status is the job's, or 0 if no job runs.
    """
    from packnet_tui.cli.follow import watch_job

    return watch_job(file, json, every, on_done)


@app.command(epilog=examples("packnet stop model.safetensors"))
def stop(file: o.File, yes: o.Yes = False) -> int:
    """End the file's engine.

    Asks first while a job runs. The job stops after its step; packnet train resumes it.
    """
    from packnet_tui.cli.follow import stop_engine

    return stop_engine(file, yes)


@app.command(
    epilog=examples(
        "packnet sizes vgg16", "packnet sizes resnet50 --classes 1000,365", "packnet sizes vit_b_16 --tasks 10 --json"
    )
)
def sizes(
    arch: Annotated[
        str,
        typer.Argument(metavar="ARCH", help="As for new.", autocompletion=o.complete_architectures, show_default=False),
    ],
    tasks: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=MOST_TASKS, help="Number of tasks (default: one per entry of --classes)."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="C,C,…", help="Classes of each task; the last is for all further tasks (default: 1000,200,196,102)."
        ),
    ] = None,
    json: o.Json = False,
) -> int:
    """Compute how large a network with its tasks would be.

    As in the paper's Tables 2 to 4: one network with one head per task (classifier only), the same with the owners of
    its weights (packed), and one network per task. Counts 4 bytes per value, biases and running statistics of
    normalisation included, the heads, and ceil(log2 N) bits per weight for its owner; in MB of 10^6 bytes.
    """
    from packnet_tui.cli.output.sizes_report import print_sizes

    return print_sizes(arch, tasks, classes, json)


@app.command(
    epilog=examples(
        "packnet forecast model.safetensors",
        "packnet forecast model.safetensors 0.5 0.75 --least 0.1 --json",
        "packnet forecast model.safetensors --order birds=~/birds cars=cars:~/cars --epochs 5",
    )
)
@takes(*recipe_options("epochs", "lr", "batch_size", "seed", defaults=True))
def forecast(
    file: o.File,
    ratios: Annotated[
        list[str] | None, typer.Argument(metavar="R", help="Pruning ratios, 0 to 1 (default: 0.5 0.75 0.9).")
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DATA", help="Tasks that could be added, to put in order; several may follow."),
    ] = None,
    least: Annotated[
        float,
        typer.Option(metavar="X", min=0, max=1, help="A task fits if it owns at least this share of weights."),
    ] = LEAST,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="The task whose features are used (default: the newest).",
            autocompletion=o.complete_tasks,
        ),
    ] = None,
    *,
    given: Given,
    limit: o.Limit = None,
    device: o.Device = None,
    trust: o.Trust = None,
    json: o.Json = False,
) -> int:
    """Show how many more tasks fit, and which to add first.

    Reads only the header: each further task takes all free weights and keeps 1 - R of them. It fits if these are at
    least 1 % of the weights (--least; the paper's smallest share is 5 %). An unpruned open task is pruned at R first.
    With --order, a head is trained for each task on fixed features; the hardest task should be added first (section
    5.1). The file stays as it is.
    """
    from packnet_tui.cli.output.forecast_report import print_forecast

    return print_forecast(file, ratios or [], order or [], least, Recipe().changed(given), json,
                          features=features, limit=limit, device=device, trust=trust)  # fmt: skip


@app.command(epilog=examples("packnet demo", "packnet demo /tmp/digits.safetensors"))
def demo(
    file: o.DemoFile = o.DEMO,
) -> int:
    """Pack three small real tasks, offline.

    Handwritten digits: 0 to 3, 4 to 6, 7 to 9. Takes less than a minute.
    """
    from packnet_tui.cli.demo import run_demo

    return run_demo(file)
