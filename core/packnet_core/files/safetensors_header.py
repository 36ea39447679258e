"""The header of a safetensors file: its metadata, and where each tensor is. Needs no torch.

The file starts with eight bytes (the header's length, little-endian), then the header: a JSON object with the type,
shape and offsets of every tensor, and `__metadata__`.
"""

import os
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from packnet_core.errors import FileError

LARGEST_HEADER = 100_000_000  # bytes; safetensors' own limit
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class TensorInfo(Struct, frozen=True):
    """One tensor's type, shape and offsets: where it begins and ends, in bytes after the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]

    @property
    def bytes(self) -> int:
        """The tensor's size in bytes."""
        return self.data_offsets[1] - self.data_offsets[0]


def read_safetensors_header(path: Path) -> tuple[dict[str, str], dict[str, TensorInfo], int]:
    """Read the metadata, the tensors' infos by name, and the file's size in bytes; no tensor is read.

    Raises FileError where the file is missing, can't be read, or is not a whole safetensors file: a header that is too
    long or no JSON, tensors that overlap, leave gaps, do not match their types and shapes, or do not fill the file.
    """

    def wrong(what: str) -> NoReturn:
        raise FileError(f"{path.name} is not a whole safetensors file: {what}")

    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8:
                wrong(f"it has {size} bytes")
            if length > min(size - 8, LARGEST_HEADER):
                wrong(f"its header would be {length} bytes long, in a file of {size}")
            raw = file.read(length)
    except FileNotFoundError:
        raise FileError(f"there is no file {path}; make one with: packnet new {path} --arch NAME") from None
    except OSError as error:
        raise FileError(f"{path} can't be read: {error.strerror}") from None
    try:
        fields: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
        metadata = msgspec.convert(fields.pop("__metadata__", None) or {}, dict[str, str])
        tensors = msgspec.convert(fields, dict[str, TensorInfo])
    except (msgspec.DecodeError, RecursionError) as error:
        wrong(f"its header can't be read ({error})")
    end = 0
    for name, info in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        count = ITEM_BYTES.get(info.dtype, 0)
        for side in info.shape:
            count *= side
        if min(info.shape, default=0) < 0 or info.data_offsets[0] != end or info.bytes != count:
            wrong(f"tensor {name!r} ({info.dtype} {list(info.shape)}) does not fit its place {list(info.data_offsets)}")
        end = info.data_offsets[1]
    if end != size - 8 - length:
        wrong(f"its tensors need {end} bytes, and {size - 8 - length} are there")
    return metadata, tensors, size
