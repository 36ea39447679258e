"""A hostile file is refused in bounded memory, whatever it says of itself."""

import json
import struct
import subprocess
import sys
from functools import partial

import pytest

from tests.tui.cli import handmade

BOUND = 400  # MB at the peak, beside what torch itself takes
READ = """
import sys, json, resource
import torch, torchvision
from packnet_core.errors import PacknetError
from packnet_core.packfile import storage
from packnet_core.packfile.verify import verify
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
imported = peak()
for path in sys.argv[1:]:
    said = []
    for work in (storage.load, lambda path: list(verify(path))):
        try:
            work(path)
        except PacknetError as error:
            said.append(str(error))
    print(json.dumps([said, peak() - imported]))
"""


def _named(path, name):
    """A small file, without tasks, that names a large network."""
    given = handmade.document([])
    given["architecture"]["name"] = name
    handmade.write(path, given)


def _header(path, text):
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))


def _changed(path, change):
    """A file whose document says too much."""
    raw = handmade.write(path, handmade.document()).read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    document = json.loads(header["__metadata__"]["packnet"])
    change(document)
    header["__metadata__"]["packnet"] = json.dumps(document)
    new = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(new)) + new + raw[8 + length :])


ENTRIES = {
    "tensors": lambda: b'{"a":1' + b"".join(b',"%d":{}' % n for n in range(3_000_000)) + b"}",
    "lists": lambda: b'{"a":[' + b"[],[]," * 2_000_000 + b"1]}",
    "depth": lambda: b'{"a":' + b"[" * 10_000_000,
    "a long name": lambda: b'{"' + "😀".encode() * 8_000_000 + b'":{}}',
    "numbers": lambda: b'{"a":{"dtype":"F32","shape":[' + b"1," * 900_000 + b'1],"data_offsets":[0,4]}}',
    "long numbers": lambda: b'{"a":{"dtype":"F32","shape":[' + b"9" * 5_000 + b'],"data_offsets":[0,4]}}',
}


def _many_layers(document):
    document["layers"] *= 5_000


def _many_classes(document):
    document["tasks"][0]["classes"] = ["a"] * 900_000


def _large_input(document):
    document["input"].update(size=10**6)


def _many_channels(document):
    document["input"].update(channels=10**9)


def _no_layers(document):
    document["layers"] = []


def _patterns(document):
    document["tasks"][-1].update(phase="trained", layers=["*a" * 40 + "b"] * 10_000)


CHANGES = (_many_layers, _many_classes, _large_input, _many_channels, _no_layers, _patterns)
NAMES = ("vit_h_14", "cifar_resnet1202", "cifar_resnet9998", "regnet_y_128gf")
FILES = {
    **{name: partial(_named, name=name) for name in NAMES},
    **{name: lambda path, make=make: _header(path, make()) for name, make in ENTRIES.items()},
    **{change.__name__: partial(_changed, change=change) for change in CHANGES},
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """By file, what loading and verifying said and the process's peak so far in MB."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, make in FILES.items():
        make(folder / f"{name}.safetensors")
    paths = [folder / f"{name}.safetensors" for name in FILES]
    done = subprocess.run([sys.executable, "-c", READ, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(FILES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_in_bounded_memory(refused, name):
    said, megabytes = refused[name]
    assert len(said) == 2
    assert all(len(line.splitlines()) == 1 and len(line) < 1000 for line in said)
    if name in NAMES:
        assert all(name.removeprefix("cifar_resnet") in line for line in said)
    assert megabytes < BOUND
