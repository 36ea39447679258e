"""Law 1 end to end: three tasks in sequence, and the sealed ones exactly as they were, tensors and answers."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file

from packnet_core.network import architectures
from packnet_core.packfile.export import export
from packnet_core.packfile.header import read_header
from packnet_core.packfile.storage import load
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Evaluate, Prune, Train
from packnet_core.schema.document import Error
from packnet_core.schema.events import Evaluated, Occupancy
from packnet_core.schema.recipes import Recipe
from tests.worlds import QUICK, add, images, pack_file, work

OPTIMIZERS = {
    "sgd with weight decay": replace(QUICK, weight_decay=0.01),
    "adamw": replace(QUICK, optimizer="adamw", lr=0.003, weight_decay=0.1),
}
NETWORKS = ["vgg", "vgg_bn", "resnet", "densenet", "convnext", "efficientnet", "mobilenet", "vit"]
MORE = ["swin", "swin_v2", "maxvit"]
FULL_SIZE = ["vgg16", "vgg16_bn", "resnet50", "densenet121"]
TWO_STEPS = Recipe(optimizer="adamw", lr=0.0001, epochs=1, retrain_epochs=1, batch_size=3, weight_decay=0.05)


@dataclass
class Seen:
    exported: bytes
    answers: torch.Tensor
    digest: str
    error: Error


def look(path: Path, task: str, index: int) -> Seen:
    """A task as it is exported, as it answers, and as it is evaluated."""
    out = path.with_name(f"{task}-out.safetensors")
    out.unlink(missing_ok=True)
    export(path, task, out)
    network, document = load(path)
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with network.viewing(index) as model, torch.inference_mode():
        answers = model(x)
    (error,) = [e.event.error for e in work(path, Evaluate(tasks=(task,))) if isinstance(e.event, Evaluated)]
    return Seen(out.read_bytes(), answers, document.tasks[index - 1].digest, error)


def left_by_pruning(path: Path, index: int, ratio: float) -> dict[str, int]:
    """What the open task will own of each layer: `round(ratio · n)` of its n weights go, or all zeros if those are
    more."""
    network, _ = load(path)
    left = {}
    for name, weight in network.weights.items():
        own = weight.detach()[network.owners[name] == index]
        left[name] = len(own) - max(round(ratio * len(own)), int((own == 0).sum()))
    return left


def live(path: Path, recipe: Recipe, train: int, test: int) -> None:
    """Three tasks, each trained, pruned, retrained and evaluated; after each step all before it are as they were."""
    before: dict[str, Seen] = {}
    for index, name in enumerate(["one", "two", "three"], 1):
        classes = index + 1
        data = images(
            path.with_name(f"{name}.npz"), classes=classes, train=train, test=test, size=32, channels=3, seed=index
        )
        # so short a training may be no better than chance
        work(path, add(name, data, recipe=recipe, prune=None, yes=True))
        left = left_by_pruning(path, index, 0.5)
        entries = work(path, Prune(ratio=0.5))
        counts = next(e.event.layers for e in entries if isinstance(e.event, Occupancy))
        assert {layer: owned[index - 1] for layer, owned in counts.items()} == left
        for old_index, (old, seen) in enumerate(before.items(), 1):
            now = look(path, old, old_index)
            assert now.exported == seen.exported
            assert torch.equal(now.answers.view(torch.int32), seen.answers.view(torch.int32))
            assert (now.digest, now.error) == (seen.digest, seen.error)
        before[name] = look(path, name, index)
    assert all(checked.ok for checked in verify(path))
    document = read_header(path).document
    assert [task.phase for task in document.tasks] == ["sealed", "sealed", "retrained"]
    for layer in document.layers:
        assert len(layer.owned) == 3
        assert layer.owned[0] == layer.weights - round(0.5 * layer.weights)
        assert layer.free > 0


@pytest.mark.parametrize(
    ("arch", "optimizer"),
    [*((arch, optimizer) for arch in NETWORKS for optimizer in OPTIMIZERS), *((arch, "adamw") for arch in MORE)],
)
def test_sealed_tasks_stay_byte_for_byte(tmp_path, arch, optimizer):
    path = pack_file(tmp_path / "net.safetensors", f"tests.networks:{arch}", 32, 3)
    live(path, OPTIMIZERS[optimizer], train=60, test=30)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("arch", FULL_SIZE)
def test_the_papers_networks_live_through_three_tasks_at_full_width(tmp_path, arch):
    live(pack_file(tmp_path / "net.safetensors", arch, 32, 3), TWO_STEPS, train=6, test=4)


def test_the_open_task_may_still_change(tmp_path):
    path = pack_file(tmp_path / "net.safetensors", "tests.networks:densenet", 32, 3)
    for index, name in enumerate(["one", "two"], 1):
        work(path, add(name, images(tmp_path / f"{name}.npz", size=32, channels=3, seed=index), yes=True))
    one, two = look(path, "one", 1), look(path, "two", 2)
    work(path, Train(recipe={"epochs": 1}))
    assert look(path, "one", 1).exported == one.exported
    assert look(path, "two", 2).exported != two.exported


@pytest.mark.parametrize("arch", ["resnet", "vit"])
def test_an_export_is_a_plain_state_dict_of_that_task_alone(tmp_path, arch):
    path = pack_file(tmp_path / "net.safetensors", f"tests.networks:{arch}", 32, 3)
    for index, name in enumerate(["one", "two"], 1):
        data = images(tmp_path / f"{name}.npz", classes=4, size=32, channels=3, seed=index)
        work(path, add(name, data, yes=True))
    export(path, "one", tmp_path / "one.safetensors")
    network, _ = load(path)
    plain = architectures.build(f"tests.networks:{arch}")
    has_bias = plain.get_submodule(network.head).bias is not None
    plain.set_submodule(network.head, torch.nn.Linear(network.features, 4, bias=has_bias))
    plain.load_state_dict(load_file(tmp_path / "one.safetensors"))
    x = torch.randn(2, 3, 32, 32)
    with network.viewing(1) as model, torch.inference_mode():
        assert torch.equal(model(x), plain.eval()(x))
