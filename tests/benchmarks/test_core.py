"""The core's cases: training steps, pruning, switching tasks, loading, saving, file size."""

import gc
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from packnet_core.network import architectures, owners
from packnet_core.network.packed import PackedNetwork
from packnet_core.network.pruning import find_threshold
from packnet_core.packfile import storage
from packnet_core.packfile.header import read_header
from tests.benchmarks.made_networks import OPTIMIZERS, guarded, second_task, stepping, trained


@pytest.fixture(scope="module", autouse=True)
def free_memory():
    yield
    gc.collect()


@pytest.fixture(scope="module")
def vgg(device) -> PackedNetwork:
    """A second task open on half of the weights."""
    return second_task("vgg16", 0.5, device)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("sealed", [0, 50, 90])
@pytest.mark.parametrize("arch", ["vgg16", "resnet50", "vit_b_16"])
def test_training_step(compare, device, arch, sealed, optimizer):
    """Against the same optimizer on all weights: torch's default, and its fused one."""
    kind, settings = OPTIMIZERS[optimizer]
    network = second_task(arch, sealed / 100, device)
    batch, size = (1, 224) if arch == "vit_b_16" else (4, 64)
    images = torch.randn(batch, 3, size, size, device=device)
    labels = torch.randint(0, 10, (batch,), device=device)
    everything, ours = trained(network), guarded(network, kind, settings)
    plain, fused = kind(everything, **settings), kind(everything, **settings, fused=True)
    once, plainly, at_once = (stepping(network, o, images, labels) for o in (ours, plain, fused))
    compare(once, plainly, also={"fused": (at_once, 1.20, 1.05)}, bar=1.05, aim=1.0, rounds=7)


def test_prune_vgg16_at_half(compare, vgg):
    names = list(vgg.weights)

    def subject():
        for name in names:
            find_threshold(vgg.weights[name].data, vgg.owners[name], 1, 0.5, name)

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


def test_switch_to_a_task_that_is_ready_vgg16(compare, vgg):
    """A task that was used before and is kept, within the memory budget."""
    vgg.ready_bytes = sum(weight.nbytes for weight in vgg.weights.values())

    def subject():
        with vgg.viewing(1):
            pass

    def yardstick():
        for weight in vgg.weights.values():
            weight.data.clone()

    compare(subject, yardstick, rounds=3)
    vgg.ready_bytes = 0


def test_cold_evaluation_vgg16_four_tasks(compare, file):
    """From the file to the first answer of an old task, against a plain network's from its own file."""
    image = torch.randn(1, 3, 224, 224)
    plain = file.with_name("plain.safetensors")
    save_file({name: t for name, t in load_file(file).items() if not name.startswith("packnet.")}, plain)

    def subject():
        network, _ = storage.load(file)
        with network.viewing(1) as model, torch.inference_mode():
            return model(image)

    def yardstick():
        model = architectures.build("vgg16", channels=3, initialise=False)
        model.load_state_dict(load_file(plain), strict=False)
        with torch.inference_mode():
            return model.eval()(image)

    compare(subject, yardstick, bar=1.3, aim=1.1, rounds=5)


def test_load_vgg16_four_tasks(compare, device, file):
    def yardstick():
        return [tensor.to(device, copy=True) for tensor in load_file(file).values()]

    compare(lambda: storage.load(file, device), yardstick, bar=1.3, aim=1.0, rounds=5)


def test_save_vgg16_four_tasks(compare, file):
    network, document = storage.load(file)
    plain = load_file(file)
    other = file.with_name("plain.safetensors")

    def yardstick():
        save_file(plain, other)
        with open(other, "rb") as written:  # ours is on the disk when it returns, so this must be
            os.fsync(written.fileno())

    compare(lambda: storage.save(file, network, document), yardstick, bar=2.0, aim=1.3, rounds=9)


def test_file_size_vgg16_four_tasks(note, file):
    sizes = read_header(file).bytes_by_kind()
    note(sizes["file"] / (sizes["network"] + sizes["heads"]), bar=1.0626)
