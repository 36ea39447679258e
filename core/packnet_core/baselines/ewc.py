"""Elastic Weight Consolidation (Kirkpatrick et al., PNAS 2017): a penalty on changing weights that older tasks need.

The penalty of a weight is its squared distance from the value learnt for the older task, times its entry of the
diagonal of the Fisher information at those values.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from packnet_core.baselines.multi_head import MultiHeadNetwork, NewTask, run_training
from packnet_core.data.images import Images
from packnet_core.network import layers
from packnet_core.schema.events import Event
from packnet_core.training.run import TrainingRun
from packnet_core.training.trainable import Objective

STRENGTH = 100.0
IMAGES = 500  # to estimate the Fisher diagonal from, with one label drawn for each
Diagonal = dict[str, Tensor]  # by parameter name


def ewc(
    start: MultiHeadNetwork,
    tasks: Sequence[NewTask],
    first: Images,
    *,
    strength: float = STRENGTH,
    images: int = IMAGES,
) -> Iterator[Event]:
    """Add tasks one after another to a copy of `start`; after each, yield an Evaluated for every task so far.

    `first` are training images of the task that the network starts with; `strength` is the weight of the penalty;
    `images` is the number of images that the Fisher diagonal is estimated from. Running statistics of normalisation
    stay the first task's: the penalty does not cover them.
    """
    network = start.copy()
    anchors = [_anchor(network, first, images)]
    for task in tasks:
        packed = network.open_task(task)
        objective = ewc_objective(network, anchors, strength, task.recipe.label_smoothing)
        run = TrainingRun(
            packed, task.name, "train", task.recipe, task.data.train, task.data.validation, objective=objective
        )
        yield from run_training(run)
        anchors.append(_anchor(network, task.data.train, images))
        yield from network.evaluate()


def ewc_objective(
    network: MultiHeadNetwork,
    anchors: Sequence[tuple[Diagonal, Diagonal]],
    strength: float,
    label_smoothing: float = 0.0,
) -> Objective:
    """The new task's cross entropy plus strength / 2 · Σ F (w - w*)²; `anchors` has F and w* of each older task."""

    def objective(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        layers.freeze_statistics(network.model)
        logits: Tensor = network.model(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        weights = dict(network.model.named_parameters())
        for fisher, anchor in anchors:
            distances = [(fisher[name] * (weights[name] - anchor[name]).square()).sum() for name in fisher]
            loss = loss + strength / 2 * torch.stack(distances).sum()
        return loss, logits

    return objective


def fisher_diagonal(network: MultiHeadNetwork, images: Images) -> Diagonal:
    """The diagonal of the Fisher information of the network with its newest head; the head itself is left out.

    It is the mean over the images of the squared gradient of log p(y). y is drawn from the network's own answer, by a
    fixed seed; the image's label would give the empirical Fisher information instead. The network is in evaluation
    mode.
    """
    model = network.with_head(len(network.heads)).model.eval().requires_grad_(True)
    inside = network.head + "."
    found = {name: torch.zeros_like(p) for name, p in model.named_parameters() if not name.startswith(inside)}
    generator = torch.Generator().manual_seed(0)
    for batch, _ in images.batches(1, network.device):
        model.zero_grad()
        answer = F.log_softmax(model(batch), 1)[0]
        label = torch.multinomial(answer.detach().exp().cpu(), 1, generator=generator)
        answer[label.item()].backward()  # type: ignore[index]
        for name, parameter in model.named_parameters():
            if name in found and parameter.grad is not None:
                found[name] += parameter.grad.square() / len(images)
    model.zero_grad()
    return found


def _anchor(network: MultiHeadNetwork, images: Images, most: int) -> tuple[Diagonal, Diagonal]:
    """The Fisher diagonal from at most `most` images, and the weights at which it was computed."""
    fisher = fisher_diagonal(network, images.sample(most, seed=0))
    weights = dict(network.model.named_parameters())
    return fisher, {name: weights[name].detach().clone() for name in fisher}
