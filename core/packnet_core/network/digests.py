"""SHA-256 over everything that a task uses, built from one digest per owner so that no weight is hashed twice.

All numbers are little-endian, weights row-major. `docs/format.md` describes the same for other languages.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

OwnedLayer = tuple[str, Tensor, Tensor]  # name, weight float32, owner uint8 of the same shape


def weights_digest(layers: Iterable[OwnedLayer], task: int) -> str:
    """Hex digest of the weights that one task owns: per layer its name and shape, their positions and their values."""
    digest = hashlib.sha256()
    for name, weight, owner in layers:
        own = (owner.cpu().numpy() == task).reshape(-1)
        digest.update(_title(name, "F32", weight.shape))
        digest.update(np.packbits(own, bitorder="little").data)
        digest.update(weight.detach().cpu().numpy().reshape(-1)[own].data)
    return digest.hexdigest()


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Hex digest of whole tensors (the shared rest, or a head), in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        array = np.ascontiguousarray(tensor.detach().cpu().numpy())
        digest.update(_title(name, "F32" if tensor.dtype == torch.float32 else str(array.dtype), tensor.shape))
        digest.update(array.data)
    return digest.hexdigest()


def task_digest(owners: Iterable[str], rest: str, head: str) -> str:
    """The digest of all that a task uses, as `sha256:` and hex.

    All three are hex digests: `owners` of the weights of task 1, 2, … up to the task itself, `rest` of the shared rest
    with the task's own tensors in it, `head` of its head.
    """
    return "sha256:" + hashlib.sha256("\n".join([*owners, rest, head]).encode()).hexdigest()


def _title(name: str, dtype: str, shape: Iterable[int]) -> bytes:
    sides = tuple(shape)
    return name.encode() + b"\0" + dtype.encode() + b"\0" + struct.pack(f"<{len(sides) + 1}Q", len(sides), *sides)
