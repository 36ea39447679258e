"""Made-up but consistent pack files and journals: real files, their weights zero unless filled, sparse on disk."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from packnet_core.packfile import checkpoint_header
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.packfile.header import encode_document
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Command, Evaluate, Prune, Train
from packnet_core.schema.document import (
    Architecture,
    Data,
    Document,
    Error,
    Input,
    Layer,
    Step,
    Task,
    TaskPhase,
    planes,
)
from packnet_core.schema.events import (
    EngineStarted,
    Entry,
    Epoch,
    Evaluated,
    Event,
    JobFinished,
    JobQueued,
    JobStarted,
    Occupancy,
    PhaseStarted,
    Pruned,
    Saved,
    TrainStep,
)
from packnet_core.schema.recipes import Recipe
from packnet_core.schema.text import from_json, to_json
from tests.tui.made_up_owners import fill

NOON = 1_795_435_200.0  # 23 November 2026, 12:00 UTC
VGG16 = {
    **{
        f"features.{place}.weight": (width, given, 3, 3)
        for place, given, width in (
            (0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256), (14, 256, 256),
            (17, 256, 512), (19, 512, 512), (21, 512, 512), (24, 512, 512), (26, 512, 512), (28, 512, 512),
        )
    },
    "classifier.0.weight": (4096, 25088),
    "classifier.3.weight": (4096, 4096),
}  # fmt: skip
TINY = {"conv1.weight": (4, 1, 3, 3), "conv2.weight": (8, 4, 3, 3), "hidden.weight": (10, 32)}


def task(name: str, ratio: float | None, error: float | None, phase: TaskPhase = "sealed", **changes: object) -> Task:
    given = {
        "name": name,
        "phase": phase,
        "classes": tuple(f"class {i}" for i in range(10)),
        "data": Data(source=f"/data/{name}", flip=True, limit=None, train=5400, validation=600, test=5794),
        "recipe": Recipe(epochs=10, lr=0.001),
        "prune_ratio": ratio,
        "error": None if error is None else Error(top1=error, top5=error / 4, images=5794),
        "chance": 99.5,
        "weights_digest": "ab" * 32,
        "digest": "sha256:" + "cd" * 32,
        **changes,
    }
    return Task(**given)  # type: ignore[arg-type]


def owned(weights: int, ratios: Sequence[float | None]) -> tuple[int, ...]:
    """Owned weights of one layer per task: each takes all that is free and is pruned at its ratio (None: not yet)."""
    free, counts = weights, []
    for ratio in ratios:
        freed = 0 if ratio is None else round(ratio * free)
        counts.append(free - freed)
        free = freed
    return tuple(counts)


def document(
    tasks: Sequence[Task], layers: dict[str, tuple[int, ...]] = VGG16, architecture: str = "vgg16"
) -> Document:
    ratios = [task.prune_ratio for task in tasks]
    return Document(
        version=1,
        architecture=Architecture(name=architecture, head="classifier.6", features=16),
        input=Input(channels=3, size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        tasks=tuple(tasks),
        layers=tuple(
            Layer(name=name, shape=shape, owned=owned(math.prod(shape), ratios)) for name, shape in layers.items()
        ),
        history=(Step(at=NOON - 86400, task=None, what=f"new {architecture}"),),
    )


def write(path: Path, document: Document) -> Path:
    """Write the pack file of a document. Its tensors are all zeros, a hole in the file."""
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {layer.name: ("F32", layer.shape) for layer in document.layers}
    if bits := planes(len(document.tasks)):
        for layer in document.layers:
            tensors[f"packnet.owner.{layer.name}"] = ("U8", (bits, (layer.weights + 7) // 8))
    for index, entry in enumerate(document.tasks, 1):
        tensors[f"packnet.head.{index}.weight"] = ("F32", (len(entry.classes), document.architecture.features))
        tensors[f"packnet.head.{index}.bias"] = ("F32", (len(entry.classes),))
    header: dict[str, object] = {"__metadata__": {"format": "pt", "packnet": encode_document(document)}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + math.prod(shape) * (4 if dtype == "F32" else 1)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": (begin, end)}
    text = json.dumps(header).encode()
    new = path.with_suffix(".new")
    with open(new, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    new.replace(path)
    return path


def entries(events: Iterable[Event], job: int = 1, at: float = NOON, apart: float = 1.0) -> list[Entry]:
    """Journal entries of events, one second apart, as they are read from a journal."""
    made = (Entry(at=at + i * apart, job=job, event=event) for i, event in enumerate(events))
    return [from_json(to_json(entry), Entry) for entry in made]


def append(path: Path, lines: Iterable[Entry]) -> None:
    """Append entries to a file's journal."""
    paths = Paths(path)
    paths.folder.mkdir(exist_ok=True)
    with open(paths.journal, "ab") as file:
        for entry in lines:
            file.write(msgspec.json.encode(entry) + b"\n")


def checkpoint(
    base: Document, command: Add | Prune | Train, left: Document | None = None, epoch: int = 0, epochs: int = 0
) -> Checkpoint:
    """The checkpoint of a stopped job on a file whose state was `base`.

    `left` is what the job had made of it; without it, an addition has its dense task, and any other job nothing.
    """
    if left is None:
        left = base
        if isinstance(command, Add):
            added = task(command.task, None, None, "trained")
            layers = tuple(replace(layer, owned=(*layer.owned, layer.free)) for layer in base.layers)
            left = replace(base, tasks=(*base.tasks, added), layers=layers)
    run = {"epoch": epoch, "epochs": epochs} if epoch else {}
    phase = "train" if left.tasks[-1].phase == "trained" else "retrain"
    base_id = checkpoint_header.base(base)
    return Checkpoint(base=base_id, command=command, phase=phase, document=left, before=None, run=run)


