"""Small random data sets and pack files for tests: real files, learnt in seconds; and commands on them."""

import json
import struct
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from packnet_core.schema.commands import Add
from packnet_core.schema.recipes import Recipe

QUICK = Recipe(lr=0.05, epochs=2, retrain_epochs=1, batch_size=16)
LONG = replace(QUICK, epochs=10_000)  # outlasts any test


def images(
    path: Path, classes: int = 3, train: int = 60, test: int = 30, size: int = 8, channels: int = 1, seed: int = 0
):
    """Write an .npz in which each class is noisy versions of one random picture. Returns its path."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(40, 216, (classes, size, size, channels))
    arrays: dict[str, np.ndarray] = {"classes": np.array([f"class {i}" for i in range(classes)])}
    for part, count in (("train", train), ("test", test)):
        labels = np.arange(count) % classes
        noise = rng.normal(0, 30, (count, size, size, channels))
        pixels = np.clip(pictures[labels] + noise, 0, 255).astype(np.uint8)
        arrays[f"{part}_images"] = pixels[..., 0] if channels == 1 else pixels
        arrays[f"{part}_labels"] = labels.astype(np.int64)
    np.savez(path, **arrays)
    return path


def pack_file(path: Path, arch: str = "digits_net", size: int = 8, channels: int = 1, **options) -> Path:
    """Create a pack file without tasks."""
    from packnet_core.packfile.create import new

    for _ in new(path, arch, input_size=size, channels=channels, **options):
        pass
    return path


def add(name: str, data: Path, **changes) -> Add:
    """An `add` command that trains quickly and prunes by half."""
    return Add(**{"task": name, "data": str(data), "recipe": QUICK, "prune": 0.5, **changes})


def work(path: Path, command):
    """Run a command in this process. Returns its journal entries; fails the test if the job fails."""
    from packnet_core.jobs import run_job

    entries = list(run_job.run(path, command))
    assert entries[-1].event.outcome == "done", entries[-1].event.message
    return entries


def copied(path: Path, name: str = "reference.safetensors") -> Path:
    """A copy beside a pack file, which may name the same code."""
    from packnet_core.packfile import trust
    from packnet_core.packfile.header import read_header

    copy = path.with_name(name)
    copy.write_bytes(path.read_bytes())
    trust.allow(copy, read_header(copy).document.architecture.name)
    return copy


def stop_after(events, kind, count: int):
    """Stop a job after `count` events of a kind. Returns the last of them."""
    for event in events:
        count -= isinstance(event, kind)
        if not count:
            events.close()
            return event
    raise AssertionError(f"there were {count} too few")


def used(path: Path, index: int) -> dict:
    """Copies of all tensors that a task uses, as it uses them."""
    from packnet_core.packfile import storage

    network, _ = storage.load(path)
    with network.viewing(index) as model:
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: dict, b: dict) -> bool:
    """Whether two state dicts have the same values."""
    return all(a[name].equal(b[name]) for name in a)


def rewrite(path: Path, change_document=None, change_header=None) -> None:
    """Change a pack file's document or header in place, and leave its tensors' bytes as they are."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    if change_document:
        document = json.loads(header["__metadata__"]["packnet"])
        change_document(document)
        header["__metadata__"]["packnet"] = json.dumps(document)
    if change_header:
        change_header(header)
    new = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(new)) + new + raw[8 + length :])
