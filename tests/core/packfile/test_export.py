"""Exports: in the format that the suffix names, strict for the plain architecture, and the task's own answers."""

import sys

import pytest
import torch
from safetensors.torch import load_file

from packnet_core.errors import RequestError
from packnet_core.network import architectures
from packnet_core.packfile import storage, trust
from packnet_core.packfile.export import export
from packnet_core.schema.recipes import Recipe
from packnet_tui.cli.main import packnet
from tests.tui.cli.conftest import one_line
from tests.worlds import add, images, pack_file, work

READ = {".safetensors": load_file, ".pth": torch.load, ".pt": torch.load}
ONCE = Recipe(lr=0.05, epochs=1, retrain_epochs=1, batch_size=16)
# an architecture, its input's size, whether its head has a bias
NETWORKS = [
    ("cifar_resnet20", 8, True), ("digits_net", 8, True), ("tests.networks:with_biases", 16, True),
    ("tests.networks:tied", 8, False), ("tests.networks:maxvit", 32, False), ("tests.networks:vit", 32, True),
    ("tests.networks:swin_v2", 32, True), ("tests.networks:densenet", 32, True),
]  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda network: network[0].rpartition(":")[2])
def packed(request, tmp_path_factory):
    """A file of two tasks of 3 and 4 classes, the second with biases and normalisation of its own."""
    (name, size, bias), folder = request.param, tmp_path_factory.mktemp("packed")
    path = pack_file(folder / "net.safetensors", name, size, 3)
    for index, task in enumerate(("one", "two")):
        data = images(folder / f"{task}.npz", 3 + index, 24, 12, size, 3, seed=index)
        work(path, add(task, data, recipe=ONCE, own=("biases", "norms") if index else (), yes=True))
    return path, name, size, bias


@pytest.mark.parametrize("suffix", READ)
@pytest.mark.parametrize(("task", "index"), [("one", 1), ("two", 2)])
def test_an_export_loads_strictly_into_the_plain_architecture_and_answers_the_same(
    packed, task, index, suffix, tmp_path
):
    path, name, size, bias = packed
    export(path, task, tmp_path / f"out{suffix}")
    state = READ[suffix](tmp_path / f"out{suffix}")
    plain = architectures.build(name, channels=3)
    head = architectures.find_head(plain)
    assert (plain.get_submodule(head).bias is not None) == bias
    plain.set_submodule(head, torch.nn.Linear(plain.get_submodule(head).in_features, 2 + index, bias=bias))
    plain.load_state_dict(state, strict=True)
    network, _ = storage.load(path)
    x = torch.randn(3, 3, size, size)
    with network.viewing(index) as model, torch.inference_mode():
        assert torch.equal(model(x), plain.eval()(x))


def test_a_torch_file_has_no_more_than_the_tensors(packed, tmp_path):
    """A view of a mapped file would be written with all of that file."""
    path, *_ = packed
    size = export(path, "one", tmp_path / "out.pth")
    tensors = torch.load(tmp_path / "out.pth", weights_only=True)
    assert size < sum(tensor.nbytes + 700 for tensor in tensors.values()) + 10_000


@pytest.mark.parametrize("name", ["out.onnx", "out.PTH", "out", "out.safetensors.gz", ".pth", "out.bin"])
def test_any_other_suffix_is_refused_by_name(packed, name, tmp_path, capsys):
    path, *_ = packed
    with pytest.raises(RequestError, match=r"exported as \.safetensors, \.pth or \.pt"):
        export(path, "one", tmp_path / name)
    assert packnet(["export", str(path), "one", str(tmp_path / name)]) == 2
    assert name in one_line(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_a_network_that_may_not_be_built_is_exported_too(packed, tmp_path, monkeypatch):
    """As a stranger's file: with the names that the file has."""
    path, name, _, bias = packed
    monkeypatch.setattr(trust, "is_trusted", lambda *_: False)
    export(path, "one", tmp_path / "out.safetensors")
    head = f"{storage.read(path).document.architecture.head}.bias"
    assert (head in load_file(tmp_path / "out.safetensors")) == bias
    assert name.rpartition(":")[0] in sys.modules or ":" not in name


def test_a_head_without_a_bias_gets_none_in_training(packed):
    path, *_, bias = packed
    heads = storage.read(path).heads
    assert [bool(head["bias"].any()) for head in heads] == [bias, bias]


def test_an_export_replaces_nothing_that_appeared_meanwhile(packed, tmp_path, monkeypatch):
    path, *_ = packed
    for suffix in READ:
        out = tmp_path / f"out{suffix}"
        read = storage.read

        def appear(*args, out=out, read=read):
            out.write_text("theirs")
            return read(*args)

        monkeypatch.setattr("packnet_core.packfile.export.read", appear)
        with pytest.raises(RequestError, match="exists already"):
            export(path, "one", out)
        assert out.read_text() == "theirs"
