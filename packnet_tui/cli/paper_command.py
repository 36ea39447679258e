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
            help="Experiments: table2 to table6, figure2 to figure5, ablation. Then further tasks to add.",
            show_default=False,
        ),
    ],
    first: Annotated[str, typer.Option(metavar="TASK=DATA", help="The network's first task.")],
    tasks: Annotated[list[str], typer.Option(metavar="TASK=DATA", help="Tasks to add; several can follow.")],
    arch: Annotated[str, typer.Option(metavar="NAME", help="The network.", autocompletion=o.complete_architectures)],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results; its cells are not computed again.")],
    weights: Annotated[str, typer.Option(metavar="PATH|DEFAULT|none", help="Its initial weights.")] = "none",
    input_size: Annotated[int | None, typer.Option(metavar="N", min=1, help="Width and height of the images.")] = None,
    runs: Annotated[int, typer.Option(metavar="N", min=1, help="Number of runs, each with its own seed.")] = 3,
    epochs: o.Epochs = PAPER.epochs,
    lr: o.Rate = PAPER.lr,
    batch_size: o.BatchSize = PAPER.batch_size,
    decay_epoch: o.DecayEpoch = None,
    retrain_epochs: o.RetrainEpochs = None,
    retrain_lr: o.RetrainRate = None,
    precision: o.PrecisionName = None,
    limit: o.Limit = None,
    first_epochs: Annotated[
        int, typer.Option(metavar="N", min=0, help="Epochs of training on the first task before all else.")
    ] = 0,
    first_lr: Annotated[float, typer.Option(metavar="X", help="Learning rate of that training.")] = PAPER.lr,
    first_batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Images per step of that training.")] = 32,
    first_limit: Annotated[
        int | None, typer.Option(metavar="IMAGES", min=1, help="Training images of the first task's retraining.")
    ] = None,
    individual_epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Epochs of Individual Networks (default: --epochs).")
    ] = None,
    classifier_epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Epochs of Classifier Only (default: --epochs).")
    ] = None,
    classifier_lr: Annotated[
        float | None, typer.Option(metavar="X", help="Learning rate of Classifier Only (default: --lr).")
    ] = None,
    lwf_lr: Annotated[float | None, typer.Option(metavar="X", help="Learning rate of LwF (default: --lr).")] = None,
    ewc_lr: Annotated[float | None, typer.Option(metavar="X", help="Learning rate of EWC (default: --lr).")] = None,
    ewc_strength: Annotated[float, typer.Option(metavar="X", min=0, help="Weight of EWC's penalty.")] = 100.0,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Cells computed in parallel.")] = 1,
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Only cells with names like 'packed-*'.")] = "*",
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw pictures (matplotlib).")] = True,
    device: o.Device = None,
) -> int:
    """Make tables and figures of the paper, on any data.

    Each is a list of cells, such as one baseline on one task, or one task added after others. The result of each cell
    is written at once: a run that was stopped can be resumed, and tables share cells. Tables are written as JSON,
    Markdown and pictures. Numbers are means over runs and orders, with the standard error.
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
    return work.run_experiments(names, plan, runs, out, jobs=jobs, device=device, only=only, draw=pictures)
