"""The optimizer's step alone, without forward and backward: `python -m tests.benchmarks --step [--device cuda]`.

The guarded step, torch's default and its fused one, in turn on the same gradients: medians of nine, in milliseconds.
"""

from collections.abc import Iterator

import torch

from tests.benchmarks.made_networks import OPTIMIZERS, guarded, second_task, trained
from tests.benchmarks.measure import medians

TITLES = ("network", "sealed", "optimizer", "guarded", "torch's default", "fused")
ROUNDS = 9


def rows(device: torch.device) -> Iterator[tuple[dict, list[str]]]:
    for arch in ("vgg16", "resnet50", "vit_b_16"):
        for sealed in (0, 50, 90):
            network = second_task(arch, sealed / 100, device)
            everything = trained(network)
            for parameter in everything:
                parameter.grad = torch.randn_like(parameter) * 1e-3
            for name, (kind, settings) in OPTIMIZERS.items():
                ours = guarded(network, kind, settings)
                default, fused = kind(everything, **settings), kind(everything, **settings, fused=True)
                taken = [1000 * s for s in medians([ours.step, default.step, fused.step], ROUNDS, device)]
                row = {"arch": arch, "sealed": sealed, "optimizer": name, "medians": taken}
                yield row, [arch, f"{sealed} %", name, *(f"{median:.1f}" for median in taken)]
