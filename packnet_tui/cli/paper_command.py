"""`packnet paper`: its arguments and help; `paper_experiments` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from packnet_core.schema.recipes import TRAINING, Recipe, divided
from packnet_tui.cli import options as o
from packnet_tui.cli.option_sets import Given, option, option_set, recipe_options, takes
from packnet_tui.cli.request import examples

FIRST = ("first_epochs", "first_lr", "first_batch_size")  # options for fields of the first task's recipe

app = typer.Typer()


@app.command(
    epilog=examples(
        "packnet paper table2 --arch cifar_resnet20 --weights resnet20.safetensors --first cifar10=cifar10.npz \\",
        "    --tasks signs=signs.npz fashion=fashion.npz mnist=mnist.npz --lr 0.02 --epochs 8 --runs 3 --out results",
    )
)
@takes(
    *option_set(
        weights=option(str, metavar="PATH|DEFAULT|none", help="Weights to begin with (default: none)."),
        input_size=option(int, metavar="N", min=1, help="Width and height of the images."),
    ),
    *recipe_options(*TRAINING, "retrain_epochs", "retrain_lr", "batch_size", "precision", defaults=True),
    *option_set(
        limit=o.Limit,
        first_epochs=option(
            int, metavar="N", min=0, help="Train the given network on the first task's data for N epochs (default: 0)."
        ),
        first_lr=option(float, metavar="X", help="Learning rate of that training (default: 0.001)."),
        first_batch_size=option(int, metavar="N", min=1, help="Images per step of that training (default: 32)."),
        first_limit=option(
            int, metavar="N", min=1, help="At most N training images when the first task is retrained (default: all)."
        ),
        individual_epochs=option(int, metavar="N", min=1, help="Epochs of Individual Networks (default: --epochs)."),
        classifier_epochs=option(int, metavar="N", min=1, help="Epochs of Classifier Only (default: --epochs)."),
        classifier_lr=option(float, metavar="X", help="Learning rate of Classifier Only (default: --lr)."),
        lwf_lr=option(float, metavar="X", help="Learning rate of LwF (default: --lr)."),
        ewc_lr=option(float, metavar="X", help="Learning rate of EWC (default: --lr)."),
        ewc_strength=option(float, metavar="X", min=0, help="Weight of EWC's penalty (default: 100)."),
    ),
)
def paper(
    experiments: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME... [TASK=DATA...]",
            help="Experiments: table2 to table6, figure2 to figure5, ablation; then, if any, more tasks to add.",
            show_default=False,
        ),
    ],
    first: Annotated[str, typer.Option(metavar="TASK=DATA", help="The task that the weights were trained for.")],
    tasks: Annotated[list[str], typer.Option(metavar="TASK=DATA", help="The tasks that are added; several follow.")],
    arch: o.Arch,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of results; results that it has are not computed again.")
    ],
    given: Given,
    runs: Annotated[int, typer.Option(metavar="N", min=1, help="Runs; each has its own seed.")] = 3,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Compute N cells at a time.")] = 1,
    only: Annotated[
        str, typer.Option(metavar="PATTERN", help="Only cells whose names match, such as 'packed-*'.")
    ] = "*",
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Also draw pictures (needs matplotlib).")
    ] = True,
    device: o.Device = None,
) -> int:
    """Make tables and figures of the paper, on any data.

    Each is a list of cells (one baseline on one task, one task added after others). Each result is saved as soon as it
    is computed, so a stopped run can be resumed, and tables share cells. Writes JSON, Markdown and pictures; numbers
    are means over runs and orders, with the standard error.
    """
    from packnet_core.paper.plan import Plan
    from packnet_tui.cli.paper_experiments import parse_task, run_experiments

    changes, settings = divided(given)
    recipe = Recipe().changed(changes)
    of_first = {name.removeprefix("first_"): settings.pop(name) for name in FIRST if name in settings}
    names = [text for text in experiments if "=" not in text]
    plan = Plan(
        arch=arch,
        first=parse_task(first),
        tasks=tuple(parse_task(text) for text in (*tasks, *(text for text in experiments if "=" in text))),
        recipe=recipe,
        first_recipe=Recipe(epochs=0, precision=recipe.precision).changed(of_first),
        **settings,
    )
    return run_experiments(names, plan, runs, out, jobs=jobs, device=device, only=only, draw=pictures)
