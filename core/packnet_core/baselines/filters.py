"""Filter pruning (§5.5, Table 6): frees whole filters of a trained network for one more task, which uses all filters.

experiment = begin(architecture, input, model)           # a network trained for a first task, with its head
yield from prune(experiment, "imagenet", data, recipe)   # 30 % of its filters, in ten rounds
yield from add(experiment, "birds", other_data, recipe)
experiment.network.answers(images)                       # both tasks' logits from one pass

The generators yield the same events as PackNet's own phases; the last ones are Evaluated. The saved state
(`filter_file.py`) is not a pack file.
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
from packnet_core.training.evaluate import evaluate, validate
from packnet_core.training.run import TrainingRun
from packnet_core.training.trainable import Objective

SHARE, ROUNDS = 0.3, 10  # the paper's: 400 of VGG-16's 12,416 filters per epoch, 4,000 in all


class FilterTask(Struct, frozen=True, kw_only=True):
    """A task of an experiment; its error is that of its last evaluation."""

    name: str
    classes: tuple[str, ...]
    data: Data
    recipe: Recipe
    error: Error | None = None


@dataclass
class FilterExperiment:
    """A network, its architecture and input, and its tasks so far: none, the first, or both."""

    network: FilterNetwork
    architecture: Architecture
    input: Input
    tasks: list[FilterTask]


def begin(architecture: Architecture, input: Input, model: nn.Module) -> FilterExperiment:
    """Begin an experiment with a model that is trained for a first task, or will be by `train`. The model is modified.

    Raises RequestError for a network that is not a plain chain of layers, such as a residual or dense one.
    """
    return FilterExperiment(FilterNetwork(model, architecture.head), architecture, input, [])


def train(experiment: FilterExperiment, task: str, data: TaskData, recipe: Recipe) -> Iterator[Event]:
    """Train the whole network for the first task, if the model is not trained yet. Raises RequestError as `prune`."""
    _record_task(experiment, task, data, recipe)
    yield from _train(experiment, data)
    yield from evaluate_tasks(experiment, {task: data.test})


def prune(
    experiment: FilterExperiment, task: str, data: TaskData, recipe: Recipe, share: float = SHARE, rounds: int = ROUNDS
) -> Iterator[Event]:
    """Free a share (0 to 1) of all filters of the first task's network, in rounds, then retrain.

    Neurons of hidden linear layers count as filters. In each round, one epoch of training at the retraining rate ranks
    the filters, and those with the lowest ranks are freed. A round yields a Pruned: its ratio is the share of filters
    freed so far; `freed` counts the values that are free, `kept` those of the first task. The last event is an
    Evaluated, the test error.

    Raises RequestError for a share that would leave a layer without filters, for data with another number of classes
    than the head, and after the second task was added.
    """
    network = experiment.network
    filters = sum(layer.filters for layer in network.layers)
    goal = round(share * filters)
    if not 0 < share < 1 or rounds < 1 or goal > filters - len(network.layers):
        raise RequestError(
            f"{share:g} of {filters} filters in {rounds} rounds can't be freed: each of {len(network.layers)} layers "
            "keeps at least one, and there must be at least one round"
        )
    if network.open == 2:
        raise RequestError("filters are freed before the second task is added; this network has two tasks")
    _record_task(experiment, task, data, recipe)
    # rounds and retraining are epochs of one phase; each round has a new optimizer, as owners have changed
    recipe = recipe.changed({"retrain_epochs": rounds + recipe.retraining_epochs})
    yield PhaseStarted(phase="retrain", task=task, epochs=recipe.retraining_epochs, images=len(data.train))
    for number in range(1, rounds + 1):
        yield from _round(experiment, data, recipe, number, round(goal * number / rounds))
    yield from _run(experiment, "retrain", data, recipe, rounds + 1).events()
    network.end_phase()
    yield from evaluate_tasks(experiment, {task: data.test})


def _round(experiment: FilterExperiment, data: TaskData, recipe: Recipe, number: int, goal: int) -> Iterator[Event]:
    """Train and rank for one epoch, then free filters until `goal` are free in all."""
    network, task = experiment.network, experiment.tasks[0].name
    recipe = recipe.changed({"pick": "last"})  # an earlier epoch had other free filters
    run, ranking, before = _run(experiment, "retrain", data, recipe, number), Ranking(network.layers), None
    with ranking.collecting(run.scaling):
        for event in run.events():
            yield event
            if isinstance(event, Epoch):
                before = event.validation_error
                break
    done = sum(int(freed.sum()) for freed in network.freed)
    free = network.free(lowest(ranking.ranks(), network.freed, goal - done))
    yield Pruned(
        task=task,
        ratio=goal / sum(layer.filters for layer in network.layers),
        freed=free,
        kept=sum(int((owner == 1).sum()) for owner in network.owners.values()),
        before=before,
        after=validate(network, data.validation)[1],
    )


def add(
    experiment: FilterExperiment, task: str, data: TaskData, recipe: Recipe, first: Images | None = None
) -> Iterator[Event]:
    """Train a second task in the freed filters.

    The last event is an Evaluated, its test error; before it comes one for the first task if `first` has its test
    images. Raises RequestError if there is no first task, no filter is free, or there are two tasks already; WorkError
    if the first task has changed.
    """
    network = experiment.network
    if not experiment.tasks:
        raise RequestError("there is no first task; prune its filters before another is added")
    if task == experiment.tasks[0].name:
        raise RequestError(f"there is a task {task!r} already; give the new one another name")
    before = network.digest()
    network.add_task(len(data.classes), torch.Generator().manual_seed(recipe.seed))
    _record_task(experiment, task, data, recipe)
    yield from _train(experiment, data)
    if network.digest() != before:
        raise WorkError(f"the first task, {experiment.tasks[0].name!r}, has changed; please report this")
    yield from evaluate_tasks(
        experiment, ({experiment.tasks[0].name: first} if first is not None else {}) | {task: data.test}
    )


def evaluate_tasks(experiment: FilterExperiment, tests: Mapping[str, Images]) -> Iterator[Event]:
    """Yield an Evaluated for each task with test images in `tests` (by name), and record the errors."""
    for index, task in enumerate(experiment.tasks):
        for event in evaluate(experiment.network, index + 1, task.name, tests[task.name]) if task.name in tests else ():
            if isinstance(event, Evaluated):
                experiment.tasks[index] = replace(task, error=event.error)
            yield event


def _train(experiment: FilterExperiment, data: TaskData) -> Iterator[Event]:
    """Train the open task for a whole phase."""
    task = experiment.tasks[-1]
    yield PhaseStarted(phase="train", task=task.name, epochs=task.recipe.epochs, images=len(data.train))
    yield from _run(experiment, "train", data, task.recipe).events()
    experiment.network.end_phase()


def _run(
    experiment: FilterExperiment, phase: Literal["train", "retrain"], data: TaskData, recipe: Recipe, epoch: int = 1
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
    """The cross entropy of the open task's logits."""

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = network.model(images)[network.open - 1]
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing), logits

    return objective


def _record_task(experiment: FilterExperiment, task: str, data: TaskData, recipe: Recipe) -> None:
    """Record the open task. Raises RequestError if its number of classes is not the head's."""
    network = experiment.network
    outputs = network.heads[-1].out_features
    if outputs != len(data.classes):
        raise RequestError(
            f"the network's head has {outputs} classes, and the data of {task!r} has {len(data.classes)}; "
            "give the data that the head was trained on"
        )
    experiment.tasks[network.open - 1 :] = [
        FilterTask(name=task, classes=data.classes, data=data.record, recipe=recipe)
    ]
