"""What a job gains by keeping freed memory: `python -m tests.benchmarks --kept`.

The loop of a job with half of the weights sealed, against torch's own on all of them, both SGD with momentum. Each run
is its own process, in turn, because glibc's settings can't be undone. `python -m tests.benchmarks.kept LOOP ARCH`
is one run: it prints the median seconds of a step and of an evaluation's batch, and its peak memory in bytes.
"""

import statistics
import sys
from collections.abc import Iterator
from contextlib import nullcontext

import torch

from packnet_core.training import memory
from tests.benchmarks.made_networks import OPTIMIZERS, guarded, second_task, stepping, trained
from tests.benchmarks.measure import medians, peak_bytes, printed

NETWORKS = {"cifar_resnet20": (32, 32), "resnet50": (4, 224), "vgg16": (4, 64), "vit_b_16": (1, 224)}  # batch, size
LOOPS = ("job", "job, memory not kept", "torch")
TITLES = ("network", "step", "memory not kept", "torch's loop", "evaluation", "memory not kept", "peak GB", "not kept",
          "torch")  # fmt: skip
STEPS, EVALUATIONS, PROCESSES = 7, 3, 3


def rows(device: torch.device) -> Iterator[tuple[dict, list[str]]]:
    for arch, (batch, size) in NETWORKS.items():
        found: dict[str, list[list[float]]] = {loop: [] for loop in LOOPS}
        for _ in range(PROCESSES):
            for loop in LOOPS:
                found[loop].append(printed("kept", loop, arch))
        steps, evaluations, peaks = (
            [statistics.median(run[part] for run in found[loop]) for loop in LOOPS] for part in range(3)
        )
        cells = [f"{arch}, batch {batch}, {size} px", f"{steps[0]:.3f} s", *(f"{steps[0] / s:.2f}" for s in steps[1:])]
        cells += [f"{evaluations[0]:.3f} s", f"{evaluations[0] / evaluations[1]:.2f}"]
        cells += [f"{peak / 1e9:.2f}" for peak in peaks]
        yield {"arch": arch, "batch": batch, "size": size, "loops": LOOPS, "runs": found}, cells


def one(loop: str, arch: str) -> None:
    batch, size = NETWORKS[arch]
    device = torch.device("cpu")
    network = second_task(arch, 0.5, device)
    kind, settings = OPTIMIZERS["sgd"]
    optimizer = kind(trained(network), **settings) if loop == "torch" else guarded(network, kind, settings)
    images, labels = torch.randn(batch, 3, size, size), torch.zeros(batch).long()
    many = torch.randn(4 * batch, 3, size, size)

    def evaluation() -> None:
        with torch.inference_mode():
            network.model(many)

    with memory.kept() if loop == "job" else nullcontext():
        (step,) = medians([stepping(network, optimizer, images, labels)], STEPS, device, warmups=2)
        (batches,) = medians([evaluation], EVALUATIONS, device, warmups=2)
    print(step, batches, peak_bytes())


if __name__ == "__main__":
    one(*sys.argv[1:])
