"""How costs grow: `python -m tests.benchmarks --growth` prints a table, writes it, and draws it as curves.

A training step, pruning, saving and `inspect` with 1, 4 and 16 tasks in ResNet-50, and with 4 tasks in networks of 0.9,
23.5 and 134 million weights. Seconds, median of three; the step at a batch of one, 64 px.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from packnet_core.network.packed import PackedNetwork
from packnet_core.network.pruning import find_threshold
from packnet_core.packfile import storage
from tests.benchmarks.made_networks import guarded, packed, stepping
from tests.benchmarks.measure import medians, packnet

NETWORKS = [("resnet50", 1), ("resnet50", 4), ("resnet50", 16), ("cifar_resnet56", 4), ("vgg16", 4)]  # and tasks
WHAT = ("step", "prune", "save", "inspect")
TITLES = ("network", "weights", "tasks", *WHAT)


def costs(arch: str, tasks: int, folder: Path, device: torch.device) -> dict[str, Any]:
    network, document = packed(arch, tasks=tasks, size=64)
    network.to(device)
    path = folder / f"{arch}-{tasks}.safetensors"
    storage.save(path, network, document)

    def prune() -> None:
        for name, weight in network.weights.items():
            find_threshold(weight.data, network.owners[name], tasks, 0.5, name)

    def seconds(work: Callable[[], object]) -> float:
        return medians([work], 3, device, warmups=0)[0]

    return {
        "arch": arch,
        "tasks": tasks,
        "weights": sum(weight.numel() for weight in network.weights.values()),
        "prune": seconds(prune),
        "save": seconds(lambda: storage.save(path, network, document)),
        "inspect": seconds(lambda: packnet("inspect", path)),
        "step": seconds(step(network)),  # last: it changes the weights
    }


def step(network: PackedNetwork) -> Callable[[], None]:
    """One training step of the newest task."""
    optimizer = guarded(network, torch.optim.SGD, {"lr": 1e-4, "momentum": 0.9, "weight_decay": 1e-4})
    images, labels = torch.randn(1, 3, 64, 64, device=network.device), torch.zeros(1, device=network.device).long()
    return stepping(network, optimizer, images, labels)


def rows(device: torch.device) -> Iterator[tuple[dict, list[str]]]:
    for arch, tasks in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            row = costs(arch, tasks, Path(folder), device)
        yield row, [arch, f"{row['weights'] / 1e6:.1f} M", str(tasks), *(f"{row[what]:.3f}" for what in WHAT)]


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Two plots: against tasks in ResNet-50, and against weights with four tasks."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    by_tasks = sorted((r for r in rows if r["arch"] == "resnet50"), key=lambda r: r["tasks"])
    by_weights = sorted((r for r in rows if r["tasks"] == 4), key=lambda r: r["weights"])
    for axis, some, along, title in (
        (axes[0], by_tasks, "tasks", "tasks in ResNet-50"),
        (axes[1], by_weights, "weights", "weights, with four tasks"),
    ):
        for what in WHAT:
            axis.plot([r[along] for r in some], [r[what] for r in some], marker="o", label=what)
        axis.set(xlabel=title, xscale="log", yscale="log")
        axis.grid(alpha=0.3)
    axes[0].set(ylabel="seconds", xticks=[1, 4, 16], xticklabels=["1", "4", "16"])
    axes[0].minorticks_off()
    axes[1].legend(frameon=False)
    figure.savefig(path)
