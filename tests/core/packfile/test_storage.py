import json
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from packnet_core.errors import FileError, RequestError, WorkError
from packnet_core.files import atomic
from packnet_core.packfile import storage
from packnet_core.packfile.header import read_header
from packnet_core.packfile.verify import verify
from tests.worlds import add, images, pack_file, rewrite, work


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The bytes of a file with three tasks."""
    folder = tmp_path_factory.mktemp("packed")
    path = pack_file(folder / "net.safetensors")
    for index, name in enumerate(["one", "two", "three"]):
        work(path, add(name, images(folder / f"{name}.npz", seed=index)))
    return path.read_bytes()


@pytest.fixture
def path(packed, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(packed)
    return path


def test_any_safetensors_reader_opens_it_and_the_network_takes_its_tensors(path):
    from packnet_core.network import architectures

    with safe_open(path, framework="pt") as file:
        assert file.metadata()["format"] == "pt"
        tensors = {name: file.get_tensor(name) for name in file.keys() if not name.startswith("packnet.")}  # noqa: SIM118
    missing, unexpected = architectures.build("digits_net", channels=1).load_state_dict(tensors, strict=False)
    head = read_header(path).document.architecture.head
    assert not unexpected
    assert {name.rsplit(".", 1)[0] for name in missing} == {head}


def test_owner_map_is_ceil_log2_n_bits_a_weight_and_the_sums_add_up(path):
    header = read_header(path)
    sizes = header.bytes_by_kind()
    assert sizes["owners"] == sum(2 * -(-layer.weights // 8) for layer in header.document.layers)
    assert sizes["network"] == 4 * header.document.weights
    assert sizes["file"] == path.stat().st_size
    assert sum(sizes[kind] for kind in ("network", "owners", "heads", "rest")) < sizes["file"]
    assert sum(header.document.owned) + header.document.free == header.document.weights


def test_a_task_can_be_read_with_numpy_alone_as_the_format_page_says(path):
    """A separate reader, written from docs/format.md."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    kinds = {"F32": np.float32, "U8": np.uint8, "I64": np.int64}

    def tensor(name):
        info = header[name]
        start, end = (8 + length + offset for offset in info["data_offsets"])
        return np.frombuffer(raw[start:end], kinds[info["dtype"]]).reshape(info["shape"])

    document = json.loads(header["__metadata__"]["packnet"])
    network, _ = storage.load(path)
    for layer in document["layers"]:
        weight = tensor(layer["name"]).ravel()
        planes = tensor("packnet.owner." + layer["name"])
        j = np.arange(weight.size)
        code = sum(((plane[j // 8] >> (j % 8)) & 1).astype(int) << i for i, plane in enumerate(planes))
        owner = np.where(weight == 0, 0, code + 1)
        assert [(owner == task).sum() for task in (1, 2, 3)] == layer["owned"]
        assert np.array_equal(owner, network.owners[layer["name"]].numpy().ravel())


def test_saving_what_was_loaded_gives_the_same_bytes(path, packed):
    network, document = storage.load(path)
    storage.save(path, network, document)
    assert path.read_bytes() == packed


LOAD = """
import sys, torch
from packnet_core.packfile import storage
def private(): return 1024 * int(open("/proc/self/status").read().partition("RssAnon:")[2].split()[0])
storage.load(sys.argv[1])  # what is imported and allocated once
before = private()
network, _ = storage.load(sys.argv[2])
total = sum(float(weight.sum()) for weight in network.weights.values())  # every page is there
print((private() - before) / sum(weight.nbytes for weight in network.weights.values()))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A file with large layers, 11 million weights."""
    return pack_file(tmp_path_factory.mktemp("large") / "resnet18.safetensors", "resnet18", size=32, channels=3)


def test_loading_takes_no_second_copy_of_large_layers(path, large):
    command = [sys.executable, "-c", LOAD, path, large]
    share = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert share < 0.25  # of the weights' own memory; small layers are copied


def test_changing_a_loaded_network_does_not_change_the_file(large):
    before = large.read_bytes()
    network, _ = storage.load(large)
    for weight in network.weights.values():
        weight.data.add_(1)
    again, _ = storage.load(large)
    assert large.read_bytes() == before
    assert all(torch.equal(w.data, again.weights[name].data + 1) for name, w in network.weights.items())


def test_a_loaded_network_keeps_its_weights_when_its_file_is_replaced(large, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(large.read_bytes())
    network, document = storage.load(path)
    kept = {name: weight.data.clone() for name, weight in network.weights.items()}
    other, _ = storage.load(path)
    for weight in other.weights.values():
        weight.data.zero_()
    storage.save(path, other, document)
    assert all(torch.equal(weight.data, kept[name]) for name, weight in network.weights.items())


def test_layers_are_aligned_in_the_file_to_be_mapped(path):
    """At multiples of 64 bytes, as torch's own memory does."""
    begin = 8 + struct.unpack("<Q", path.read_bytes()[:8])[0]
    header = read_header(path)
    whole = [info for layer in header.document.layers if (info := header.tensors[layer.name]).bytes % 64 == 0]
    assert whole
    assert all((begin + info.data_offsets[0]) % 64 == 0 for info in whole)


def test_no_minus_zero_is_written(path):
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            tensor = file.get_tensor(name)
            if tensor.dtype == torch.float32:
                assert not bool(((tensor == 0) & torch.signbit(tensor)).any()), name


def _first_owned(network, task):
    for name, owner in network.owners.items():
        found = (owner == task).nonzero()
        if len(found):
            return name, tuple(found[0])
    raise AssertionError


CHANGES = {
    "a sealed weight": lambda n: n.weights[_first_owned(n, 1)[0]].data.__setitem__(_first_owned(n, 1)[1], 9.0),
    "a sealed weight's owner": lambda n: n.owners[_first_owned(n, 1)[0]].__setitem__(_first_owned(n, 1)[1], 2),
    "a free weight given to a sealed task": lambda n: n.owners[_first_owned(n, 0)[0]].__setitem__(
        _first_owned(n, 0)[1], 1
    ),
    "the shared rest": lambda n: next(iter(n.rest.values())).data.view(-1)[0].add_(1),
    "a sealed head": lambda n: n.heads[0].bias.data[0].add_(1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_save_that_would_change_a_sealed_task_is_refused(path, packed, change):
    network, document = storage.load(path)
    change(network)
    with pytest.raises(WorkError, match="sealed"):
        storage.save(path, network, document)
    assert path.read_bytes() == packed


def test_verify_finds_a_changed_weight(path):
    assert all(checked.ok for checked in verify(path))
    header = read_header(path)
    name = header.document.layers[0].name
    raw = bytearray(path.read_bytes())
    length = struct.unpack("<Q", raw[:8])[0]
    start = 8 + length + header.tensors[name].data_offsets[0]
    weights = np.frombuffer(raw, np.float32, header.document.layers[0].weights, start)
    at = start + 4 * int(np.flatnonzero(weights)[0])
    raw[at] ^= 1
    path.write_bytes(raw)
    assert not all(checked.ok for checked in verify(path))


def _owned(document, counts):
    document["layers"][0]["owned"] = counts


BROKEN = {
    "newer": (lambda d: d.update(version=2), None, "upgrade"),
    "too many owned": (lambda d: _owned(d, [10**6, 0, 0]), None, "counts"),
    "an entry too few": (lambda d: _owned(d, [1, 1]), None, "counts"),
    "negative counts": (lambda d: _owned(d, [-1, 1, 1]), None, "packnet document"),
    "two of one name": (lambda d: d["tasks"][0].update(name="two"), None, "same name"),
    "an open task below": (lambda d: d["tasks"][0].update(phase="pruned"), None, "newest"),
    "a class too many": (lambda d: d["tasks"][0]["classes"].append("x"), None, "packnet.head.1.weight"),
    "no document": (None, lambda h: h["__metadata__"].pop("packnet"), "packnet new"),
    "a document that is no object": (None, lambda h: h["__metadata__"].update(packnet="[]"), "packnet document"),
    "a missing tensor": (lambda d: d["layers"][0].update(name="nothing"), None, "'nothing' is missing"),
    "a wrong type": (None, lambda h: h["packnet.head.1.bias"].update(dtype="I32"), "packnet.head.1.bias"),
    "a wrong place": (None, lambda h: h["packnet.head.1.bias"].update(data_offsets=[0, 12]), "does not fit its place"),
    "a stray tensor": (None, lambda h: h.update({"packnet.x": h.pop("packnet.head.1.bias")}), "packnet"),
}


@pytest.mark.parametrize(("document", "header", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_header_that_contradicts_itself_is_one_clear_error(path, document, header, says):
    rewrite(path, document, header)
    with pytest.raises(FileError, match=says):
        read_header(path)


@pytest.mark.parametrize("size", [0, 4, 8, 100, -1])
def test_truncated_files_are_one_clear_error(path, packed, size):
    path.write_bytes(packed[:size])
    with pytest.raises(FileError, match=r"net\.safetensors is not a whole safetensors file"):
        read_header(path)


def test_a_hostile_length_does_not_take_memory(path):
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    with pytest.raises(FileError, match="header would be"):
        read_header(path)


def test_a_plain_state_dict_is_recognised(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "plain.safetensors")
    with pytest.raises(FileError, match=r"packnet new .*--weights .*plain\.safetensors"):
        read_header(tmp_path / "plain.safetensors")


def test_counts_are_checked_against_the_tensors_when_they_are_loaded(path):
    def move_one(document):
        owned = document["layers"][0]["owned"]
        owned[0], owned[1] = owned[0] - 1, owned[1] + 1

    rewrite(path, move_one)
    read_header(path)
    with pytest.raises(FileError, match="owners' counts"):
        storage.load(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(path, packed, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    network, document = storage.load(path)
    monkeypatch.setattr(atomic.os, "fsync", refuse)
    with pytest.raises(WorkError, match="No space left"):
        storage.save(path, network, document)
    assert path.read_bytes() == packed
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_new_never_overwrites(path, packed):
    with pytest.raises(RequestError, match="exists already"):
        pack_file(path)
    assert path.read_bytes() == packed
