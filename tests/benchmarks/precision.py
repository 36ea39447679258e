"""What bf16 and channels-last give a training step: `python -m tests.benchmarks.precision [ARCH ...]` prints a table.

Forward and backward of a batch, as `training.Run` does them, as a ratio to float32 in the usual format; processor time
on a CPU, median of three.
"""

import itertools
import statistics
import sys
import time

import torch
from torch.nn import functional as F

from packnet_core import architectures

NETWORKS = {"cifar_resnet20": (32, 32), "resnet50": (4, 64), "vgg16": (4, 64), "vit_b_16": (1, 224)}  # batch, size


def row(arch: str) -> str:
    batch, size = NETWORKS[arch]
    model = architectures.build(arch, channels=3)
    images, labels = torch.randn(batch, 3, size, size), torch.zeros(batch).long()
    ways = list(itertools.product((False, True), (False, True)))
    times: dict[tuple[bool, bool], list[float]] = {way: [] for way in ways}
    for _ in range(4):
        for lower, last in ways:
            begun = time.process_time()
            given = images.contiguous(memory_format=torch.channels_last) if last else images
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=lower):
                loss = F.cross_entropy(model(given), labels)
            loss.backward()
            times[lower, last].append(time.process_time() - begun)
    medians = [statistics.median(times[way][1:]) for way in ways]
    return f"| {arch} | {medians[0]:.3f} s | " + " | ".join(f"{m / medians[0]:.2f}" for m in medians[1:]) + " |"


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("| network | float32 | channels-last | bf16 | both |\n| --- | --- | --- | --- | --- |")
    for name in sys.argv[1:] or NETWORKS:
        print(row(name), flush=True)
