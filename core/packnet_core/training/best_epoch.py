"""The best epoch of a phase by validation error: saved to a file during the phase, loaded at its end.

It is a file and not a second copy in memory, since VGG-16 has half a gigabyte of weights.
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
from torch import Tensor

from packnet_core.errors import FileError
from packnet_core.files.safetensors_header import read_safetensors_header
from packnet_core.files.safetensors_reader import SafetensorsFile
from packnet_core.files.safetensors_writer import write_safetensors
from packnet_core.schema.text import UNREADABLE, from_json


class ValidatedEpoch(Struct, frozen=True, kw_only=True):
    """An epoch (0: before the first), and its error in percent and mean loss on the validation images."""

    epoch: int
    error: float
    loss: float

    def better_than(self, other: "ValidatedEpoch | None") -> bool:
        """Whether this epoch is better: by a lower error, then a lower loss, then a later epoch."""
        return other is None or self._rank < other._rank

    @property
    def _rank(self) -> tuple[float, float, int]:
        return self.error, self.loss, -self.epoch


class BestEpoch:
    """The tensors that a phase trains, as they were after its best epoch so far.

    `tensors` are those that training changes, by name. The file at `path` names its epoch, so it may be newer than a
    checkpoint: a run resumed from the checkpoint reaches that epoch again. Without a path, the file is temporary and is
    deleted with this object.
    """

    def __init__(self, tensors: Mapping[str, Tensor], path: Path | None = None):
        self.tensors, self.path = tensors, path
        self.found: ValidatedEpoch | None = None
        self.lost: ValidatedEpoch | None = None  # the best one before its file was deleted

    def offer(self, measured: ValidatedEpoch, last: bool) -> None:
        """Save the tensors if this epoch is the best so far. The phase's `last` epoch needs no file.

        Raises DiskError if the disk refuses; then the best one that was saved stays the best.
        """
        if not math.isfinite(measured.loss):  # JSON has no infinity
            measured = replace(measured, loss=sys.float_info.max)
        if self.found and not self._file().exists():
            self.lost, self.found = self.found, None
        if measured.better_than(self.found):
            if not last:
                write_safetensors(self._file(), self.tensors, {"epoch": msgspec.json.encode(measured).decode()})
            self.found = measured

    @torch.no_grad()
    def load(self, epoch: int) -> int:
        """Load the best epoch into the tensors, unless it is `epoch`, which they have now. Returns the best epoch.

        Raises FileError if the file is missing or damaged; the tensors then stay.
        """
        if self.found is None or self.found.epoch == epoch:
            return epoch
        self._check()
        file = SafetensorsFile(self._file())
        for name, tensor in self.tensors.items():
            tensor.data.copy_(file.tensor(name))
        return self.found.epoch

    def load_or_lose(self, epoch: int) -> int:
        """As `load`; where the file is missing or damaged, `epoch` is returned, and the best one is `lost`."""
        try:
            return self.load(epoch)
        except FileError:
            self.lost = self.found
            return epoch

    def restore(self, found: ValidatedEpoch | None, epochs: int) -> None:
        """Resume with the best epoch from a checkpoint (`found`), or a better one from the file.

        `epochs` is the number of epochs of the phase. Raises FileError if the file is missing or damaged.
        """
        self.found = found
        if self._file().exists() and (saved := self._saved()).better_than(found):
            self.found = saved
        if self.found and self.found.epoch != epochs:
            self._check()

    def _check(self) -> None:
        if self.found and (not self._file().exists() or self._saved() != self.found):
            raise FileError(
                f"epoch {self.found.epoch}, the best so far, is gone from {self.path}; give up the interrupted job "
                "with --yes, and train again"
            )

    def _saved(self) -> ValidatedEpoch:
        """The epoch in the file."""
        metadata = read_safetensors_header(self._file()).metadata
        try:
            return from_json(metadata.get("epoch", ""), ValidatedEpoch)
        except UNREADABLE:
            raise FileError(f"{self.path} does not say which epoch it holds") from None

    def _file(self) -> Path:
        """The path, or a new temporary one."""
        if self.path is None:
            folder = tempfile.mkdtemp(prefix="packnet-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self.path = Path(folder) / "epoch.safetensors"
        return self.path
