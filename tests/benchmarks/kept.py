"""What a job gains by keeping freed memory: `python -m tests.benchmarks --kept`.

The loop of a job, with half of the weights sealed, against torch's own on all of them, both with SGD and momentum, in
processes of their own, in turn: glibc can't be told to forget what it was told. `python -m tests.benchmarks.kept LOOP
ARCH` is one such process: the median seconds of a step and of an evaluation's batch, and the most memory it had.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch

from packnet_core.training import memory
from tests.benchmarks.machine import peak_bytes
from tests.benchmarks.networks import OPTIMIZERS, guarded, second_task, stepping, trained

NETWORKS = {"cifar_resnet20": (32, 32), "resnet50": (4, 224), "vgg16": (4, 64), "vit_b_16": (1, 224)}  # batch, size
LOOPS = ("job", "job, memory not kept", "torch")
STEPS, EVALUATIONS, PROCESSES = 7, 3, 3


def main(device: torch.device, threads: int) -> Iterator[dict]:
    heads = ["network", "step", "memory not kept", "torch's loop", "evaluation", "memory not kept"]
    print("| " + " | ".join([*heads, "peak GB", "not kept", "torch"]) + " |")
    print("| --- " * 9 + "|")
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    for arch, (batch, size) in NETWORKS.items():
        found: dict[str, list[list[float]]] = {loop: [] for loop in LOOPS}
        for _ in range(PROCESSES):
            for loop in LOOPS:
                command = [sys.executable, "-m", "tests.benchmarks.kept", loop, arch]
                run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                found[loop].append([float(number) for number in run.stdout.split()])
        steps, evaluations, peaks = (
            [statistics.median(run[part] for run in found[loop]) for loop in LOOPS] for part in range(3)
        )
        shown = [f"{steps[0]:.3f} s", *(f"{steps[0] / s:.2f}" for s in steps[1:])]
        shown += [
            f"{evaluations[0]:.3f} s",
            f"{evaluations[0] / evaluations[1]:.2f}",
            *(f"{p / 1e9:.2f}" for p in peaks),
        ]
        print(f"| {arch}, batch {batch}, {size} px | " + " | ".join(shown) + " |", flush=True)
        yield {"arch": arch, "batch": batch, "size": size, "loops": LOOPS, "runs": found}


def one(loop: str, arch: str) -> None:
    batch, size = NETWORKS[arch]
    network = second_task(arch, 0.5, torch.device("cpu"))
    kind, settings = OPTIMIZERS["sgd"]
    optimizer = kind(trained(network), **settings) if loop == "torch" else guarded(network, kind, settings)
    images, labels = torch.randn(batch, 3, size, size), torch.zeros(batch).long()
    many = torch.randn(4 * batch, 3, size, size)

    def evaluation() -> None:
        with torch.inference_mode():
            network.model(many)

    with memory.kept() if loop == "job" else nullcontext():
        times = [seconds(stepping(network, optimizer, images, labels), STEPS), seconds(evaluation, EVALUATIONS)]
    print(*times, peak_bytes())


def seconds(work: Callable[[], None], rounds: int) -> float:
    found = []
    for _ in range(rounds + 2):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return statistics.median(found[2:])


if __name__ == "__main__":
    one(*sys.argv[1:])
