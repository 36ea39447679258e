"""The best epoch of a phase by validation error: kept in a file while the phase goes on, put back when it has ended.

A file, and not a second copy in memory: a VGG-16 has half a gigabyte of weights.
"""

import math
import shutil
import sys
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path

import msgspec
import torch
from msgspec import Struct
from msgspec.structs import replace
from safetensors import safe_open
from torch import Tensor

from packnet_core.errors import FileError
from packnet_core.files.safetensors_header import read_safetensors_header
from packnet_core.files.safetensors_writer import write_safetensors


class Measured(Struct, frozen=True, kw_only=True):
    """An epoch, and its error (percent) and loss on the validation images."""

    epoch: int
    error: float
    loss: float

    def better_than(self, other: "Measured | None") -> bool:
        """The lower error wins, then the lower loss, then the later epoch."""
        return other is None or self._rank < other._rank

    @property
    def _rank(self) -> tuple[float, float, int]:
        return self.error, self.loss, -self.epoch


class BestEpoch:
    """What a phase trains (`tensors`, live, by name) as it was after the best of its epochs.

    The file at `path` says itself which epoch it holds, so that it may be newer than a checkpoint beside it: whoever
    goes on from there comes by that epoch again. Without a path it is a temporary one, gone with this object.
    """

    def __init__(self, tensors: Mapping[str, Tensor], path: Path | None = None):
        self.tensors, self.path = tensors, path
        self.found: Measured | None = None

    def offer(self, measured: Measured, last: bool) -> None:
        """Keep the present state if it is the best so far; the phase's last epoch needs no file."""
        if not math.isfinite(measured.loss):  # JSON has no infinity
            measured = replace(measured, loss=sys.float_info.max)
        if measured.better_than(self.found):
            self.found = measured
            if not last:
                write_safetensors(self._place(), self.tensors, {"epoch": msgspec.json.encode(measured).decode()})

    @torch.no_grad()
    def put_back(self, epoch: int) -> int:
        """Bring the tensors from the state after `epoch`, the last, to that after the best one. Returns which it is.

        Raises FileError where the file is gone or is not whole.
        """
        if self.found is None or self.found.epoch == epoch:
            return epoch
        self._check()
        with safe_open(self._place(), framework="pt") as file:
            for name, tensor in self.tensors.items():
                tensor.data.copy_(file.get_tensor(name))
        return self.found.epoch

    def restore(self, found: Measured | None, epochs: int) -> None:
        """Go on from what was found by a checkpoint of a phase of so many epochs, or has been written since.

        Raises FileError where the file is gone or is not whole.
        """
        self.found = found
        if self._place().exists() and (kept := self._kept()).better_than(found):
            self.found = kept
        if self.found and self.found.epoch != epochs:
            self._check()

    def _check(self) -> None:
        if self.found and (not self._place().exists() or self._kept() != self.found):
            raise FileError(
                f"epoch {self.found.epoch}, the best so far, is gone from {self.path}; give an interrupted job up by "
                "saying --yes, and train anew"
            )

    def _kept(self) -> Measured:
        metadata, _, _ = read_safetensors_header(self._place())
        try:
            return msgspec.json.decode(metadata.get("epoch", ""), type=Measured)
        except msgspec.DecodeError:
            raise FileError(f"{self.path} does not say which epoch it holds") from None

    def _place(self) -> Path:
        if self.path is None:
            folder = tempfile.mkdtemp(prefix="packnet-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self.path = Path(folder) / "epoch.safetensors"
        return self.path
