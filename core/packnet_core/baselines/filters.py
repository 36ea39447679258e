"""Filter pruning (§5.5, Table 6): whole filters of a trained network are freed for one more task, which uses them all.

experiment = begin(architecture, input, model)       # a network trained for a first task, with its head
yield from prune(experiment, "imagenet", data, recipe)         # 30 % of its filters, in ten rounds
yield from add(experiment, "birds", other_data, recipe)
experiment.network.answers(images)                   # both tasks' logits of one pass

The generators give the events of PackNet's own phases, and end with an Evaluated of each task. Neither the network
nor the saved state (`filter_file.py`) is a kind of pack file: here both tasks are answered at once, unmasked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from msgspec import Struct
from msgspec.structs import replace
from torch import Tensor, nn

from packnet_core.baselines.filter_network import FilterNetwork
from packnet_core.baselines.filter_ranking import Ranking, lowest
from packnet_core.data.images import Images
from packnet_core.data.loading import TaskData
from packnet_core.errors import RequestError, WorkError
from packnet_core.schema.document import Architecture, Data, Error, Input
from packnet_core.schema.events import Epoch, Evaluated, Event, PhaseStarted, Pruned
from packnet_core.schema.recipes import Recipe
from packnet_core.training.run import Objective, TrainingRun, evaluate, validate

SHARE, ROUNDS = 0.3, 10  # the paper's: 400 of VGG-16's 12,416 filters an epoch, 4,000 in all


class FilterTask(Struct, frozen=True, kw_only=True):
    """What is known of a task: the error is that of its last evaluation."""

    name: str
    classes: tuple[str, ...]
    data: Data
    recipe: Recipe
    error: Error | None = None


@dataclass
class Experiment:
    """A network, how to build it, what it takes, and its tasks so far: none, the first, or both."""

    network: FilterNetwork
    architecture: Architecture
    input: Input
    tasks: list[FilterTask]


def begin(architecture: Architecture, input: Input, model: nn.Module) -> Experiment:
    """An experiment with a model that a first task was trained in, or will be (`train`). The model is taken over.

    Raises RequestError for a network that is no plain chain of layers: residual and dense ones.
    """
    return Experiment(FilterNetwork(model, architecture.head), architecture, input, [])


def train(experiment: Experiment, task: str, data: TaskData, recipe: Recipe) -> Iterator[Event]:
    """Train the whole network for the first task, where it was not given one that is."""
    _settle(experiment, task, data, recipe)
    yield from _trained(experiment, data)
    yield from measured(experiment, {task: data.test})


def prune(
    experiment: Experiment, task: str, data: TaskData, recipe: Recipe, share: float = SHARE, rounds: int = ROUNDS
) -> Iterator[Event]:
    """Free a share of all filters (neurons of hidden linear layers count) of the first task's network, in rounds.

    A round is an epoch of training, at the retraining rate, in which filters are ranked; then the lowest are freed: a
    Pruned each, its ratio the share of filters freed by then, its counts those of parameters that the newer task may
    have and that the first has. Then come the epochs of retraining. Ends with the task's test error.

    Raises RequestError for a share that would leave a layer without a filter, and after the second task was added.
    """
    network = experiment.network
    filters = sum(unit.filters for unit in network.units)
    goal = round(share * filters)
    if not 0 < share < 1 or rounds < 1 or goal > filters - len(network.units):
        raise RequestError(
            f"{share:g} of {filters} filters in {rounds} rounds can't be freed: each of {len(network.units)} layers "
            "keeps one, and a round at least is needed"
        )
    if network.open == 2:
        raise RequestError("filters are freed before the second task is added; this network has two tasks")
    _settle(experiment, task, data, recipe)
    # one phase, so that rates and orders follow the epochs; a new optimizer where owners have changed
    recipe = recipe.changed({"retrain_epochs": rounds + recipe.retraining_epochs})
    yield PhaseStarted(phase="retrain", task=task, epochs=recipe.retraining_epochs, images=len(data.train))
    for number in range(1, rounds + 1):
        yield from _round(experiment, data, recipe, number, round(goal * number / rounds))
    yield from _run(experiment, "retrain", data, recipe, rounds + 1).events()
    network.end_phase()
    yield from measured(experiment, {task: data.test})


def _round(experiment: Experiment, data: TaskData, recipe: Recipe, number: int, goal: int) -> Iterator[Event]:
    """An epoch of ranking and training; then `goal` filters are freed in all."""
    network, task = experiment.network, experiment.tasks[0].name
    recipe = recipe.changed({"pick": "last"})  # of earlier epochs, in which other filters were free
    run, ranking, before = _run(experiment, "retrain", data, recipe, number), Ranking(network.units), None
    with ranking.watching(run.scaling):
        for event in run.events():
            yield event
            if isinstance(event, Epoch):
                before = event.validation_error
                break
    done = sum(int(freed.sum()) for freed in network.freed)
    free = network.free(lowest(ranking.ranks(), network.freed, goal - done))
    yield Pruned(
        task=task,
        ratio=goal / sum(unit.filters for unit in network.units),
        freed=free,
        kept=sum(int((owner == 1).sum()) for owner in network.owners.values()),
        before=before,
        after=validate(network, data.validation)[1],
    )


def add(
    experiment: Experiment, task: str, data: TaskData, recipe: Recipe, first: Images | None = None
) -> Iterator[Event]:
    """Train a second task in the freed filters. Ends with its test error, and the first task's on `first` images.

    Raises RequestError where there is no first task, nothing is free, or there are two tasks already; WorkError where
    anything of the first task's would have changed.
    """
    network = experiment.network
    if not experiment.tasks:
        raise RequestError("there is no first task; prune one before another is added")
    if task == experiment.tasks[0].name:
        raise RequestError(f"there is a task {task!r} already; give this one another name")
    before = network.digest()
    network.add_task(len(data.classes), torch.Generator().manual_seed(recipe.seed))
    _settle(experiment, task, data, recipe)
    yield from _trained(experiment, data)
    if network.digest() != before:
        raise WorkError(f"the first task, {experiment.tasks[0].name!r}, has changed. Please report this")
    yield from measured(
        experiment, ({experiment.tasks[0].name: first} if first is not None else {}) | {task: data.test}
    )


def measured(experiment: Experiment, tests: Mapping[str, Images]) -> Iterator[Event]:
    """Test errors of the tasks named, which the experiment's tasks keep. Each pass gives all tasks' answers."""
    for index, task in enumerate(experiment.tasks):
        for event in evaluate(experiment.network, index + 1, task.name, tests[task.name]) if task.name in tests else ():
            if isinstance(event, Evaluated):
                experiment.tasks[index] = replace(task, error=event.error)
            yield event


def _trained(experiment: Experiment, data: TaskData) -> Iterator[Event]:
    """The open task's training phase."""
    task = experiment.tasks[-1]
    yield PhaseStarted(phase="train", task=task.name, epochs=task.recipe.epochs, images=len(data.train))
    yield from _run(experiment, "train", data, task.recipe).events()
    experiment.network.end_phase()


def _run(
    experiment: Experiment, phase: Literal["train", "retrain"], data: TaskData, recipe: Recipe, epoch: int = 1
) -> TrainingRun:
    return TrainingRun(
        experiment.network,
        experiment.tasks[-1].name,
        phase,
        recipe,
        data.train,
        data.validation,
        objective=_objective(experiment.network, recipe.label_smoothing),
        epoch=epoch,
    )


def _objective(network: FilterNetwork, label_smoothing: float) -> Objective:
    """The cross entropy of the open task's answers."""

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = network.model(images)[network.open - 1]
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing), logits

    return objective


def _settle(experiment: Experiment, task: str, data: TaskData, recipe: Recipe) -> None:
    """Write down the open task. Raises RequestError where it has other classes than its head."""
    network = experiment.network
    outputs = network.heads[-1].out_features
    if outputs != len(data.classes):
        raise RequestError(
            f"the network's head has {outputs} classes, and the data of {task!r} has {len(data.classes)}; "
            "give the data that it was trained on"
        )
    experiment.tasks[network.open - 1 :] = [
        FilterTask(name=task, classes=data.classes, data=data.record, recipe=recipe)
    ]
