"""The state of a job in the middle of a phase, kept beside the file so that the job can be gone on with.

A safetensors file like all others here: the network, the owners one byte a weight (zeros are not free before a phase
has ended), the heads, the optimizer's tensors and the random state; and the job in the metadata.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from packnet_core.commands import Add, Prune, Train
from packnet_core.errors import FileError
from packnet_core.packfile.header import encode_document, read_safetensors_header
from packnet_core.records import Document

if TYPE_CHECKING:
    from torch import Tensor

    from packnet_core.network import PackedNetwork


class Checkpoint(Struct, frozen=True, kw_only=True):
    """What a checkpoint says of its job. `base` names the state of the file that it belongs to."""

    base: str
    command: Add | Prune | Train
    phase: Literal["train", "retrain"]
    document: Document  # the file's, with the open task in it as far as it is
    before: float | None  # validation error before pruning, in percent
    run: dict[str, Any]  # how far the phase is


def base(document: Document) -> str:
    """A name for the state of a file that a checkpoint goes with."""
    return hashlib.sha256(encode_document(document).encode()).hexdigest()


def find(path: Path, document: Document) -> Checkpoint | None:
    """The checkpoint that goes with the file as it stands; None where there is none or it can't be read. No torch."""
    try:
        metadata, _, _ = read_safetensors_header(path)
        checkpoint = msgspec.json.decode(metadata.get("checkpoint", ""), type=Checkpoint)
    except (FileError, msgspec.DecodeError):
        return None
    return checkpoint if checkpoint.base == base(document) else None


def write(path: Path, checkpoint: Checkpoint, network: "PackedNetwork", tensors: dict[str, "Tensor"]) -> None:
    """Write a checkpoint, atomically. Raises WorkError where the disk refuses."""
    from packnet_core.packfile.storage import write_atomically

    everything: dict[str, Tensor] = {f"network.{name}": t for name, t in {**network.weights, **network.rest}.items()}
    everything |= {f"owner.{name}": owner for name, owner in network.owners.items()}
    for index, head in enumerate(network.heads, 1):
        everything |= {f"head.{index}.{part}": t for part, t in head.state_dict().items()}
    everything |= {f"run.{name}": t for name, t in tensors.items()}
    write_atomically(path, everything, {"checkpoint": msgspec.json.encode(checkpoint).decode()})


def load(path: Path, checkpoint: Checkpoint) -> tuple["PackedNetwork", dict[str, "Tensor"]]:
    """The network as it was in the middle of the phase, and the run's tensors."""
    from safetensors import safe_open
    from torch import nn

    from packnet_core.packfile.storage import build

    document = checkpoint.document
    network = build(document.architecture, document.input.channels)
    with safe_open(path, framework="pt") as file:
        for name, tensor in (*network.weights.items(), *network.rest.items()):
            tensor.data.copy_(file.get_tensor(f"network.{name}"))
        for name in network.owners:
            network.owners[name] = file.get_tensor(f"owner.{name}").clone()
        for index, task in enumerate(document.tasks, 1):
            head = nn.Linear(network.features, len(task.classes))
            head.load_state_dict({part: file.get_tensor(f"head.{index}.{part}") for part in ("weight", "bias")})
            network.heads.append(head)
        names = list(file.keys())
        tensors = {n.removeprefix("run."): file.get_tensor(n).clone() for n in names if n.startswith("run.")}
    network.open = len(document.tasks)
    network.restore_view()
    return network, tensors
