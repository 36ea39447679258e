"""The optimizer's step alone, without forward and backward: `python -m tests.benchmarks --step [--device cuda]`.

The guarded step, torch's default and torch's fused one in turn on the same gradients: medians of nine, in milliseconds.
"""

import statistics
import time
from collections.abc import Iterator

import torch

from packnet_core.training.guarded_optimizer import GuardedOptimizer
from tests.benchmarks.networks import OPTIMIZERS, guarded, second_task, trained

ROUNDS = 9


def main(device: torch.device, threads: int) -> Iterator[dict]:
    print("| network | sealed | optimizer | guarded | torch's default | fused |\n" + "| --- " * 6 + "|")
    for arch in ("vgg16", "resnet50", "vit_b_16"):
        for sealed in (0, 50, 90):
            network = second_task(arch, sealed / 100, device)
            everything = trained(network)
            for parameter in everything:
                parameter.grad = torch.randn_like(parameter) * 1e-3
            for name, (kind, settings) in OPTIMIZERS.items():
                ours = guarded(network, kind, settings)
                default, fused = kind(everything, **settings), kind(everything, **settings, fused=True)
                times: list[list[float]] = [[], [], []]
                for _ in range(ROUNDS + 1):
                    for optimizer, taken in zip((ours, default, fused), times, strict=True):
                        taken.append(milliseconds(optimizer, device))
                medians = [statistics.median(taken[1:]) for taken in times]
                shown = " | ".join(f"{median:.1f}" for median in medians)
                print(f"| {arch} | {sealed} % | {name} | {shown} |", flush=True)
                yield {"arch": arch, "sealed": sealed, "optimizer": name, "medians": medians}


def milliseconds(optimizer: GuardedOptimizer | torch.optim.Optimizer, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    begun = time.perf_counter()
    optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - begun)
