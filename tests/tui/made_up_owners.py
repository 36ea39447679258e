"""Owners for made-up files: real bit planes and weights in place of their holes, as the header counts them."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from packnet_core.files.safetensors_header import read_safetensors_header
from packnet_core.packfile.header import read_header

SMALL = 100_000  # weights of the layers that are filled


def fill(path: Path) -> dict[str, np.ndarray]:
    """Write owners and weights of all small layers into a file, as its header counts them. Returns their owners."""
    header, start = read_header(path), read_safetensors_header(path).start
    tasks, made = len(header.document.tasks), {}
    dense = header.document.open_task is not None and header.document.open_task.phase == "trained"
    with open(path, "r+b") as file:
        for layer in header.document.layers:
            if layer.weights > SMALL:
                continue
            owner = made[layer.name] = owners(layer.shape, layer.owned)
            weights = (owner > 0).astype("<f4")
            if dense:
                weights[(owner == tasks) & (np.arange(owner.size).reshape(owner.shape) % 3 == 0)] = 0.0
            file.seek(start + header.tensors[layer.name].data_offsets[0])
            file.write(weights.tobytes())
            if planes := header.tensors.get(f"packnet.owner.{layer.name}"):
                code = np.where(weights != 0, owner - 1.0, 0).astype(np.uint8).reshape(-1)
                file.seek(start + planes.data_offsets[0])
                for bit in range(planes.shape[0]):
                    file.write(np.packbits(code >> bit & 1, bitorder="little").tobytes())
    return made


def owners(shape: Sequence[int], owned: Sequence[int]) -> np.ndarray:
    """Owners of a layer with these counts: each task prefers some filters, as in a trained network."""
    count, rng = math.prod(shape), np.random.default_rng(7)
    liking = rng.random((len(owned) + 1, shape[0], 1)) + 0.7 * rng.random((len(owned) + 1, 1, count // shape[0]))
    free = np.arange(count)
    owner = np.zeros(count, np.uint8)
    for task, wanted in enumerate(owned, 1):
        likes = liking[task].reshape(-1)[free] + 0.5 * rng.random(free.size)
        taken = free[np.argsort(-likes, kind="stable")[:wanted]]
        owner[taken] = task
        free = np.setdiff1d(free, taken, assume_unique=True)
    return owner.reshape(tuple(shape))
