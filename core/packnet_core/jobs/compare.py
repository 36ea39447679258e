"""The command Compare: the test errors of a pack file's tasks with a baseline method (§4, Baselines)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from packnet_core import baselines
from packnet_core.baselines import MultiHeadNetwork, NewTask, filter_file, filters
from packnet_core.data.loading import TaskData
from packnet_core.errors import RequestError
from packnet_core.network import architectures
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Baseline, Compare
from packnet_core.schema.document import Document, Task
from packnet_core.schema.events import Compared, Evaluated, Event, Note, PhaseStarted, Progress, TrainStep

LoadData = Callable[[Task, str | None], TaskData]


def compare(
    path: Path, document: Document, command: Compare, data_of: LoadData, device: torch.device
) -> Iterator[Event]:
    """Run a baseline on tasks of a pack file, with the data and recipe that each was added with. The file is only read.

    `data_of` loads a task's data, from another source if one is given. Yields a Compared for every test error. Raises
    RequestError for weights that do not fit the network.
    """
    named = command.tasks or tuple(task.name for task in document.tasks[1:])
    alone = command.baseline in ("classifier", "individual", "filters")
    last = max(document.index(name) for name in named)
    chosen = [t for t in document.tasks[1:last] if not alone or t.name in named]
    first = data_of(document.tasks[0], None)
    start = baselines.first_network(path, first.test, device)
    if command.weights is not None:
        _replace_weights(start, command.weights, document)
    tasks = [NewTask(t.name, data_of(t, None), t.recipe.changed(command.recipe)) for t in chosen]
    match command.baseline:
        case "classifier" | "individual" as kind:
            method = baselines.classifier_only if kind == "classifier" else baselines.individual
            for task in tasks:
                yield from _as_comparison(kind, method(start, task), tasks)
        case "lwf":
            yield from _as_comparison("lwf", baselines.lwf(start, tasks), tasks)
        case "ewc":
            yield from _as_comparison("ewc", baselines.ewc(start, tasks, first.train), tasks)
        case "joint":
            yield from _as_comparison("joint", baselines.joint(start, first, tasks, tasks[-1].recipe), tasks)
        case "filters":
            yield from _compare_filters(document, start, first, tasks[0], Paths(path).folder)


def _compare_filters(
    document: Document, start: MultiHeadNetwork, first: TaskData, task: NewTask, folder: Path
) -> Iterator[Event]:
    """Add one task by filter pruning (§5.5), and save the resulting network beside the pack file."""
    experiment = filters.begin(document.architecture, document.input, start.model)
    pruned = filters.prune(experiment, document.tasks[0].name, first, task.recipe)
    yield from _as_comparison("filters", pruned, [task])
    yield from _as_comparison("filters", filters.add(experiment, task.name, task.data, task.recipe), [task])
    path = folder / f"filters-{document.index(task.name)}.safetensors"
    filter_file.save(path, experiment)
    yield Note(text=f"the network of both tasks, with pruned filters, is in {path}")


def _replace_weights(start: MultiHeadNetwork, weights: str, document: Document) -> None:
    """Load other weights into the network, its head included. Raises RequestError if they do not fit."""
    state = architectures.load_weights(weights, document.architecture.name)
    if not architectures.fit_weights(start.model, state, start.head):
        raise RequestError(f"{weights} has no head {start.head!r}; the first task is evaluated with it")
    head = start.model.get_submodule(start.head)
    assert isinstance(head, nn.Linear)
    if head.out_features != len(document.tasks[0].classes):
        raise RequestError(
            f"the head in {weights} has {head.out_features} classes, and the first task has "
            f"{len(document.tasks[0].classes)}; give the weights that the file was made from"
        )
    start.heads[0] = head.to(start.device)


def _as_comparison(baseline: Baseline, events: Iterator[Event], tasks: list[NewTask]) -> Iterator[Event]:
    """Replace a baseline's events by those of a comparison: the file's own tasks are neither trained nor evaluated."""
    names = [task.name for task in tasks]
    sequential = baseline in ("lwf", "ewc")
    newest = 0  # index of the task added last, for methods that evaluate after each task
    doing: tuple[str, int] = "", 0  # the task that is trained or tested, and its steps or images
    for event in events:
        match event:
            case TrainStep(task=name, step=step, steps=steps, epoch=epoch, epochs=epochs):
                if doing != (name, steps):
                    place = (names.index(name) + 1, len(names)) if name in names else (1, 1)
                    yield PhaseStarted(
                        phase="compare", task=name, epochs=epochs, images=steps, part=place[0], parts=place[1]
                    )
                    doing = name, steps
                yield Progress(task=name, done=step, images=steps, epoch=epoch, epochs=epochs)
            case Evaluated(task=name, error=error):
                yield Compared(task=name, baseline=baseline, error=error, after=names[newest] if sequential else None)
                if name == names[newest] and newest + 1 < len(names):
                    newest += 1
            case Progress(task=name, images=images):
                if doing != (name, -images):
                    yield PhaseStarted(phase="eval", task=name, epochs=0, images=images)
                    doing = name, -images
                yield event
            case _:
                pass
