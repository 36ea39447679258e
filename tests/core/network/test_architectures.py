"""Networks by name, their heads, and weights fitted into them."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from packnet_core.errors import RequestError
from packnet_core.network import architectures


@pytest.mark.parametrize(
    ("name", "head", "channels", "size"),
    [
        ("resnet18", "fc", 3, 64),
        ("googlenet", "fc", 1, 64),
        ("cifar_resnet8", "linear", 3, 32),
        ("cifar_vgg", "classifier", 3, 32),
        ("digits_net", "output", 1, 8),
    ],
)
def test_a_network_gives_one_logit_per_class(name: str, head: str, channels: int, size: int) -> None:
    model = architectures.build(name, channels=channels, classes=7)
    assert model.training
    assert architectures.find_head(model) == head
    assert model(torch.randn(2, channels, size, size)).shape == (2, 7)


def test_a_cifar_resnet_has_he_et_als_size_and_shortcuts_without_weights() -> None:
    model = architectures.build("cifar_resnet20", classes=10)
    assert sum(p.numel() for p in model.parameters()) == 269_722
    assert not any("shortcut" in name for name in model.state_dict())
    block = model.get_submodule("layer2.0").eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 16, 8, 8)
    y = block(x)  # the convolutions give 0, so the output is the shortcut
    assert torch.equal(y[:, 8:24], x[:, :, ::2, ::2])
    assert not y[:, :8].any()
    assert not y[:, 24:].any()


def test_initial_values_come_from_the_global_generator() -> None:
    def build() -> torch.Tensor:
        torch.manual_seed(3)
        return architectures.build("cifar_resnet8").get_submodule("conv1").get_parameter("weight")

    assert torch.equal(build(), build())


@pytest.mark.parametrize("name", ["cifar_resnet8", "convnext_tiny"])  # the second draws until all values are in a range
def test_building_without_initial_values_gives_tensors_of_the_same_shapes(name: str) -> None:
    def shapes(model: nn.Module) -> dict[str, torch.Size]:
        return {key: tensor.shape for key, tensor in model.state_dict().items()}

    before = torch.get_rng_state()
    bare = architectures.build(name, initialise=False)
    assert torch.equal(before, torch.get_rng_state())
    assert shapes(bare) == shapes(architectures.build(name))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("resnet19", "resnet18"),
        ("cifar_resnet21", "6n \\+ 2"),
        ("nowhere:net", "nowhere"),
        ("os:getcwd", "returned str"),
    ],
)
def test_unknown_networks_are_refused_by_name(name: str, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        architectures.build(name)


def test_a_function_in_a_module_may_build_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_nets.py").write_text(
        "from torch import nn\ndef tiny(): return nn.Sequential(nn.Linear(4, 2)).eval()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = architectures.build("my_nets:tiny")
    assert model.training
    assert architectures.find_head(model) == "0"


def test_a_network_without_a_linear_layer_has_no_head() -> None:
    with pytest.raises(RequestError, match="no linear layer"):
        architectures.find_head(architectures.build("squeezenet1_0"))


@pytest.mark.parametrize("form", ["safetensors", "pth", "wrapped", "parallel", "half"])
def test_weights_are_read_from_every_kind_of_file(tmp_path: Path, form: str) -> None:
    state = architectures.build("cifar_resnet8", classes=5).state_dict()
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "safetensors":
        save_file(state, path)
    elif form == "wrapped":
        torch.save({"state_dict": state, "epoch": 3}, path)
    elif form == "parallel":
        torch.save({f"module.{key}": tensor for key, tensor in state.items()}, path)
    elif form == "half":
        torch.save({key: t.half() if t.is_floating_point() else t for key, t in state.items()}, path)
    else:
        torch.save(state, path)
    loaded = architectures.load_weights(str(path), "cifar_resnet8")
    assert set(loaded) == set(state)
    assert all(t.dtype == torch.float32 for t in loaded.values() if t.is_floating_point())
    assert torch.allclose(loaded["conv1.weight"], state["conv1.weight"], atol=1e-3)


class _Touch:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return open, (str(self.path), "w")  # type: ignore[return-value]


def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    torch.save({"state_dict": _Touch(touched)}, tmp_path / "evil.pth")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(_Touch(touched), protocol=2))
    for name in ("evil.pth", "plain.pt"):
        with pytest.raises(RequestError, match="safetensors"):
            architectures.load_weights(str(tmp_path / name), "resnet18")
    assert not touched.exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [("a.safetensors", b"junk", "can't be read"), ("a.bin", b"", "neither"), ("a.pth", b"", "can't be read")],
)
def test_files_without_weights_are_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError, match=says):
        architectures.load_weights(str(tmp_path / name), "resnet18")


def test_missing_files_and_networks_without_pretrained_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no file"):
        architectures.load_weights(str(tmp_path / "none.pth"), "resnet18")
    with pytest.raises(RequestError, match="no weights for 'cifar_resnet20'"):
        architectures.load_weights("DEFAULT", "cifar_resnet20")


def test_fitting_copies_all_tensors_and_resizes_the_head() -> None:
    given = architectures.build("cifar_resnet8", classes=5)
    model = architectures.build("cifar_resnet8")
    state = {key: t for key, t in given.state_dict().items() if not key.endswith("num_batches_tracked")}
    assert architectures.fit_weights(model, state, "linear")
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(model.eval()(x), given.eval()(x))


def test_a_head_of_another_width_is_not_copied() -> None:
    model = architectures.build("cifar_resnet8", classes=4)
    before = model.get_submodule("linear")
    state = architectures.build("cifar_resnet8").state_dict()
    state["linear.weight"] = torch.zeros(10, 3)
    assert not architectures.fit_weights(model, state, "linear")
    assert model.get_submodule("linear") is before


def test_weights_of_another_network_are_refused_and_change_nothing() -> None:
    model = architectures.build("cifar_resnet8")
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    state = architectures.build("cifar_resnet14", channels=1).state_dict()
    del state["bn1.weight"]
    with pytest.raises(RequestError) as refused:
        architectures.fit_weights(model, state, "linear")
    message = str(refused.value)
    assert "missing: bn1.weight" in message
    assert "layer1.1.conv1.weight" in message
    assert "more" in message
    assert "conv1.weight [16, 1, 3, 3], in the network [16, 3, 3, 3]" in message
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
