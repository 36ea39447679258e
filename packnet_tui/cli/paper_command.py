"""`packnet paper`: its options and help; `paper_work` does the work."""

from pathlib import Path
from typing import Annotated

import typer

from packnet_tui.cli import options as o
from packnet_tui.cli.job_commands import PAPER
from packnet_tui.cli.request import examples, given

app = typer.Typer()


@app.command(
    epilog=examples(
        "packnet paper table2 --arch cifar_resnet20 --weights resnet20.safetensors --first cifar10=cifar10.npz \\",
        "    --tasks signs=signs.npz fashion=fashion.npz mnist=mnist.npz --lr 0.02 --epochs 8 --runs 3 --out results",
    )
)
def paper(
    experiments: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME... [TASK=DATA...]",
            help="table2 to table6, figure2 to figure5, ablation; and more tasks.",
            show_default=False,
        ),
    ],
    first: Annotated[str, typer.Option(metavar="TASK=DATA", help="What the network was trained for.")],
    tasks: Annotated[list[str], typer.Option(metavar="TASK=DATA", help="The tasks that are added; several follow.")],
    arch: Annotated[str, typer.Option(metavar="NAME", help="The network.", autocompletion=o.complete_architectures)],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where results go; what is there is not computed again.")],
    weights: Annotated[str, typer.Option(metavar="PATH|DEFAULT|none", help="What it begins with.")] = "none",
    input_size: Annotated[int | None, typer.Option(metavar="N", min=1, help="Width and height of the images.")] = None,
    runs: Annotated[int, typer.Option(metavar="N", min=1, help="Runs; each has its own seed.")] = 3,
    epochs: o.Epochs = PAPER.epochs,
    lr: o.Rate = PAPER.lr,
    batch_size: o.BatchSize = PAPER.batch_size,
    decay_epoch: o.DecayEpoch = None,
    retrain_epochs: o.RetrainEpochs = None,
    retrain_lr: o.RetrainRate = None,
    precision: o.PrecisionName = None,
    limit: o.Limit = None,
    first_epochs: Annotated[
        int, typer.Option(metavar="N", min=0, help="Train the given network on its own data first.")
    ] = 0,
    first_lr: Annotated[float, typer.Option(metavar="X", help="The rate of that.")] = PAPER.lr,
    first_batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Images a step of that.")] = 32,
    first_limit: Annotated[
        int | None, typer.Option(metavar="IMAGES", min=1, help="Of the first task, when retrained after pruning.")
    ] = None,
    individual_epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of Individual Networks (default: --epochs).")
    ] = None,
    classifier_epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of Classifier Only (default: --epochs).")
    ] = None,
    classifier_lr: Annotated[
        float | None, typer.Option(metavar="X", help="Classifier Only's own rate (default: --lr).")
    ] = None,
    lwf_lr: Annotated[float | None, typer.Option(metavar="X", help="LwF's own rate (default: --lr).")] = None,
    ewc_lr: Annotated[float | None, typer.Option(metavar="X", help="EWC's own rate (default: --lr).")] = None,
    ewc_strength: Annotated[float, typer.Option(metavar="X", min=0, help="Weight of EWC's penalty.")] = 100.0,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Cells computed at a time.")] = 1,
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Only cells whose names fit, such as 'packed-*'.")] = "*",
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw them too (matplotlib).")] = True,
    device: o.Device = None,
) -> int:
    """Make tables and figures of the paper, on any data.

    Each is a list of cells (one baseline on one task, one task added after others), whose results are kept as they
    come: a run that was stopped goes on where it was, and tables share cells. Written are JSON, Markdown and pictures;
    numbers are means over runs and orders, with the standard error.
    """
    from packnet_core.paper.plan import Plan
    from packnet_tui.cli import paper_work as work

    rest = given(precision=precision, decay_epoch=decay_epoch)
    recipe = PAPER.changed(
        {**rest, **given(lr=lr, epochs=epochs, batch_size=batch_size, retrain_epochs=retrain_epochs,
                         retrain_lr=retrain_lr)}
    )  # fmt: skip
    own = given(precision=precision, lr=first_lr, epochs=first_epochs, batch_size=first_batch_size)
    names = [text for text in experiments if "=" not in text]
    plan = Plan(
        arch=arch,
        weights=weights,
        input_size=input_size,
        first=work.parse_task(first),
        tasks=tuple(work.parse_task(text) for text in (*tasks, *(text for text in experiments if "=" in text))),
        recipe=recipe,
        limit=limit,
        first_recipe=PAPER.changed(own),
        first_limit=first_limit,
        individual_epochs=individual_epochs,
        classifier_epochs=classifier_epochs,
        classifier_lr=classifier_lr,
        lwf_lr=lwf_lr,
        ewc_lr=ewc_lr,
        ewc_strength=ewc_strength,
    )
    return work.paper(names, plan, runs, out, jobs=jobs, device=device, only=only, draw=pictures)
