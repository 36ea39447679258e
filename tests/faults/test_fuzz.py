"""Changed pack files, checkpoints and journals: each is read, or refused in one line; never a traceback.

`pytest -m faults tests/faults` tries many more.
"""

import hashlib
import json
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packnet_core.errors import PacknetError
from packnet_core.jobs import run_job
from packnet_core.packfile import checkpoint, checkpoint_header
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Train
from packnet_tui.cli.main import packnet
from tests.faults.hostile_files import Stopping, look, one_line
from tests.worlds import add, images, pack_file, work

FEW, MANY = 60, 2000  # changed files of each kind

# -- what is changed ------------------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-2, 300),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["", "F32", "U8", "²", "os:abort", "vgg16", "cifar_resnet9998", "trained", "sealed", "\x1b[2J", "/"]
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(value, at=()):
    """The path of every value in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yield at
    for key, inner in items:
        yield from places(inner, (*at, key))


@st.composite
def changes(draw):
    """One to three changes of a JSON value: which place, by a number, and what happens there."""
    kinds = st.sampled_from(["set", "remove", "rename", "twice", "swap"])
    return draw(st.lists(st.tuples(st.integers(0, 10**6), kinds, VALUES), min_size=1, max_size=3))


def changed(document, how):
    """The value with these changes."""
    for number, kind, value in how:
        every = [at for at in places(document) if at]
        if not every:
            return document
        *above, last = every[number % len(every)]
        inside = document
        for key in above:
            inside = inside[key]
        match kind:
            case "set":
                inside[last] = value
            case "remove":
                del inside[last]
            case "rename" if isinstance(inside, dict):
                inside[str(value)] = inside.pop(last)
            case "twice" if isinstance(inside, list):
                inside.append(inside[last])
            case "swap":
                other = list(inside)[number % len(inside)] if isinstance(inside, dict) else number % len(inside)
                inside[last], inside[other] = inside[other], inside[last]
    return document


def split(raw: bytes):
    length = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def joined(header, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


# -- the files ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A file with two tasks and an interrupted retraining; its bytes, and those of its checkpoint."""
    folder = tmp_path_factory.mktemp("fuzz")
    path = pack_file(folder / "net.safetensors")
    work(path, add("one", images(folder / "one.npz")))
    work(path, add("two", images(folder / "two.npz", seed=1), own=("norms",)))
    stop = threading.Event()
    for entry in run_job.run(path, Train(recipe={"retrain_epochs": 50}), stop):
        if entry.event.__class__.__name__ == "Epoch":
            stop.set()
    assert Paths(path).checkpoint.exists()
    return path, path.read_bytes(), Paths(path).checkpoint.read_bytes()


def try_file(world, raw: bytes) -> None:
    path, good, _ = world
    path.write_bytes(raw)
    try:
        look(path)
        assert packnet(["inspect", str(path)]) in (0, 2)
    finally:
        path.write_bytes(good)


def document_changed(raw: bytes, key: str, how) -> bytes:
    header, data = split(raw)
    header["__metadata__"][key] = json.dumps(changed(json.loads(header["__metadata__"][key]), how))
    return joined(header, data)


def header_changed(raw: bytes, how) -> bytes:
    header, data = split(raw)
    return joined(changed(header, how), data)


def bytes_changed(raw: bytes, spots) -> bytes:
    changed = bytearray(raw)
    for place, value in spots:
        changed[place % len(changed)] = value
    return bytes(changed)


def try_checkpoint(world, raw: bytes) -> None:
    """Read a changed checkpoint, its digest made right again, and resume from it."""
    path, good, before = world
    paths = Paths(path)
    header, data = split(raw)
    metadata = header.get("__metadata__")
    if isinstance(metadata, dict) and isinstance(metadata.get("checkpoint"), str):
        metadata["digest"] = checkpoint._digest(metadata["checkpoint"], hashlib.sha256(data).hexdigest())
    paths.checkpoint.write_bytes(joined(header, data))
    try:
        look(path)
        document = read_header(path).document
        if checkpoint_header.find(paths.checkpoint, document) is None:
            return
        try:
            checkpoint.load(paths.checkpoint, path)
        except PacknetError as error:
            one_line(error)
            return
        *_, end = run_job.run(path, Train(), Stopping())
        assert "defect" not in end.event.message, end.event
    finally:
        path.write_bytes(good)
        paths.checkpoint.write_bytes(before)


SPOTS = st.lists(st.tuples(st.integers(0, 2**30), st.integers(0, 255)), min_size=1, max_size=4)


def fuzz(world, count: int) -> None:
    _, good, kept = world
    often, seldom = settings(max_examples=count, database=None), settings(max_examples=count // 2, database=None)

    @often
    @given(changes())
    def documents(how):
        try_file(world, document_changed(good, "packnet", how))

    @often
    @given(changes())
    def headers(how):
        try_file(world, header_changed(good, how))

    @often
    @given(SPOTS)
    def single_bytes(spots):
        begin = struct.unpack("<Q", good[:8])[0] + 8
        try_file(world, bytes_changed(good[:begin], spots) + good[begin:])
        try_file(world, bytes_changed(good, spots))

    @seldom
    @given(st.integers(0, len(good)))
    def lengths(size):
        try_file(world, good[:size])

    @often
    @given(changes())
    def checkpoints(how):
        try_checkpoint(world, document_changed(kept, "checkpoint", how))

    @seldom
    @given(changes())
    def checkpoint_headers(how):
        try_checkpoint(world, header_changed(kept, how))

    @often
    @given(st.lists(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()), max_size=5))
    def journals(lines):
        journal = Paths(world[0]).journal
        before = journal.read_bytes()
        journal.write_bytes(before + b"\n".join(lines))
        try:
            look(world[0])
            assert packnet(["inspect", str(world[0])]) == 0
        finally:
            journal.write_bytes(before)

    for test in (documents, headers, single_bytes, lengths, checkpoints, checkpoint_headers, journals):
        test()


def test_some_hostile_files(world, capsys):
    fuzz(world, FEW)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_many_hostile_files(world, capsys):
    fuzz(world, MANY)
    assert "Traceback" not in capsys.readouterr().err
