"""Write a safetensors file, tensor by tensor and atomically."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packnet_core.files.atomic import replace_file
from packnet_core.files.safetensors_header import TensorInfo

ALIGNED = 64  # bytes: where torch's allocator puts a tensor, and its libraries expect one
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
    """A tensor that is encoded when its turn to be written comes, so that saving holds one layer at a time."""

    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    def array(self) -> NDArray[Any]: ...


def write_safetensors(
    path: Path,
    tensors: Mapping[str, Tensor | Encoded],
    metadata: dict[str, str],
    check: Callable[[], object] = lambda: None,
) -> int:
    """Replace `path` by a safetensors file, atomically (see `replace_file`). Returns its size in bytes.

    The same content gives the same bytes, unlike the library's writer. Raises WorkError where the disk refuses, and
    what `check` raises, which runs before the old file is replaced.
    """
    return replace_file(path, lambda file: _write(file, tensors, metadata), check)


def _write(file: BinaryIO, tensors: Mapping[str, Tensor | Encoded], metadata: dict[str, str]) -> None:
    header: dict[str, object] = {"__metadata__": metadata}
    sizes = {name: math.prod(tensor.shape) * tensor.dtype.itemsize for name, tensor in tensors.items()}
    # what fills whole lines first, so that layers lie as they may stay (`_stays`); then all so that no number straddles
    ordered = sorted(tensors, key=lambda name: (sizes[name] % ALIGNED != 0, -tensors[name].dtype.itemsize))
    end = 0
    for name in ordered:
        begin, end = end, end + sizes[name]
        header[name] = TensorInfo(DTYPES[tensors[name].dtype], tuple(tensors[name].shape), (begin, end))
    text = msgspec.json.encode(header)
    text += b" " * (-(8 + len(text)) % ALIGNED)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in ordered:
        tensor = tensors[name]
        array = tensor.detach().cpu().numpy() if isinstance(tensor, Tensor) else tensor.array()
        file.write(np.ascontiguousarray(array).data)
