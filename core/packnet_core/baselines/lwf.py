"""Learning without Forgetting (Li & Hoiem, ECCV 2016), as the paper runs it (§4).

Before a task is added, the network answers the new task's images with the heads of older tasks; no older data is
needed. These answers are the targets of a distillation loss. The whole network is trained, with both losses.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace
from torch import Tensor, no_grad
from torch.nn import functional as F

from packnet_core.baselines.alone import NO_LAYERS, constant_rate, fixed_features_objective
from packnet_core.baselines.multi_head import MultiHeadNetwork, NewTask, run_training
from packnet_core.network import layers
from packnet_core.schema.events import Event
from packnet_core.training.run import TrainingRun
from packnet_core.training.trainable import Objective

TEMPERATURE = 2.0
HEAD_EPOCHS = 5  # first epochs, which train only the new head


def lwf(
    start: MultiHeadNetwork,
    tasks: Sequence[NewTask],
    *,
    balance: float = 1.0,
    temperature: float = TEMPERATURE,
    head_epochs: int = HEAD_EPOCHS,
) -> Iterator[Event]:
    """Add tasks one after another to a copy of `start`; after each, yield an Evaluated for every task so far.

    `balance` is the weight of the distillation loss, summed over older tasks; the new task's loss has weight 1. The
    first `head_epochs` of the recipe's epochs train only the new head, at the recipe's rate. Running statistics of
    normalisation stay the first task's.
    """
    network = start.copy()
    for task in tasks:
        yield from add_task(network, task, balance, temperature, head_epochs)
        yield from network.evaluate()


def add_task(
    network: MultiHeadNetwork, task: NewTask, balance: float, temperature: float, head_epochs: int
) -> Iterator[Event]:
    """Add one task to the network, in place; arguments as for `lwf`."""
    before = network.copy()
    packed, data, recipe = network.open_task(task), task.data, task.recipe
    warm = min(head_epochs, recipe.epochs)
    head_only = replace(constant_rate(task), epochs=warm, decay_epoch=warm)
    fixed = fixed_features_objective(packed)
    run = TrainingRun(packed, task.name, "train", head_only, data.train, data.validation, NO_LAYERS, fixed)
    yield from run_training(run)
    rest = replace(recipe, epochs=recipe.epochs - warm, decay_epoch=max(recipe.decays_after - warm, 0))
    objective = lwf_objective(network, before, balance, temperature, recipe.label_smoothing)
    extra = [parameter for head in network.heads[:-1] for parameter in head.parameters()]
    for parameter in extra:
        parameter.requires_grad_(True)
    run = TrainingRun(packed, task.name, "train", rest, data.train, data.validation, objective=objective, extra=extra)
    yield from run_training(run)


def lwf_objective(
    network: MultiHeadNetwork,
    before: MultiHeadNetwork,
    balance: float,
    temperature: float,
    label_smoothing: float = 0.0,
) -> Objective:
    """The new task's cross entropy plus `balance` times the distillation loss of every head of `before`."""
    before.model.eval()

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        layers.freeze_statistics(network.model)  # the new images' statistics would change older tasks' answers
        with no_grad():
            old_features = before.features(images)
            targets = [head(old_features) for head in before.heads]
        features = network.features(images)
        logits: Tensor = network.heads[-1](features)
        loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        for head, target in zip(network.heads[:-1], targets, strict=True):
            loss = loss + balance * distillation(head(features), target, temperature)
        return loss, logits

    return objective


def distillation(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """The distillation loss of logits against target logits, both N×classes; a scalar, the mean over images.

    It is the cross entropy of the two softmaxes, softened by the temperature T: softmax(logits / T).
    """
    softened = F.softmax(targets.float() / temperature, 1)
    return -(softened * F.log_softmax(logits.float() / temperature, 1)).sum(1).mean()
