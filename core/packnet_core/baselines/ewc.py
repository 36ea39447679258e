"""Elastic Weight Consolidation (Kirkpatrick et al., PNAS 2017): weights that mattered to older tasks are held back.

How much a weight mattered is the diagonal of the Fisher information where the older task was learnt; moving away from
there costs the square of the distance times that.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from packnet_core.baselines.shared import Shared, TaskOf, trained
from packnet_core.data.images import Images
from packnet_core.network import layers
from packnet_core.schema.events import Event
from packnet_core.training.run import Objective, TrainingRun

STRENGTH = 100.0
IMAGES = 500  # that the Fisher diagonal is estimated from, one label drawn for each
Diagonal = dict[str, Tensor]


def ewc(
    start: Shared, tasks: Sequence[TaskOf], first: Images, *, strength: float = STRENGTH, images: int = IMAGES
) -> Iterator[Event]:
    """Add tasks one after another; after each, the test error of every task so far. `start` is left alone.

    `first` are training images of the task that the network begins with; `strength` weighs the penalty. Running
    statistics of normalisation are those of the first task: there is no penalty that could hold them.
    """
    shared = start.copy()
    held = [_anchored(shared, first, images)]
    for task in tasks:
        network = shared.open(task)
        objective = consolidating(shared, held, strength, task.recipe.label_smoothing)
        run = TrainingRun(
            network, task.name, "train", task.recipe, task.data.train, task.data.validation, objective=objective
        )
        yield from trained(run)
        held.append(_anchored(shared, task.data.train, images))
        yield from shared.measure()


def consolidating(
    shared: Shared, held: Sequence[tuple[Diagonal, Diagonal]], strength: float, label_smoothing: float = 0.0
) -> Objective:
    """The new task's cross entropy, plus strength / 2 · Σ F (w - w*)² over all older tasks."""

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        layers.freeze_statistics(shared.model)
        logits: Tensor = shared.model(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        weights = dict(shared.model.named_parameters())
        for fisher, anchor in held:
            distances = [(fisher[name] * (weights[name] - anchor[name]).square()).sum() for name in fisher]
            loss = loss + strength / 2 * torch.stack(distances).sum()
        return loss, logits

    return objective


def fisher_diagonal(shared: Shared, images: Images) -> Diagonal:
    """The diagonal of the Fisher information of the network with its newest head; the head itself left out.

    For each image the squared gradient of log p(y), with y drawn from the network's own answer, not the image's label
    (which would give the empirical Fisher); the mean over the images. In evaluation mode; drawn by a fixed seed.
    """
    network = shared.using(len(shared.heads))
    model = network.model.eval().requires_grad_(True)
    inside = shared.head + "."
    found = {name: torch.zeros_like(p) for name, p in model.named_parameters() if not name.startswith(inside)}
    generator = torch.Generator().manual_seed(0)
    for batch, _ in images.batches(1, shared.device):
        model.zero_grad()
        answer = F.log_softmax(model(batch), 1)[0]
        drawn = torch.multinomial(answer.detach().exp().cpu(), 1, generator=generator)
        answer[drawn.item()].backward()  # type: ignore[index]
        for name, parameter in model.named_parameters():
            if name in found and parameter.grad is not None:
                found[name] += parameter.grad.square() / len(images)
    model.zero_grad()
    return found


def _anchored(shared: Shared, images: Images, most: int) -> tuple[Diagonal, Diagonal]:
    """The Fisher diagonal, and the values it was taken at."""
    fisher = fisher_diagonal(shared, images.sample(most, seed=0))
    weights = dict(shared.model.named_parameters())
    return fisher, {name: weights[name].detach().clone() for name in fisher}
