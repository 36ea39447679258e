"""What bf16, channels-last and torch.compile gain: `python -m tests.benchmarks --precision [--device cuda]`.

Forward and backward of a batch as in training; the time as a ratio to float32 in the usual memory format, not compiled:
medians of five in turn. The network is compiled without its head, so that a head of another size does not compile it
again; the last column is how often it was compiled when two tasks were viewed twice in turn.
"""

import itertools
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.nn import functional as F

from packnet_core.network.packed import PackedNetwork
from tests.benchmarks.made_networks import second_task
from tests.benchmarks.measure import medians, seconds

NETWORKS = {"cifar_resnet20": (32, 32), "resnet50": (4, 64), "vgg16": (4, 64), "vit_b_16": (1, 224)}  # batch, size
ON_A_GPU = {"cifar_resnet20": (128, 32), "resnet50": (32, 224), "vgg16": (32, 224), "vit_b_16": (32, 224)}
WAYS = [(*way, False) for way in itertools.product((False, True), (False, True))]  # bf16, channels-last, compiled
WAYS += [(False, False, True), (True, True, True)]
NAMES = [" + ".join(itertools.compress(("bf16", "channels-last", "compiled"), way)) or "float32" for way in WAYS]
TITLES = ("network", *NAMES, "s to compile", "compiled for two tasks")
ROUNDS = 5


def rows(device: torch.device) -> Iterator[tuple[dict, list[str]]]:
    for arch, (batch, size) in (ON_A_GPU if device.type == "cuda" else NETWORKS).items():
        found = row(arch, batch, size, device)
        plain, *others = found["medians"]
        yield found, [f"{arch}, batch {batch}, {size} px", f"{plain:.3f} s", *(f"{m / plain:.2f}" for m in others),
                      f"{found['compiling']:.0f}", str(found["compiled"])]  # fmt: skip


def row(arch: str, batch: int, size: int, device: torch.device) -> dict:
    torch.compiler.reset()
    network = second_task(arch, 0.5, device)
    network.train_mode()
    trunk, head = without_head(network), network.heads[-1]
    compiled = torch.compile(trunk)
    images = torch.randn(batch, 3, size, size, device=device)
    labels = torch.zeros(batch, device=device).long()

    def step(lower: bool, last: bool, fast: bool) -> None:
        given = images.contiguous(memory_format=torch.channels_last) if last else images
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=lower):
            loss = F.cross_entropy(head((compiled if fast else trunk)(given)), labels)
        loss.backward()
        loss.item()
        for parameter in trunk.parameters():
            parameter.grad = None

    steps = [partial(step, *way) for way in WAYS]
    first = [seconds(work, device) for work in steps]  # compiles
    usual = medians(steps, ROUNDS, device, warmups=0)
    compiled_alone = WAYS.index((False, False, True))
    return {"arch": arch, "batch": batch, "size": size, "ways": WAYS, "medians": usual,
            "compiling": first[compiled_alone] - usual[compiled_alone],
            "compiled": switched(network, images)}  # fmt: skip


NOTHING = nn.Identity()


def without_head(network: PackedNetwork) -> nn.Module:
    network.model.set_submodule(network.head, NOTHING)
    return network.model


def switched(network: PackedNetwork, images: Tensor) -> int:
    """How often the network is compiled while two tasks are viewed, twice in turn."""
    torch.compiler.reset()
    counters.clear()
    compiled = torch.compile(without_head(network))
    for task in (1, 2, 1, 2):
        with network.viewing(task), torch.inference_mode():
            without_head(network)  # the view has put the task's head in
            network.heads[task - 1](compiled(images))
    return int(counters["stats"]["unique_graphs"])
