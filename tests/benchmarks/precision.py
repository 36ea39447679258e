"""What bf16, channels-last and torch.compile give: `python -m tests.benchmarks --precision [--device cuda]`.

Forward and backward of a batch, as `training.Run` does them; the time as a ratio to float32 in the usual format, not
compiled: medians of five in turn. Compiled is the network without its head, so that heads of other sizes compile
nothing anew; the table says how often it was compiled when two tasks were looked at twice in turn.
"""

import itertools
import statistics
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.nn import functional as F

from packnet_core.network.packed import PackedNetwork
from tests.benchmarks.networks import second_task

NETWORKS = {"cifar_resnet20": (32, 32), "resnet50": (4, 64), "vgg16": (4, 64), "vit_b_16": (1, 224)}  # batch, size
ON_A_GPU = {"cifar_resnet20": (128, 32), "resnet50": (32, 224), "vgg16": (32, 224), "vit_b_16": (32, 224)}
WAYS = [(*way, False) for way in itertools.product((False, True), (False, True))]  # bf16, channels-last, compiled
WAYS += [(False, False, True), (True, True, True)]
ROUNDS = 5


def main(device: torch.device, threads: int) -> Iterator[dict]:
    names = [
        " + ".join(n for n, on in zip(("bf16", "channels-last", "compiled"), way, strict=True) if on) for way in WAYS
    ]
    heads = ["network", "float32", *names[1:], "s to compile", "compiled for two tasks"]
    print("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|")
    for arch, (batch, size) in (ON_A_GPU if device.type == "cuda" else NETWORKS).items():
        found = row(arch, batch, size, device)
        medians = found["medians"]
        shown = [f"{medians[0]:.3f} s", *(f"{m / medians[0]:.2f}" for m in medians[1:])]
        print(f"| {arch}, batch {batch}, {size} px | " + " | ".join(shown) + f" | {found['compiling']:.0f} | "
              f"{found['compiled']} |", flush=True)  # fmt: skip
        yield found


def row(arch: str, batch: int, size: int, device: torch.device) -> dict:
    torch.compiler.reset()
    network = second_task(arch, 0.5, device)
    network.train_mode()
    trunk, head = without_head(network), network.heads[-1]
    compiled = torch.compile(trunk)
    images = torch.randn(batch, 3, size, size, device=device)
    labels = torch.zeros(batch, device=device).long()

    def step(lower: bool, last: bool, fast: bool) -> float:
        begun = time.perf_counter()
        given = images.contiguous(memory_format=torch.channels_last) if last else images
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=lower):
            loss = F.cross_entropy(head((compiled if fast else trunk)(given)), labels)
        loss.backward()
        loss.item()
        for parameter in trunk.parameters():
            parameter.grad = None
        return time.perf_counter() - begun

    first = {way: step(*way) for way in WAYS}  # compiles
    times: dict[tuple[bool, bool, bool], list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way in WAYS:
            times[way].append(step(*way))
    medians = [statistics.median(times[way]) for way in WAYS]
    compiling = first[False, False, True] - medians[WAYS.index((False, False, True))]
    return {"arch": arch, "batch": batch, "size": size, "ways": WAYS, "medians": medians, "compiling": compiling,
            "compiled": switched(network, images)}  # fmt: skip


NOTHING = nn.Identity()


def without_head(network: PackedNetwork) -> nn.Module:
    network.model.set_submodule(network.head, NOTHING)
    return network.model


def switched(network: PackedNetwork, images: Tensor) -> int:
    """How often the network is compiled while two tasks are looked at, twice in turn."""
    torch.compiler.reset()
    counters.clear()
    compiled = torch.compile(without_head(network))
    for task in (1, 2, 1, 2):
        with network.viewing(task), torch.inference_mode():
            without_head(network)  # the view has put the task's in
            network.heads[task - 1](compiled(images))
    return int(counters["stats"]["unique_graphs"])
