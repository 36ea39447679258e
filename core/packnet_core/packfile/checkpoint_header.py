"""The description in a checkpoint: which job it resumes, and at which phase. Needs no torch; no tensor is read."""

import hashlib
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from packnet_core.errors import FileError, ReadError
from packnet_core.files.safetensors_header import read_safetensors_header
from packnet_core.packfile.header import encode_document
from packnet_core.schema.commands import Add, Prune, Train
from packnet_core.schema.document import Document
from packnet_core.schema.text import UNREADABLE, from_json


class Checkpoint(Struct, frozen=True, kw_only=True):
    """The state of an interrupted job. `base` identifies the state of the file that it belongs to (see `base`)."""

    base: str
    command: Add | Prune | Train
    phase: Literal["train", "retrain"]
    document: Document  # as the job has changed it so far
    before: float | None  # validation error before pruning, in percent
    run: dict[str, Any]  # the state of the training run; empty if none was under way
    step: int = 1  # of a pruning in several steps; 0: nothing is pruned yet
    trials: tuple[tuple[float, float], ...] = ()  # pruning ratios, and the validation error in percent after each

    @property
    def task(self) -> str:
        """The task that the job works on."""
        return self.document.tasks[-1].name if self.document.tasks else ""

    def adds_to(self, saved: Document) -> bool:
        """Whether its task is not in the file yet, whose document is `saved`."""
        return len(self.document.tasks) > len(saved.tasks)

    @property
    def epoch(self) -> int:
        """The epoch in which it stopped, from 1; the last one also if that was done."""
        epoch = self.run.get("epoch")
        return min(epoch, self.epochs or epoch) if isinstance(epoch, int) else 1

    @property
    def epochs(self) -> int:
        """The number of epochs of the phase in which it stopped; 0 if it stopped between two phases."""
        epochs = self.run.get("epochs")
        return epochs if isinstance(epochs, int) else 0


def base(document: Document) -> str:
    """An identifier of a file's state: the SHA-256 of its document, in hex."""
    return hashlib.sha256(encode_document(document).encode()).hexdigest()


def read(path: Path) -> Checkpoint:
    """Read a checkpoint's description. Raises FileError or one of UNREADABLE if the file is no checkpoint."""
    return decode(read_safetensors_header(path).metadata.get("checkpoint", ""))


def decode(description: str) -> Checkpoint:
    """Decode the description of a checkpoint. Raises one of UNREADABLE if it is not one."""
    return from_json(description, Checkpoint)


def is_damaged(path: Path) -> bool:
    """Whether there is a file that can't be read as a checkpoint."""
    try:
        read(path)
    except (FileError, *UNREADABLE):
        return path.exists()
    return False


def find(path: Path, document: Document, to_work: bool = False) -> Checkpoint | None:
    """The checkpoint that belongs to the file's present state; None if there is no such one, or it can't be read.

    With `to_work`, raises ReadError where the disk refuses to read one that is there: a job must not begin without it.
    """
    try:
        checkpoint = read(path)
    except ReadError:
        if to_work:
            raise
        return None
    except (FileError, *UNREADABLE):
        return None
    return checkpoint if checkpoint.base == base(document) else None
