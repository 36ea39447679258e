"""Recompute every count and every digest of a pack file, and report each."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from packnet_core.packfile import storage


class Finding(Struct, frozen=True):
    """The result of one check."""

    what: str
    ok: bool
    detail: str


def verify(path: str | Path) -> Iterator[Finding]:
    """Check header, tensors and counts, then each task's digest (law 1). Yields one Finding per check.

    Raises FileError if header, tensors and counts contradict each other. A digest that differs is a Finding.
    """
    network, document = storage.load(path)
    tensors = len(network.weights) + len(network.rest) + sum(map(len, network.own)) + 2 * network.tasks
    yield Finding("header and tensors", True, f"{tensors} tensors, whole and of the right shapes")
    yield Finding("layer counts", True, f"{document.weights:,} weights in {len(document.layers)} layers")
    own = []
    for index, task in enumerate(document.tasks, 1):
        own.append(network.weights_digest(index))
        digest = network.task_digest(index, own)
        if digest == task.digest:
            yield Finding(f"task {task.name}", True, digest)
        else:
            yield Finding(f"task {task.name}", False, f"is {digest}, and the header says {task.digest}")
