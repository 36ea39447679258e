"""A hostile file is refused in bounded memory, whatever it says of itself."""

import json
import struct
import subprocess
import sys
from functools import partial

import pytest

from tests.core.packfile.test_storage import rewrite
from tests.tui.cli import handmade
from tests.worlds import add, images, pack_file, work

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


# -- the file of the issue ----------------------------------------------------------------------------------------

# Loading and verifying, in no more memory than this beside what the imports took.
LIMITED = """
import resource, sys
import torch, torchvision
from packnet_core.errors import PacknetError
from packnet_core.packfile import storage
from packnet_core.packfile.verify import verify
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400_000_000,) * 2)
for work in (storage.load, lambda path: list(verify(path))):
    try:
        work(sys.argv[1])
    except PacknetError as error:
        print(error)
"""


def _is(document, **changes):
    document["architecture"].update(changes)


STRANGERS = {
    "vit_h_14": lambda d: _is(d, name="vit_h_14"),
    "vit_h_14 with its head": lambda d: _is(d, name="vit_h_14", head="heads.head", features=1280),
    "cifar_resnet9998": lambda d: _is(d, name="cifar_resnet9998"),
    "cifar_resnet1202": lambda d: _is(d, name="cifar_resnet1202", head="fc"),
    "regnet_y_128gf": lambda d: _is(d, name="regnet_y_128gf", head="fc"),
    "input.size": lambda d: d["input"].update(size=10**6),
    "input.channels": lambda d: d["input"].update(channels=10**9),
    "features": lambda d: _is(d, features=10**12),
    "classes": lambda d: d["tasks"][0].update(classes=[str(n) for n in range(900_000)]),
    "epochs": lambda d: d["tasks"][0]["recipe"].update(epochs=10**18),
}


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    """A real file of one task, 343 kB as that of the issue."""
    folder = tmp_path_factory.mktemp("genuine")
    path = pack_file(folder / "net.safetensors")
    work(path, add("one", images(folder / "data.npz")))
    assert 300_000 < path.stat().st_size < 400_000
    return path


MANY = ("vit_h_14 with its head", "cifar_resnet1202", "regnet_y_128gf", "input.channels", "features")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.faults if kind in MANY else ()) for kind in STRANGERS]
)
def test_a_small_file_that_says_it_is_huge_is_refused_within_400_mb(genuine, tmp_path, kind):
    path = tmp_path / "stranger.safetensors"
    path.write_bytes(genuine.read_bytes())
    rewrite(path, STRANGERS[kind])
    done = subprocess.run([sys.executable, "-c", LIMITED, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.splitlines()
    assert len(said) == 2
    assert all(0 < len(line) < 1000 for line in said)
