"""What a job in the middle of a phase leaves beside the file, so that it can be gone on with. Needs no torch."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from packnet_core.errors import FileError
from packnet_core.files.safetensors_header import read_safetensors_header
from packnet_core.packfile.header import encode_document
from packnet_core.schema.commands import Add, Prune, Train
from packnet_core.schema.document import Document


class Checkpoint(Struct, frozen=True, kw_only=True):
    """What a checkpoint says of its job. `base` names the state of the file that it belongs to."""

    base: str
    command: Add | Prune | Train
    phase: Literal["train", "retrain"]
    document: Document  # the file's, with the open task in it as far as it is
    before: float | None  # validation error before pruning, in percent
    run: dict[str, Any]  # how far the phase is
    step: int = 1  # of a pruning in several steps
    trials: tuple[tuple[float, float], ...] = ()  # ratios that were tried, and the validation error after each


def base(document: Document) -> str:
    """A name for the state of a file that a checkpoint goes with."""
    return hashlib.sha256(encode_document(document).encode()).hexdigest()


def read(path: Path) -> Checkpoint:
    """What a checkpoint says. Raises FileError or msgspec.DecodeError where it is none."""
    metadata, _, _ = read_safetensors_header(path)
    return msgspec.json.decode(metadata.get("checkpoint", ""), type=Checkpoint)


def find(path: Path, document: Document) -> Checkpoint | None:
    """The checkpoint that goes with the file as it stands; None where there is none or it can't be read."""
    try:
        checkpoint = read(path)
    except (FileError, msgspec.DecodeError):
        return None
    return checkpoint if checkpoint.base == base(document) else None