def interrupt(path: Path, base: Document, command: Add | Prune | Train, **left: Any) -> None:
    """Write the checkpoint of a stopped job on a file whose state was `base`, for `train` to resume."""
    description = msgspec.json.encode(checkpoint(base, command, **left)).decode()
    text = json.dumps({"__metadata__": {"checkpoint": description}}).encode()
    paths = Paths(path)
    paths.folder.mkdir(exist_ok=True)
    paths.checkpoint.write_bytes(len(text).to_bytes(8, "little") + text)


def training(
    name: str, epochs: int, until: int, start: float, floor: float, retrain: bool = False, before: float | None = None
) -> Iterator[Event]:
    """The events of a phase up to an epoch, with loss and error that fall as usual."""
    phase = "retrain" if retrain else "train"
    yield PhaseStarted(phase=phase, task=name, epochs=epochs, images=5400, before=before)
    steps = 20
    for epoch in range(1, until + 1):
        for i in range(1, steps + 1):
            x = epoch - 1 + i / steps
            error = floor + (start - floor) * math.exp(-0.9 * x)
            yield TrainStep(
                task=name,
                epoch=epoch,
                step=(epoch - 1) * steps + i,
                steps=epochs * steps,
                loss=error / 25 * (1 + 0.12 * math.sin(7.3 * x * steps)),
                error=error,
                lr=0.001,
                images_per_second=1234.0,
                seconds_left=26.0 * (epochs - x),
            )
        error = round((floor + (start - floor) * math.exp(-0.9 * epoch)) * 6) / 6
        yield Epoch(
            phase="retrain" if retrain else "train",
            task=name,
            epoch=epoch,
            epochs=epochs,
            step=epoch * steps,
            loss=error / 25,
            error=error,
            validation_loss=error / 22,
            validation_error=error,
            seconds=26.0,
        )


def evaluated(name: str, top1: float) -> Evaluated:
    return Evaluated(task=name, error=Error(top1=top1, top5=top1 / 4, images=5794), loss=1.0, seconds=3.0)


ADD = Add(task="cars", data="/data/cars", recipe=Recipe(epochs=10, lr=0.01), prune=0.75)


def begun(command: Command) -> JobStarted:
    return JobStarted(command=command, pid=7, device="cpu")


def ended(outcome="done", message="done", seconds=60.0) -> JobFinished:
    return JobFinished(outcome=outcome, message=message, seconds=seconds, status=0)


def job(number: int, command: Command, *events: Event, end: JobFinished | None = None) -> list[Entry]:
    """The entries of a whole job."""
    return entries([begun(command), *events, end or ended()], job=number, at=NOON + 1000 * number)


def add(number: int = 1, best: float = 17.5, epochs: int = 4) -> list[Entry]:
    """The entries of a job that trains a task."""
    return job(number, ADD, *training("cars", epochs, epochs, 96.0, best), evaluated("cars", best))


SEALED = (task("imagenet", 0.5, 28.42), task("cubs", 0.75, 22.1))


def at_rest(path: Path) -> Path:
    """VGG-16 with three tasks, all evaluated after the last was added; no job runs."""
    done = document((*SEALED, task("cars", 0.75, 18.36, "retrained")))
    fill(write(path, done))
    append(path, entries([*cars(done, until=5), *finished_cars()], job=3))
    everything = [JobStarted(command=Evaluate(), pid=48211, device="cuda:0")]
    checks = [evaluated("imagenet", 28.42), evaluated("cubs", 22.1), evaluated("cars", 18.36)]
    end = JobFinished(outcome="done", message="eval: done", seconds=9.0, status=0)
    append(path, entries([*everything, *checks, end], job=4, at=NOON + 600))
    return path


def running(path: Path) -> Path:
    """The same file while the third task is retrained and another job waits. The caller holds the file's lock."""
    fill(write(path, document(SEALED)))
    add = Add(task="flowers", data="/data/flowers", prune=0.75)
    append(path, entries([evaluated("imagenet", 28.42), evaluated("cubs", 22.1)], job=2, at=NOON - 60))
    append(path, entries(cars(document((*SEALED, task("cars", 0.75, 18.36, "retrained")))), job=3))
    append(path, entries([JobQueued(command=add)], job=4, at=NOON + 500))
    return path


def cars(done: Document, until: int = 2) -> list[Event]:
    """The events of the third task, from its start to an epoch of its retraining of five epochs."""
    command = Add(task="cars", data="/data/cars", recipe=Recipe(epochs=10, lr=0.001), prune=0.75)
    dense = {layer.name: [*layer.owned[:2], layer.weights - sum(layer.owned[:2])] for layer in done.layers}
    pruned = {layer.name: list(layer.owned) for layer in done.layers}
    kept = sum(counts[2] for counts in pruned.values())
    freed = sum(counts[2] for counts in dense.values()) - kept
    return [
        EngineStarted(pid=48211),
        JobQueued(command=command),
        JobStarted(command=command, pid=48211, device="cuda:0"),
        Occupancy(task="cars", phase="trained", layers=dense),
        *training("cars", 10, 10, 96.0, 17.5),
        Occupancy(task="cars", phase="trained", layers=dense),
        Pruned(task="cars", ratio=0.75, freed=freed, kept=kept, before=17.5, after=61.0),
        Occupancy(task="cars", phase="pruned", layers=pruned),
        *training("cars", 5, until, 61.0, 17.8, retrain=True, before=17.5),
    ]


def finished_cars() -> list[Event]:
    return [
        evaluated("cars", 18.36),
        Saved(bytes=571_000_000),
        JobFinished(outcome="done", message="add cars --prune 0.75: done", seconds=390.0, status=0),
    ]
