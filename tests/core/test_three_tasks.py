"""Law 1 end to end: three tasks in sequence, and the sealed ones exactly as they were, tensors and answers."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file

from packnet_core.commands import Train
from packnet_core.export import export
from packnet_core.packfile.header import read_header
from packnet_core.packfile.storage import load
from packnet_core.verify import verify
from tests.worlds import QUICK, add, images, pack_file, work

OPTIMIZERS = {
    "sgd with weight decay": replace(QUICK, weight_decay=0.01),
    "adamw": replace(QUICK, optimizer="adamw", lr=0.003, weight_decay=0.1),
}


@dataclass
class Seen:
    exported: bytes
    answers: torch.Tensor
    digest: str


def look(path: Path, task: str, index: int) -> Seen:
    out = path.with_name(f"{task}-out.safetensors")
    out.unlink(missing_ok=True)
    export(path, task, out)
    network, document = load(path)
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with network.viewing(index) as model, torch.inference_mode():
        return Seen(out.read_bytes(), model(x), document.tasks[index - 1].digest)


@pytest.mark.parametrize("recipe", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
@pytest.mark.parametrize("arch", ["vgg_bn", "resnet", "densenet"])
def test_sealed_tasks_stay_byte_for_byte(tmp_path, arch, recipe):
    path = pack_file(tmp_path / "net.safetensors", f"tests.networks:{arch}", 32, 3)
    before: dict[str, Seen] = {}
    for index, name in enumerate(["one", "two", "three"], 1):
        data = images(tmp_path / f"{name}.npz", classes=index + 1, size=32, channels=3, seed=index)
        work(path, add(name, data, recipe=recipe, yes=True))  # so short a training may be no better than chance
        for old_index, (old, seen) in enumerate(before.items(), 1):
            now = look(path, old, old_index)
            assert now.exported == seen.exported
            assert torch.equal(now.answers.view(torch.int32), seen.answers.view(torch.int32))
            assert now.digest == seen.digest
        before[name] = look(path, name, index)
        work(path, Train(recipe={"epochs": 1}))  # the open task may still change …
        before[name] = look(path, name, index)
    assert all(checked.ok for checked in verify(path))
    document = read_header(path).document
    assert [task.phase for task in document.tasks] == ["sealed", "sealed", "retrained"]
    for layer in document.layers:
        assert len(layer.owned) == 3
        assert layer.owned[0] == layer.weights - round(0.5 * layer.weights)
        assert layer.free > 0


def test_an_export_is_a_plain_state_dict_of_that_task_alone(tmp_path):
    from tests.networks import resnet

    path = pack_file(tmp_path / "net.safetensors", "tests.networks:resnet", 32, 3)
    for index, name in enumerate(["one", "two"], 1):
        work(path, add(name, images(tmp_path / f"{name}.npz", classes=4, size=32, channels=3, seed=index)))
    export(path, "one", tmp_path / "one.safetensors")
    plain = resnet()
    plain.fc = torch.nn.Linear(plain.fc.in_features, 4)
    plain.load_state_dict(load_file(tmp_path / "one.safetensors"))
    x = torch.randn(2, 3, 32, 32)
    network, _ = load(path)
    with network.viewing(1) as model, torch.inference_mode():
        assert torch.equal(model(x), plain.eval()(x))
