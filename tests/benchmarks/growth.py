"""How costs grow: `python -m tests.benchmarks.growth OUT.json` prints a table and writes it.

A training step, pruning, saving and `inspect` with 1, 4 and 16 tasks in ResNet-50, and with 4 tasks in networks of 0.9,
23.5 and 134 million weights. Processor seconds, median of three; the step at a batch of one, 64 px.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from torch.nn import functional as F

from packnet_core.guard import GuardedOptimizer
from packnet_core.network import PackedNetwork
from packnet_core.packfile import storage
from packnet_core.pruning import find_cut
from tests.benchmarks.machine import machine
from tests.benchmarks.networks import packed

PLACES = [("resnet50", 1), ("resnet50", 4), ("resnet50", 16), ("cifar_resnet56", 4), ("vgg16", 4)]
INSPECT = "import sys; from packnet_tui.cli import packnet; sys.argv[0] = 'packnet'; packnet()"


def seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        begun = time.process_time() + _children()
        work()
        times.append(time.process_time() + _children() - begun)
    return statistics.median(times)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def costs(arch: str, tasks: int, folder: Path) -> dict[str, float | int | str]:
    network, document = packed(arch, tasks=tasks, size=64)
    path = folder / f"{arch}.safetensors"
    storage.save(path, network, document)
    names = list(network.weights)
    inspect = [sys.executable, "-c", INSPECT, "inspect", str(path)]
    return {
        "arch": arch,
        "tasks": tasks,
        "weights": sum(weight.numel() for weight in network.weights.values()),
        "prune": seconds(lambda: [find_cut(network.weights[n].data, network.owners[n], tasks, 0.5, n) for n in names]),
        "save": seconds(lambda: storage.save(path, network, document)),
        "inspect": seconds(lambda: subprocess.run(inspect, check=True, stdout=subprocess.DEVNULL)),
        "step": seconds(step(network)),  # last: it changes the weights
    }


def step(network: PackedNetwork) -> Callable[[], None]:
    """Of the newest task, beside those before it."""
    others = network.train_mode()
    pairs = [(weight, network.owners[name]) for name, weight in network.weights.items()]
    guarded = GuardedOptimizer(
        lambda p: torch.optim.SGD(p, lr=1e-4, momentum=0.9, weight_decay=1e-4, fused=True), pairs, others, network.open
    )

    def once() -> None:
        guarded.zero_grad()
        F.cross_entropy(network.model(torch.randn(1, 3, 64, 64)), torch.zeros(1).long()).backward()
        guarded.step()

    return once


def main(out: Path) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for arch, tasks in PLACES:
            rows.append(costs(arch, tasks, Path(folder)))
            shown = " | ".join(f"{rows[-1][what]:.3f}" for what in ("step", "prune", "save", "inspect"))
            print(f"| {arch} | {rows[-1]['weights'] / 1e6:.1f} M | {tasks} | {shown} |", flush=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine(), "rows": rows})) + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
