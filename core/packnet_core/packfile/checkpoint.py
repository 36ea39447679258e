"""Checkpoints: the network in the middle of a phase, written beside the pack file to resume from.

A safetensors file: the network, the owners with one byte per weight (zeros become free only when a phase ends), the
heads, the optimizer's tensors and the random state. The metadata describes the job (see `checkpoint_header`).
"""

from pathlib import Path

import msgspec
from safetensors import safe_open
from torch import Tensor, nn

from packnet_core.files.safetensors_writer import write_safetensors
from packnet_core.network import layers
from packnet_core.network.packed import PackedNetwork
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.packfile.storage import build


def write(path: Path, checkpoint: Checkpoint, network: PackedNetwork, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint, atomically; `tensors` are the training run's. Raises WorkError where the disk refuses."""
    everything: dict[str, Tensor] = {f"network.{name}": t for name, t in {**network.weights, **network.rest}.items()}
    everything |= {f"owner.{name}": owner for name, owner in network.owners.items()}
    for index, head in enumerate(network.heads, 1):
        everything |= {f"head.{index}.{part}": t for part, t in head.state_dict().items()}
        everything |= {f"rest.{index}.{name}": t for name, t in network.own[index - 1].items()}
    everything |= {f"run.{name}": t for name, t in tensors.items()}
    write_safetensors(path, everything, {"checkpoint": msgspec.json.encode(checkpoint).decode()})


def load(path: Path, checkpoint: Checkpoint) -> tuple[PackedNetwork, dict[str, Tensor]]:
    """Read a checkpoint: the network as it was in the middle of the phase, on the CPU, and the run's tensors."""
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
            own = layers.own_names(network.model, network.rest, task.own)
            network.own.append({name: file.get_tensor(f"rest.{index}.{name}").clone() for name in own})
        names = list(file.keys())
        tensors = {n.removeprefix("run."): file.get_tensor(n).clone() for n in names if n.startswith("run.")}
    network.open = len(document.tasks)
    network.restore_view()
    return network, tensors
