"""Read a safetensors file. It is opened once, so header and tensors belong together even if the file is replaced."""

import hashlib
import math
import mmap
from pathlib import Path

import torch
from torch import Tensor

from packnet_core.errors import FileError
from packnet_core.files.safetensors_header import open_to_read, parse_header
from packnet_core.files.safetensors_writer import DTYPES

READABLE = {name: dtype for dtype, name in DTYPES.items()} | {
    "F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16,
}  # fmt: skip


class SafetensorsFile:
    """A safetensors file: its `header`, and its tensors.

    The file is mapped privately: a tensor shares the pages of the file's cache until it is written to, and changes stay
    in memory. The map lives as long as a tensor from it. Raises FileError as `parse_header` does.
    """

    def __init__(self, path: Path):
        self.path = path
        with open_to_read(path) as file:
            self.header = parse_header(file, path)
            self._map = mmap.mmap(file.fileno(), self.header.size, access=mmap.ACCESS_COPY)

    def tensor(self, name: str) -> Tensor:
        """One tensor, mapped, on the CPU. Raises FileError if no tensor has that name."""
        info = self.header.tensors.get(name)
        if info is None:
            raise FileError(f"{self.path.name}: tensor {name!r} is missing")
        dtype, count = READABLE[info.dtype], math.prod(info.shape)
        if count == 0:
            return torch.empty(info.shape, dtype=dtype)
        begin = self.header.start + info.data_offsets[0]
        return torch.frombuffer(self._map, dtype=dtype, count=count, offset=begin).view(info.shape)

    def data_digest(self) -> str:
        """The SHA-256 of all tensors' bytes, in the order of the file, in hex."""
        return hashlib.sha256(memoryview(self._map)[self.header.start :]).hexdigest()
