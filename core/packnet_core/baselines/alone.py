"""Classifier Only and Individual Networks (§4): one head per task, and one network per task.

PackNet's errors usually lie between those of the two.
"""

from collections.abc import Iterator

from msgspec.structs import replace
from torch import Tensor
from torch.nn import functional as F

from packnet_core.baselines.multi_head import MultiHeadNetwork, NewTask, run_training
from packnet_core.network.packed import PackedNetwork
from packnet_core.schema.events import Event
from packnet_core.schema.recipes import Recipe
from packnet_core.training.evaluate import evaluate
from packnet_core.training.run import TrainingRun
from packnet_core.training.trainable import Objective

NO_LAYERS: frozenset[str] = frozenset()


def classifier_only(start: MultiHeadNetwork, task: NewTask) -> Iterator[Event]:
    """Classifier Only (§4): train a new head on the fixed features of a copy of `start`.

    The recipe's learning rate is constant (the paper: 1e-3 for 20 epochs). The network is in evaluation mode: running
    statistics do not change, and there is no dropout. The last event is an Evaluated, the task's test error.
    """
    network = start.copy().open_task(task)
    recipe = constant_rate(task)
    objective = fixed_features_objective(network)
    run = TrainingRun(network, task.name, "train", recipe, task.data.train, task.data.validation, NO_LAYERS, objective)
    yield from run_training(run)
    yield from evaluate(network, 1, task.name, task.data.test)


def individual(start: MultiHeadNetwork, task: NewTask) -> Iterator[Event]:
    """Individual Networks (§4): train a whole copy of `start` for this task.

    The paper's recipe: 20 epochs at 1e-3, divided by ten after 10. The last event is an Evaluated, its test error.
    """
    network = start.copy().open_task(task)
    run = TrainingRun(network, task.name, "train", task.recipe, task.data.train, task.data.validation)
    yield from run_training(run)
    yield from evaluate(network, 1, task.name, task.data.test)


def constant_rate(task: NewTask) -> Recipe:
    """The task's recipe with its learning rate constant over all epochs."""
    return replace(task.recipe, schedule="step", decay_epoch=task.recipe.epochs, warmup_epochs=0)


def fixed_features_objective(network: PackedNetwork) -> Objective:
    """The cross entropy of the network's logits, with the network in evaluation mode."""

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        network.model.eval()
        logits = network.model(images)
        return F.cross_entropy(logits, labels), logits

    return objective
