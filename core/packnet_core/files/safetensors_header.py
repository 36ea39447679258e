"""The header of a safetensors file: its metadata, and the offsets of each tensor. Needs no torch.

The file starts with eight bytes (the header's length, little-endian), then the header: a JSON object with the type,
shape and offsets of every tensor, and `__metadata__`.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple, NoReturn

import msgspec
from msgspec import Meta, Struct

from packnet_core.errors import FileError, ReadError
from packnet_core.schema.limits import Count
from packnet_core.schema.text import UNREADABLE, printable

LARGEST_HEADER = 1 << 25  # bytes
MOST_ENTRIES = 2_000_000  # values in its JSON, the brackets and commas in texts counted too; each may take 100 bytes
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class TensorInfo(Struct, frozen=True):
    """One tensor's type and shape, and the offsets of its begin and end, in bytes after the end of the header."""

    dtype: str
    shape: Annotated[tuple[Annotated[int, Meta(ge=0, lt=1 << 48)], ...], Meta(max_length=64)]
    data_offsets: tuple[Count, Count]

    @property
    def bytes(self) -> int:
        """The tensor's size in bytes."""
        return self.data_offsets[1] - self.data_offsets[0]


class SafetensorsHeader(NamedTuple):
    """A file's metadata and tensors, and its size in bytes; the tensors' data begins at byte `start`."""

    metadata: dict[str, str]
    tensors: dict[str, TensorInfo]
    size: int
    start: int


def read_safetensors_header(path: Path) -> SafetensorsHeader:
    """Read the header of a file; no tensor is read.

    Raises FileError if the file is missing, can't be read, or is not a whole safetensors file (see `parse_header`).
    """
    with open_to_read(path) as file:
        return parse_header(file, path)


@contextmanager
def open_to_read(path: Path) -> Iterator[BinaryIO]:
    """Open a file once: all that is read from it belongs together, even if another file replaces it meanwhile.

    Raises FileError if it is missing or can't be read.
    """
    try:
        with open(path, "rb") as file:
            yield file
    except FileNotFoundError:
        raise FileError(f"there is no file {path}; make one with: packnet new {path} --arch NAME") from None
    except OSError as error:
        raise ReadError(f"{path} can't be read: {error.strerror or error}") from None


def parse_header(file: BinaryIO, path: Path) -> SafetensorsHeader:
    """Read and check the header of an open file; `path` is used in errors.

    Raises FileError if it is not a whole safetensors file: a header that is too long or no JSON, tensors that
    overlap, leave gaps, do not match their types and shapes, or do not fill the file.
    """

    def wrong(what: str) -> NoReturn:
        raise FileError(f"{path.name} is not a whole safetensors file: {what}")

    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8:
        wrong(f"it has {size} bytes")
    if length > min(size - 8, LARGEST_HEADER):
        wrong(f"its header would be {length} bytes long, in a file of {size}")
    raw = file.read(length)
    if sum(map(raw.count, (b",", b"[", b"{"))) > MOST_ENTRIES:
        wrong(f"its header has more than {MOST_ENTRIES:,} entries")
    try:
        fields: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
        metadata = msgspec.convert(fields.pop("__metadata__", None) or {}, dict[str, str])
        tensors = msgspec.convert({printable(name): info for name, info in fields.items()}, dict[str, TensorInfo])
    except UNREADABLE as error:
        wrong(f"its header can't be read ({error})")
    end = 0
    for name, info in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        if info.dtype not in ITEM_BYTES:
            wrong(f"tensor {name!r} has the type {info.dtype!r}, which is unknown")
        count = ITEM_BYTES[info.dtype] * math.prod(info.shape)
        if info.data_offsets[0] != end or info.bytes != count:
            wrong(f"tensor {name!r} ({info.dtype} {list(info.shape)}) does not fit its place {list(info.data_offsets)}")
        end = info.data_offsets[1]
    if end != size - 8 - length:
        wrong(f"its tensors need {end} bytes, and {size - 8 - length} are there")
    return SafetensorsHeader(metadata, tensors, size, 8 + length)
