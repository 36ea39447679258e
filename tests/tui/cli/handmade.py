"""A pack file written without packnet's own code, as from another language: two tasks, three layers, all zeros."""

import json
import struct
from pathlib import Path

from packnet_core.jobs.journal import Journal
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import Event

LAYERS = {"features.0.weight": [4, 1, 3, 3], "features.3.weight": [8, 4, 3, 3], "classifier.0.weight": [10, 32]}
OWNED = {"features.0.weight": [18, 9], "features.3.weight": [100, 44], "classifier.0.weight": [160, 0]}
FEATURES = 10


def task(name: str, phase: str, classes: int, error: dict | None) -> dict:
    return {
        "name": name,
        "phase": phase,
        "classes": [f"class {i}" for i in range(classes)],
        "data": {"source": "sklearn:digits", "flip": False, "limit": None, "train": 90, "validation": 10, "test": 50},
        "recipe": {},
        "prune_ratio": 0.5,
        "error": error,
        "chance": 80.0,
        "weights_digest": "ab" * 32,
        "digest": "sha256:" + "cd" * 32,
    }


TASKS = [
    task("digits", "sealed", 10, {"top1": 12.5, "top5": 1.25, "images": 400}),
    task("letters", "pruned", 5, {"top1": 30.0, "top5": None, "images": 50}),
]


def document(tasks: list[dict] = TASKS, owned: dict[str, list[int]] = OWNED, **changes) -> dict:
    return {
        "version": 1,
        "architecture": {"name": "tiny:net", "head": "classifier.2", "features": FEATURES},
        "input": {"channels": 1, "size": 8, "mean": [0.5], "std": [0.25]},
        "tasks": tasks,
        "layers": [{"name": n, "shape": s, "owned": owned[n][: len(tasks)]} for n, s in LAYERS.items()],
        "history": [{"at": 1000.0, "task": None, "what": "new tiny:net"}],
        **changes,
    }


def write(path: Path, given: dict) -> Path:
    """Write the file of a document, with every tensor that it needs, all zeros."""
    tensors: dict[str, tuple[str, list[int]]] = {name: ("F32", shape) for name, shape in LAYERS.items()}
    tensors["features.0.bias"] = ("F32", [4])
    bits = max(len(given["tasks"]) - 1, 0).bit_length()
    for name, shape in LAYERS.items():
        count = product(shape)
        if bits:
            tensors[f"packnet.owner.{name}"] = ("U8", [bits, (count + 7) // 8])
    for index, entry in enumerate(given["tasks"], 1):
        tensors[f"packnet.head.{index}.weight"] = ("F32", [len(entry["classes"]), FEATURES])
        tensors[f"packnet.head.{index}.bias"] = ("F32", [len(entry["classes"])])
    header: dict = {"__metadata__": {"format": "pt", "packnet": json.dumps(given)}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + product(shape) * (4 if dtype == "F32" else 1)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path


def product(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def journal(path: Path, *events: Event, job: int = 1) -> Journal:
    """The file's journal, open, after writing these events."""
    writer = Journal(Paths(path).journal)
    for event in events:
        writer.write(event, job)
    return writer
