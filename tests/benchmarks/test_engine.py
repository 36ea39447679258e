"""The rows of the design's §10 that the core is measured by."""

import gc
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from packnet_core import owners
from packnet_core.guard import GuardedOptimizer
from packnet_core.network import PackedNetwork
from packnet_core.packfile import storage
from packnet_core.packfile.header import read_header
from packnet_core.pruning import find_cut
from tests.benchmarks.networks import packed


@pytest.fixture(scope="module", autouse=True)
def free_memory():
    yield
    gc.collect()


@pytest.fixture(scope="module")
def vgg() -> PackedNetwork:
    """One task pruned by half, a second one open on the other half."""
    network, _ = packed("vgg16", tasks=1, size=64)
    network.open_task(10)
    return network


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    network, document = packed("vgg16")
    storage.save(path, network, document)
    return path


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9)


def sgd_decay(parameters):
    return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, weight_decay=1e-4, fused=True)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-4, fused=True)


@pytest.mark.parametrize("make", [sgd_decay, adamw])
@pytest.mark.parametrize("arch", ["vgg16", "resnet50"])
def test_training_step(compare, arch, make):
    network, _ = packed(arch, tasks=1, size=64)
    network.open_task(10)
    images, labels = torch.randn(4, 3, 64, 64), torch.randint(0, 10, (4,))
    others = network.train_mode()
    pairs = [(weight, network.owners[name]) for name, weight in network.weights.items()]
    guarded = GuardedOptimizer(make, pairs, others, network.open)
    plain = (sgd if make is sgd_decay else torch.optim.AdamW)([*network.weights.values(), *others])

    def forward_backward():
        torch.nn.functional.cross_entropy(network.model(images), labels).backward()

    def subject():
        guarded.zero_grad()
        forward_backward()
        guarded.step()

    def yardstick():
        plain.zero_grad()
        forward_backward()
        plain.step()

    compare(subject, yardstick, bar=1.07, aim=1.0, rounds=7)


def test_prune_vgg16_at_half(compare, vgg):
    names = list(vgg.weights)

    def subject():
        for name in names:
            find_cut(vgg.weights[name].data, vgg.owners[name], 1, 0.5, name)

    def yardstick():
        for name in names:
            magnitudes = vgg.weights[name].data.abs().view(-1)
            magnitudes.kthvalue(round(0.5 * magnitudes.numel()))

    compare(subject, yardstick, bar=1 / 10, aim=1 / 25, rounds=2)


def test_switch_task_vgg16(compare, vgg):
    def subject():
        for name, weight in vgg.weights.items():
            owners.masked(weight.data, vgg.owners[name], 1)

    def yardstick():
        for weight in vgg.weights.values():
            weight.data.clone()

    compare(subject, yardstick, bar=2.0, aim=1.3)


def test_load_vgg16_four_tasks(compare, file):
    def yardstick():
        return [tensor.clone() for tensor in load_file(file).values()]

    compare(lambda: storage.load(file), yardstick, bar=1.5, aim=1.15, rounds=3)


def test_save_vgg16_four_tasks(compare, file):
    network, document = storage.load(file)
    plain = load_file(file)
    other = file.with_name("plain.safetensors")

    def yardstick():
        save_file(plain, other)
        with open(other, "rb") as written:  # ours is on the disk when it returns, so must this be
            os.fsync(written.fileno())

    compare(lambda: storage.save(file, network, document), yardstick, bar=2.0, aim=1.3, rounds=3)


def test_file_size_vgg16_four_tasks(note, file):
    sizes = read_header(file).bytes_by_kind()
    note(sizes["file"] / (sizes["network"] + sizes["heads"]), bar=1.0626)
