"""Checkpoints: the network in the middle of a phase, written beside the pack file to resume from.

A safetensors file: the network, the owners with one byte per weight (zeros become free only when a phase ends), the
heads, the optimizer's tensors and the random state. The metadata describes the job (see `checkpoint_header`), and has a
digest of all of it: a damaged checkpoint is never resumed.
"""

import hashlib
from pathlib import Path

import msgspec
from torch import Tensor, nn

from packnet_core.errors import FileError
from packnet_core.files.safetensors_reader import SafetensorsFile
from packnet_core.files.safetensors_writer import data_digest, write_safetensors
from packnet_core.network import layers
from packnet_core.network.packed import PackedNetwork
from packnet_core.packfile.checkpoint_header import Checkpoint, decode
from packnet_core.packfile.storage import build


def write(path: Path, checkpoint: Checkpoint, network: PackedNetwork, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint, atomically; `tensors` are the training run's. Raises DiskError where the disk refuses."""
    everything: dict[str, Tensor] = {f"network.{name}": t for name, t in {**network.weights, **network.rest}.items()}
    everything |= {f"owner.{name}": owner for name, owner in network.owners.items()}
    for index, head in enumerate(network.heads, 1):
        everything |= {f"head.{index}.{part}": t for part, t in head.state_dict().items()}
        everything |= {f"rest.{index}.{name}": t for name, t in network.own[index - 1].items()}
    everything |= {f"run.{name}": t for name, t in tensors.items()}
    description = msgspec.json.encode(checkpoint).decode()
    digest = _digest(description, data_digest(everything))
    write_safetensors(path, everything, {"checkpoint": description, "digest": digest})


def load(path: Path) -> tuple[Checkpoint, PackedNetwork, dict[str, Tensor]]:
    """Read a checkpoint: its description, the network in the middle of the phase, on the CPU, and the run's tensors.

    Raises FileError if the file is damaged: its digest differs, or it does not fit its network.
    """
    file = SafetensorsFile(path)
    metadata = file.header.metadata
    description = metadata.get("checkpoint", "")
    if metadata.get("digest") != _digest(description, file.data_digest()):
        raise FileError(f"{path} is damaged; give the interrupted job up with --yes, and do it again")
    checkpoint = decode(description)
    document = checkpoint.document
    network = build(document.architecture, document.input.channels)
    for name, tensor in (*network.weights.items(), *network.rest.items()):
        tensor.data.copy_(file.tensor(f"network.{name}"))
    for name in network.owners:
        network.owners[name] = file.tensor(f"owner.{name}").clone()
    for index, task in enumerate(document.tasks, 1):
        head = nn.Linear(network.features, len(task.classes))
        head.load_state_dict({part: file.tensor(f"head.{index}.{part}") for part in ("weight", "bias")})
        network.heads.append(head)
        own = layers.own_names(network.model, network.rest, task.own)
        network.own.append({name: file.tensor(f"rest.{index}.{name}").clone() for name in own})
    names = [name for name in file.header.tensors if name.startswith("run.")]
    tensors = {name.removeprefix("run."): file.tensor(name).clone() for name in names}
    network.open = len(document.tasks)
    network.restore_view()
    return checkpoint, network, tensors


def _digest(description: str, data: str) -> str:
    return hashlib.sha256(f"{description}\n{data}".encode()).hexdigest()
