"""What must also hold on a GPU. Skipped without one; with one they need only the core and pytest."""

import numpy as np
import pytest
import torch
from torch import nn

from packnet_core.data.images import Images
from packnet_core.network import architectures, pruning
from packnet_core.network.owners import bits
from packnet_core.network.packed import PackedNetwork
from packnet_core.packfile import storage
from packnet_core.schema.document import Input
from packnet_core.training import guarded_optimizer
from packnet_core.training.guarded_optimizer import GuardedOptimizer, kind_of_decay
from tests.worlds import pack_file

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
CUDA = torch.device("cuda")
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
    "sgd, decay": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, fused=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1, fused=True),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("large", [False, True])
def test_only_the_open_tasks_weights_move(make, share, large, monkeypatch):
    """In the step, or for a large layer during backward, which has its own thread on a GPU."""
    monkeypatch.setattr(guarded_optimizer, "LARGE", 1 if large else 1 << 30)
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(300, 700, device=CUDA))
    owner = (torch.rand(300, 700, device=CUDA) < share).to(torch.uint8) + 1
    before = weight.detach().clone()
    guarded = GuardedOptimizer(make, [(weight, owner)], [], task=2)
    for _ in range(5):
        guarded.zero_grad()
        with guarded.step_in_backward():
            (weight * torch.randn_like(weight)).sum().backward()
        assert (weight.grad is None) == large
        guarded.step()
    assert torch.equal(bits(weight.data)[owner != 2], bits(before)[owner != 2])
    assert bool((weight.data != before)[owner == 2].all())


def test_the_kind_of_weight_decay_is_found_by_a_trial():
    assert kind_of_decay(OPTIMIZERS["sgd"], CUDA) == "none"
    assert kind_of_decay(OPTIMIZERS["adamw"], CUDA)  # None would mean that bits must be restored


@pytest.mark.parametrize("ratio", [0.0, 0.31, 0.5, 0.75, 1.0])
def test_pruning_cuts_the_same_weights_as_on_the_cpu(ratio):
    weight = (torch.randn(513, 257) * 100).round() / 100  # with ties
    owner = torch.randint(1, 3, weight.shape, dtype=torch.uint8)
    found = []
    for device in ("cpu", "cuda"):
        w, o = weight.to(device, copy=True), owner.to(device, copy=True)
        pruning.free_below(w, o, 2, pruning.find_threshold(w, o, 2, ratio, "w"))
        found.append((w.cpu(), o.cpu()))
    assert torch.equal(bits(found[0][0]), bits(found[1][0]))
    assert torch.equal(found[0][1], found[1][1])


def test_batches_are_the_same_as_on_the_cpu():
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (50, 3, 10, 10)).astype(np.uint8))
    given = Input(channels=3, size=8, mean=(0.5,) * 3, std=(0.25,) * 3)
    images = Images(pixels, torch.arange(50), torch.arange(50) % 7, given, flip=True)
    runs = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        runs.append(list(images.batches(8, device, generator=torch.Generator().manual_seed(2), augment=True)))
    for (a, b), (c, d) in zip(*runs, strict=True):
        assert torch.allclose(a, c.cpu(), atol=1e-6)
        assert torch.equal(b, d.cpu())


def test_a_file_loaded_to_the_gpu_is_saved_with_the_same_bytes(tmp_path):
    path = pack_file(tmp_path / "net.safetensors", "cifar_resnet20", size=32, channels=3)
    before = path.read_bytes()
    network, document = storage.load(path, "cuda")
    assert all(
        tensor.is_cuda for tensor in (*network.weights.values(), *network.owners.values(), *network.rest.values())
    )
    storage.save(path, network, document)
    assert path.read_bytes() == before


def test_an_old_task_answers_the_same_after_a_new_one_was_trained():
    torch.manual_seed(0)
    model = architectures.build("cifar_resnet20", channels=3)
    network = PackedNetwork(model, architectures.find_head(model))
    network.to(CUDA)
    network.open_task(3)
    network.prune(dict.fromkeys(network.weights, 0.5))
    network.end_phase()
    images = torch.randn(4, 3, 32, 32, device=CUDA)
    with network.viewing(1) as first, torch.inference_mode():
        before = first(images)
    network.open_task(5)
    others = network.train_mode()
    pairs = [(weight, network.owners[name]) for name, weight in network.weights.items()]
    guarded = GuardedOptimizer(OPTIMIZERS["adamw"], pairs, others, network.open)
    for _ in range(3):
        guarded.zero_grad()
        nn.functional.cross_entropy(network.model(images), torch.arange(4, device=CUDA)).backward()
        guarded.step()
    with network.viewing(1) as first, torch.inference_mode():
        assert torch.equal(first(images), before)
