"""Write a safetensors file atomically, one tensor at a time."""

import hashlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packnet_core.files.atomic import Written, check_room, replace_file
from packnet_core.files.safetensors_header import TensorInfo

ALIGNED = 64  # bytes: torch's allocator aligns tensors to this, and its libraries expect it
DTYPES = {
    torch.float32: "F32",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


class Encoded(Protocol):
    """A tensor that is encoded when it is written, so that only one is in memory at a time."""

    @property
    def dtype(self) -> torch.dtype:
        """The type that the array will have."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the array will have."""

    def array(self) -> NDArray[Any]:
        """Encode the tensor: an array of this dtype and shape."""


def write_safetensors(
    path: Path,
    tensors: Mapping[str, Tensor | Encoded],
    metadata: dict[str, str],
    check: Callable[[Path], object] = lambda _: None,
    *,
    new: bool = False,
) -> Written:
    """Replace `path` by a safetensors file, atomically. Returns what `replace_file` returns.

    The same content gives the same bytes, unlike with the library's writer. `check` and `new` are those of
    `replace_file`. Raises DiskError if the disk refuses, RequestError if a new file exists already, and what
    `check` raises.
    """
    check_room(path.parent, sum(map(_size, tensors.values())), path.name)
    return replace_file(path, lambda file: _write(file, tensors, metadata), check, new=new)


def _write(file: BinaryIO, tensors: Mapping[str, Tensor | Encoded], metadata: dict[str, str]) -> None:
    header: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name in _ordered(tensors):
        begin, end = end, end + _size(tensors[name])
        header[name] = TensorInfo(DTYPES[tensors[name].dtype], tuple(tensors[name].shape), (begin, end))
    text = msgspec.json.encode(header)
    text += b" " * (-(8 + len(text)) % ALIGNED)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in _ordered(tensors):
        file.write(_bytes(tensors[name]))


def data_digest(tensors: Mapping[str, Tensor | Encoded]) -> str:
    """The SHA-256 of all tensors' bytes as the file will have them, in hex (see `SafetensorsFile.data_digest`)."""
    digest = hashlib.sha256()
    for name in _ordered(tensors):
        digest.update(_bytes(tensors[name]))
    return digest.hexdigest()


def _ordered(tensors: Mapping[str, Tensor | Encoded]) -> list[str]:
    """The order of the tensors in the file.

    First come tensors whose size is a multiple of ALIGNED: all of them are then aligned, and can stay mapped when they
    are loaded. The others follow by size of a number, the largest first, so that every number is aligned.
    """
    return sorted(tensors, key=lambda name: (_size(tensors[name]) % ALIGNED != 0, -tensors[name].dtype.itemsize))


def _size(tensor: Tensor | Encoded) -> int:
    return math.prod(tensor.shape) * tensor.dtype.itemsize


def _bytes(tensor: Tensor | Encoded) -> memoryview:
    array = tensor.detach().cpu().numpy() if isinstance(tensor, Tensor) else tensor.array()
    return np.ascontiguousarray(array).data
