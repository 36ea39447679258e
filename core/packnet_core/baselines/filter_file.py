"""Saves and loads a filter-pruning experiment: a safetensors file in a format of its own, replaced atomically.

Parameters and running statistics have the network's own names; the heads are `HEAD.0` and `HEAD.1`.
`packnet.freed.LAYER`, one bool per filter, says which filters are freed; owners follow from it. The rest is JSON in the
metadata, under `packnet-filters`.
"""

from pathlib import Path
from typing import Literal

import msgspec
import torch
from msgspec import Struct
from torch import nn

from packnet_core.baselines.filters import FilterExperiment, FilterTask, begin
from packnet_core.errors import FileError
from packnet_core.files.safetensors_reader import SafetensorsFile
from packnet_core.files.safetensors_writer import write_safetensors
from packnet_core.network import architectures
from packnet_core.packfile import trust
from packnet_core.schema.document import Architecture, Input
from packnet_core.schema.text import UNREADABLE, from_json

KEY, FREED = "packnet-filters", "packnet.freed."


class _Document(Struct, frozen=True, kw_only=True):
    version: Literal[1] = 1
    architecture: Architecture
    input: Input
    heads: tuple[int, ...]  # number of classes of each
    tasks: tuple[FilterTask, ...]


def save(path: str | Path, experiment: FilterExperiment) -> int:
    """Write the experiment, atomically. Returns the size in bytes. Raises WorkError if it can't be written."""
    network = experiment.network
    trust.allow(path, experiment.architecture.name)  # it was built by this process
    document = _Document(
        architecture=experiment.architecture,
        input=experiment.input,
        heads=tuple(head.out_features for head in network.heads),
        tasks=tuple(experiment.tasks),
    )
    tensors = network.model.state_dict()
    tensors |= {FREED + layer.name: freed for layer, freed in zip(network.layers, network.freed, strict=True)}
    return write_safetensors(Path(path), tensors, {"format": "pt", KEY: msgspec.json.encode(document).decode()}).bytes


def load(path: str | Path) -> FilterExperiment:
    """Read an experiment, on the CPU.

    Raises FileError if the file is not an experiment, is damaged, or does not fit the network that it names.
    """
    path = Path(path)
    file = SafetensorsFile(path)
    try:
        document = from_json(file.header.metadata[KEY], _Document)
    except KeyError:
        raise FileError(f"{path.name} is not a filter-pruning experiment") from None
    except UNREADABLE as error:
        raise FileError(f"{path.name}: its metadata is damaged, or of a newer version: {error}") from None
    architecture = document.architecture
    tensors = {name: file.tensor(name).clone() for name in file.header.tensors}
    trust.require(path, architecture.name)
    model = architectures.build(architecture.name, channels=document.input.channels, initialise=False)
    if not 1 <= len(document.heads) <= 2:
        raise FileError(f"{path.name} has {len(document.heads)} heads; it must have one or two")
    first, *second = (nn.Linear(architecture.features, classes) for classes in document.heads)
    try:
        model.set_submodule(architecture.head, first)
        experiment = begin(architecture, document.input, model)
        network = experiment.network
        found = [tensors.pop(FREED + layer.name) for layer in network.layers]
        if any(
            freed.dtype != torch.bool or freed.shape != (layer.filters,)
            for freed, layer in zip(found, network.layers, strict=True)
        ):
            raise FileError(f"{path.name}: its masks of freed filters do not fit its layers")
        network.freed = found
        network.assign_owners()
        for head in second:
            network.append_head(head)
        network.model.load_state_dict(tensors)
    except (KeyError, AttributeError, RuntimeError) as error:
        what = (str(error) or type(error).__name__).splitlines()[0]
        raise FileError(f"{path.name} and its network {architecture.name} disagree: {what}") from None
    experiment.tasks += document.tasks
    return experiment
