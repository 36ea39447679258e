"""What the benchmarks measure: networks with tasks, not trained, and one step of training."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from packnet_core.network import architectures
from packnet_core.network.packed import PackedNetwork
from packnet_core.schema.document import FORMAT_VERSION, Architecture, Data, Document, Error, Input, Layer, Task
from packnet_core.schema.recipes import Recipe
from packnet_core.training.guarded_optimizer import GuardedOptimizer

RATIOS = (0.5, 0.75, 0.75, 0.75)
Kind = type[torch.optim.SGD] | type[torch.optim.AdamW]
OPTIMIZERS: dict[str, tuple[Kind, dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9}),
    "sgd-decay": (torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9, "weight_decay": 1e-4}),
    "adamw": (torch.optim.AdamW, {"lr": 1e-4}),
}


def second_task(arch: str, sealed: float, device: torch.device) -> PackedNetwork:
    """A network whose open task has all weights except the share `sealed`; with 0 it is the first task."""
    torch.manual_seed(0)
    model = architectures.build(arch, channels=3)
    network = PackedNetwork(model, architectures.find_head(model))
    network.to(device)
    network.open_task(10)
    if sealed:
        network.prune(dict.fromkeys(network.weights, 1 - sealed))
        network.end_phase()
        network.open_task(10)
    return network


def trained(network: PackedNetwork) -> list[nn.Parameter]:
    """All that torch's own loop would train: every weight of any owner, the newest task's head and the rest."""
    return [*network.weights.values(), *network.train_mode()]


def guarded(network: PackedNetwork, kind: Kind, settings: dict[str, Any]) -> GuardedOptimizer:
    """The step of the newest task, with torch's fused kernels."""
    pairs = [(weight, network.owners[name]) for name, weight in network.weights.items()]
    others = network.train_mode()
    return GuardedOptimizer(lambda p: kind(p, **settings, fused=True), pairs, others, network.open)


def stepping(
    network: PackedNetwork, optimizer: Optimizer | GuardedOptimizer, images: Tensor, labels: Tensor
) -> Callable[[], None]:
    """A function that does one step of training: guarded as in a job, or else as in torch's own loop.

    Each step frees its own gradients, so that none pays for another's.
    """
    within = optimizer.step_in_backward if isinstance(optimizer, GuardedOptimizer) else nullcontext

    def once() -> None:
        loss = F.cross_entropy(network.model(images), labels)
        with within():
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return once


def packed(arch: str, tasks: int = 4, size: int = 224) -> tuple[PackedNetwork, Document]:
    """A network whose tasks were pruned as in the paper's Table 2; the newest is open."""
    torch.manual_seed(0)
    model = architectures.build(arch, channels=3)
    network = PackedNetwork(model, architectures.find_head(model))
    names = ["imagenet", "cubs", "cars", "flowers", *(f"task {number}" for number in range(5, tasks + 1))]
    ratios = [*RATIOS, *[0.75] * tasks]
    for index in range(tasks):
        network.open_task(100)
        for name, weight in network.weights.items():
            own = network.owners[name] == index + 1
            weight.data[own] = torch.randn(int(own.sum())) * 0.01
        network.prune(dict.fromkeys(network.weights, ratios[index]))
        network.end_phase()
    own_digests = [network.weights_digest(index + 1) for index in range(tasks)]
    counts = network.counts()
    document = Document(
        version=FORMAT_VERSION,
        architecture=Architecture(name=arch, head=network.head, features=network.features),
        input=Input(channels=3, size=size, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        tasks=tuple(
            Task(
                name=names[index],
                phase="sealed" if index + 1 < tasks else "retrained",
                classes=tuple(f"class {i}" for i in range(100)),
                data=Data(source="/nowhere", flip=True, limit=None, train=900, validation=100, test=500),
                recipe=Recipe(),
                prune_ratio=ratios[index],
                error=Error(top1=20.0 + index, top5=5.0, images=500),
                chance=99.0,
                weights_digest=own_digests[index],
                digest=network.task_digest(index + 1, own_digests),
            )
            for index in range(tasks)
        ),
        layers=tuple(
            Layer(name=name, shape=tuple(w.shape), owned=tuple(counts[name])) for name, w in network.weights.items()
        ),
        history=(),
    )
    return network, document
