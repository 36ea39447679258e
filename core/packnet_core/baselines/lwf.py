"""Learning without Forgetting (Li & Hoiem, ECCV 2016), as the paper runs it (§4).

Before a task is added, the network's answers for the older tasks are those to keep: on the new task's own images,
since no older data is stored. Then all of the network is trained for the new task, with what its older answers differ
by as a second loss.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace
from torch import Tensor, no_grad
from torch.nn import functional as F

from packnet_core.baselines.alone import NOTHING, constant, on_fixed_features
from packnet_core.baselines.shared import Shared, TaskOf, trained
from packnet_core.network import layers
from packnet_core.schema.events import Event
from packnet_core.training.run import Objective, TrainingRun

TEMPERATURE = 2.0
HEAD_EPOCHS = 5  # that train the new head alone, before all is trained


def lwf(
    start: Shared,
    tasks: Sequence[TaskOf],
    *,
    balance: float = 1.0,
    temperature: float = TEMPERATURE,
    head_epochs: int = HEAD_EPOCHS,
) -> Iterator[Event]:
    """Add tasks one after another; after each, the test error of every task so far. `start` is left alone.

    `balance` weighs the distillation (of all older tasks, summed) against the new task's loss. The first `head_epochs`
    of a recipe's epochs, no more than all of them, train the new head alone, at the recipe's rate. Running statistics
    of normalisation stay those of the first task.
    """
    shared = start.copy()
    for task in tasks:
        yield from add(shared, task, balance, temperature, head_epochs)
        yield from shared.measure()


def add(shared: Shared, task: TaskOf, balance: float, temperature: float, head_epochs: int) -> Iterator[Event]:
    """Add one task to the network, in place."""
    before = shared.copy()
    network, data, recipe = shared.open(task), task.data, task.recipe
    warm = min(head_epochs, recipe.epochs)
    head_only = replace(constant(task), epochs=warm, decay_epoch=warm)
    fixed = on_fixed_features(network)
    yield from trained(TrainingRun(network, task.name, "train", head_only, data.train, data.validation, NOTHING, fixed))
    rest = replace(recipe, epochs=recipe.epochs - warm, decay_epoch=max(recipe.decays_after - warm, 0))
    objective = distilling(shared, before, balance, temperature, recipe.label_smoothing)
    extra = [parameter for head in shared.heads[:-1] for parameter in head.parameters()]
    for parameter in extra:
        parameter.requires_grad_(True)
    run = TrainingRun(network, task.name, "train", rest, data.train, data.validation, objective=objective, extra=extra)
    yield from trained(run)


def distilling(
    shared: Shared, before: Shared, balance: float, temperature: float, label_smoothing: float = 0.0
) -> Objective:
    """The new task's cross entropy, plus `balance` times the distillation loss of every older head."""
    before.model.eval()

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        layers.freeze_statistics(shared.model)  # those of the new images would make older answers others at once
        with no_grad():
            then = before.features(images)
            wanted = [head(then) for head in before.heads]
        now = shared.features(images)
        logits: Tensor = shared.heads[-1](now)
        loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        for head, answer in zip(shared.heads[:-1], wanted, strict=True):
            loss = loss + balance * distillation(head(now), answer, temperature)
        return loss, logits

    return objective


def distillation(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Cross entropy between two answers softened by a temperature T, both N × classes; the mean over images.

    Their probabilities to the power 1/T, made to sum to 1 again, which is the softmax of logits / T.
    """
    targets = F.softmax(wanted.float() / temperature, 1)
    return -(targets * F.log_softmax(logits.float() / temperature, 1)).sum(1).mean()
