"""Recompute every count and every digest of a pack file, and report each."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from packnet_core.network.pruning import is_finite
from packnet_core.packfile import storage, trust
from packnet_core.packfile.header import HEAD, REST
from packnet_core.packfile.stored import read


class Finding(Struct, frozen=True):
    """The result of one check."""

    what: str
    ok: bool
    detail: str


def verify(path: str | Path) -> Iterator[Finding]:
    """Check header, tensors and counts, then each task's digest (law 1). Yields one Finding per check.

    No code that the file names is run: the tensors' names and shapes are compared with those of packnet's own
    architectures alone.

    Raises FileError if header, tensors and counts contradict each other. A digest that differs is a Finding.
    """
    stored = read(path)
    document = stored.document
    if not trust.names_code(document.architecture.name):
        storage.skeleton(stored, stored.path)
    tensors = {**stored.weights, **stored.rest}
    for index, (head, own) in enumerate(zip(stored.heads, stored.own, strict=True), 1):
        tensors |= {f"{HEAD}{index}.{name}": tensor for name, tensor in head.items()}
        tensors |= {f"{REST}{index}.{name}": tensor for name, tensor in own.items()}
    yield Finding("header and tensors", True, f"{len(tensors)} tensors, whole and of the right shapes")
    yield Finding("layer counts", True, f"{document.weights:,} weights in {len(document.layers)} layers")
    for name, tensor in tensors.items():
        if not is_finite(tensor):
            yield Finding(f"tensor {name}", False, "has values that are NaN or infinite")
    own_digests: list[str] = []
    for index, task in enumerate(document.tasks, 1):
        own_digests.append(stored.weights_digest(index))
        digest = stored.task_digest(index, own_digests)
        if digest == task.digest:
            yield Finding(f"task {task.name}", True, digest)
        else:
            yield Finding(f"task {task.name}", False, f"is {digest}, and the header says {task.digest}")
