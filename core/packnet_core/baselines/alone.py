"""The two ends between which PackNet lies (§4): only a new head a task, and a whole network a task."""

from collections.abc import Iterator

from msgspec.structs import replace
from torch import Tensor
from torch.nn import functional as F

from packnet_core.baselines.shared import Shared, TaskOf, trained
from packnet_core.network.packed import PackedNetwork
from packnet_core.schema.events import Event
from packnet_core.schema.recipes import Recipe
from packnet_core.training.run import Objective, TrainingRun, evaluate

NOTHING: frozenset[str] = frozenset()  # of the network's layers


def classifier_only(start: Shared, task: TaskOf) -> Iterator[Event]:
    """Classifier Only: a new head on the features of a network that stays as it is; `start` is left alone.

    At the recipe's rate throughout (§4: 1e-3 for 20 epochs). Features are the network's as it answers with them:
    running statistics as they are, no dropout. Ends with the task's test error.
    """
    network = start.copy().open(task)
    recipe = constant(task)
    objective = on_fixed_features(network)
    run = TrainingRun(network, task.name, "train", recipe, task.data.train, task.data.validation, NOTHING, objective)
    yield from trained(run)
    yield from evaluate(network, 1, task.name, task.data.test)


def individual(start: Shared, task: TaskOf) -> Iterator[Event]:
    """Individual Networks: a copy of the network for this task alone, all of it trained. Ends with its test error.

    The paper's recipe (§4): 20 epochs at 1e-3, divided by ten after 10.
    """
    network = start.copy().open(task)
    yield from trained(TrainingRun(network, task.name, "train", task.recipe, task.data.train, task.data.validation))
    yield from evaluate(network, 1, task.name, task.data.test)


def constant(task: TaskOf) -> Recipe:
    """A task's recipe with one rate for all epochs."""
    return replace(task.recipe, schedule="step", decay_epoch=task.recipe.epochs, warmup_epochs=0)


def on_fixed_features(network: PackedNetwork) -> Objective:
    """The cross entropy of answers from a network in evaluation mode."""

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        network.model.eval()
        logits = network.model(images)
        return F.cross_entropy(logits, labels), logits

    return objective
