"""Checkpoints: the network in the middle of a phase, written beside the pack file to resume from.

A safetensors file: the network, the owners with one byte per weight (zeros become free only when a phase ends), the
heads, the optimizer's tensors and the random state. The metadata describes the job (see `checkpoint_header`), and has a
digest of all of it: a damaged checkpoint is never resumed.
"""

import hashlib
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from packnet_core.errors import FileError
from packnet_core.files.safetensors_reader import SafetensorsFile
from packnet_core.files.safetensors_writer import data_digest, write_safetensors
from packnet_core.network.packed import PackedNetwork
from packnet_core.packfile import storage
from packnet_core.packfile.checkpoint_header import Checkpoint, decode
from packnet_core.packfile.stored import Stored


def write(path: Path, checkpoint: Checkpoint, network: PackedNetwork, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint, atomically; `tensors` are the training run's. Raises DiskError if the disk refuses."""
    everything: dict[str, Tensor] = {f"network.{name}": t for name, t in {**network.weights, **network.rest}.items()}
    everything |= {f"owner.{name}": owner for name, owner in network.owners.items()}
    for index, head in enumerate(network.heads, 1):
        everything |= {f"head.{index}.{part}": t for part, t in head.state_dict().items()}
        everything |= {f"rest.{index}.{name}": t for name, t in network.own[index - 1].items()}
    everything |= {f"run.{name}": t for name, t in tensors.items()}
    description = msgspec.json.encode(checkpoint).decode()
    digest = _digest(description, data_digest(everything))
    write_safetensors(path, everything, {"checkpoint": description, "digest": digest})


def check(path: Path) -> SafetensorsFile:
    """Open a checkpoint. Raises FileError if its digest differs: it is damaged."""
    file = SafetensorsFile(path)
    metadata = file.header.metadata
    description = metadata.get("checkpoint", "")
    if metadata.get("digest") != _digest(description, file.data_digest()):
        raise FileError(f"{path} is damaged")
    return file


def load(path: Path, pack_file: Path) -> tuple[Checkpoint, PackedNetwork, dict[str, Tensor]]:
    """Read a checkpoint of `pack_file`. Returns its description, the network on the CPU, and the run's tensors.

    The network is as it was in the middle of the phase. Raises FileError if the file is damaged (its digest differs, or
    it does not fit its network), RequestError if it names code that this user has not trusted for that pack file.
    """
    file = check(path)
    checkpoint = decode(file.header.metadata["checkpoint"])
    document = checkpoint.document
    found: dict[str, dict[str, Tensor]] = {kind: {} for kind in ("network", "owner", "head", "rest", "run")}
    for name in file.header.tensors:
        kind, _, rest = name.partition(".")
        if kind not in found:
            raise FileError(f"{path}: tensor {name!r} belongs to nothing")
        found[kind][rest] = file.tensor(name)
    tasks, names = range(1, len(document.tasks) + 1), {layer.name for layer in document.layers}
    stored = Stored(
        path,
        document,
        weights={layer.name: file.tensor(f"network.{layer.name}") for layer in document.layers},
        owners={layer.name: file.tensor(f"owner.{layer.name}").clone() for layer in document.layers},
        rest={name: tensor for name, tensor in found["network"].items() if name not in names},
        own=[_of_task(found["rest"], index) for index in tasks],
        heads=[_of_task(found["head"], index) for index in tasks],
    )
    _check(stored)
    network = storage.network_of(stored, pack_file)
    network.open = len(document.tasks)
    return checkpoint, network, {name: tensor.clone() for name, tensor in found["run"].items()}


def _of_task(tensors: dict[str, Tensor], index: int) -> dict[str, Tensor]:
    start = f"{index}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _check(stored: Stored) -> None:
    """Raises FileError if owners or heads do not fit their layers and tasks; `storage.skeleton` checks the rest."""
    for name, owner in stored.owners.items():
        if owner.dtype != torch.uint8 or owner.shape != stored.weights[name].shape or owner.max() > len(stored.heads):
            raise FileError(f"{stored.path}: the owners of {name!r} do not fit its weights and tasks")
    features = stored.document.architecture.features
    for task, head in zip(stored.document.tasks, stored.heads, strict=True):
        shapes = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in head.items()}
        count = len(task.classes)
        if shapes != {"weight": (torch.float32, (count, features)), "bias": (torch.float32, (count,))}:
            raise FileError(f"{stored.path}: the head of task {task.name!r} does not fit its classes")


def _digest(description: str, data: str) -> str:
    return hashlib.sha256(f"{description}\n{data}".encode()).hexdigest()
