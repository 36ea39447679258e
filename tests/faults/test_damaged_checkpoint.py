"""One bit of a checkpoint is flipped, anywhere: it is refused in one line before training, and the file stays whole."""

import json
import struct
import threading

import pytest
from msgspec.structs import replace

from packnet_core.jobs import journal, run_job
from packnet_core.packfile import checkpoint
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Train
from packnet_core.schema.events import PhaseStarted, Progress, TrainStep
from packnet_tui.cli.main import packnet
from tests.core.jobs.test_job import killed
from tests.tui.cli.conftest import one_line
from tests.worlds import LONG, add, images, pack_file, work


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file whose second task was stopped while it was retrained, so that it has free weights, and those beside it."""
    folder = tmp_path_factory.mktemp("interrupted")
    path, data = pack_file(folder / "net.safetensors"), images(folder / "data.npz")
    work(path, add("one", data))
    stop = threading.Event()
    for entry in run_job.run(path, add("two", data, recipe=replace(LONG, epochs=1, retrain_epochs=1000)), stop):
        if isinstance(entry.event, TrainStep) and entry.event.step > 20:
            stop.set()
    return {each: each.read_bytes() for each in (path, Paths(path).journal, Paths(path).checkpoint)}


@pytest.fixture
def interrupted(made):
    """Path and checkpoint of that file, as it was made."""
    for path, content in made.items():
        path.write_bytes(content)
    return next(iter(made)), made[path]


def places(raw, path):
    """By what it is, the offset of a byte in the checkpoint."""
    length = struct.unpack("<Q", raw[:8])[0]
    header = {k: v for k, v in json.loads(raw[8 : 8 + length]).items() if k != "__metadata__"}
    first = {name: 8 + length + entry["data_offsets"][0] for name, entry in header.items()}
    _, network, _ = checkpoint.load(Paths(path).checkpoint, path)
    name = next(iter(network.weights))
    owners = network.owners[name].flatten().tolist()
    weight = first[f"network.{name}"]
    text = raw[: 8 + length].decode("latin-1")
    return {
        "free": weight + 4 * owners.index(0),
        "owned": weight + 4 * owners.index(2),
        "sealed": weight + 4 * owners.index(1),
        "owner": first[f"owner.{name}"],
        "optimizer": next(offset for name, offset in first.items() if name.startswith("run.optimizer")),
        "random": first["run.random.cpu"] + 100,
        "head": first["head.2.weight"],
        "rest": next(offset for name, offset in first.items() if name.startswith("network.") and "bias" in name),
        "ratio": text.index('prune\\":0.5') + 10,
        "base": text.index('base\\":\\"') + 10,
        "class": text.index("class 1") + 6,
        "shape": text.index('"shape":[') + 9,
        "digest": text.index('"digest":') + 12,
        "length": 0,
    }


KINDS = (
    "free", "owned", "sealed", "owner", "optimizer", "random", "head", "rest", "ratio", "base", "class", "shape",
    "digest", "length",
)  # fmt: skip
UNREADABLE = ("shape", "length")


@pytest.mark.parametrize("kind", KINDS)
def test_one_flipped_bit_is_refused_before_training(interrupted, kind, capsys):
    path, raw = interrupted
    offset = places(raw, path)[kind]
    damaged = bytearray(raw)
    damaged[offset] ^= 1
    Paths(path).checkpoint.write_bytes(damaged)
    before, said = path.read_bytes(), len(journal.read(Paths(path).journal))
    assert packnet(["train", str(path)]) == 2
    line = one_line(capsys.readouterr().err)
    if kind == "base":
        assert f"{Paths(path).checkpoint} is damaged; remove it, and do the interrupted job again" in line
    elif kind in UNREADABLE:
        assert "left a damaged checkpoint; do it again: packnet prune FILE 0.5" in line
    else:
        ratio = 0.4 if kind == "ratio" else 0.5
        assert f"is damaged; give the interrupted job up, and do it again: packnet prune {path} {ratio} --yes" in line
    assert path.read_bytes() == before
    assert all(checked.ok for checked in verify(path))
    events = [entry.event for entry in journal.read(Paths(path).journal)[said:]]
    assert not [event for event in events if isinstance(event, TrainStep | PhaseStarted | Progress)]


@pytest.mark.parametrize("kind", ["free", "length"])
def test_the_advice_is_a_command_that_works(interrupted, kind, tmp_path, capsys):
    path, raw = interrupted
    damaged = bytearray(raw)
    damaged[places(raw, path)[kind]] ^= 1
    Paths(path).checkpoint.write_bytes(damaged)
    packnet(["train", str(path)])
    _, *advised = one_line(capsys.readouterr().err).split("do it again: ")[1].split()
    advised[1] = str(path)
    assert packnet([*advised, "--retrain-epochs", "1"]) == 0
    assert not Paths(path).checkpoint.exists()


def test_a_refused_request_after_a_lost_job_does_not_hide_it(tmp_path):
    """The API asks the job itself, so its refusal is in the journal."""
    path, data = pack_file(tmp_path / "net.safetensors"), images(tmp_path / "data.npz")
    work(path, add("one", data))
    killed(path, add("two", data), "JobStarted")
    for _ in range(2):
        end = list(run_job.run(path, Train()))[-1].event
        assert "do it again: packnet add FILE two" in end.message
