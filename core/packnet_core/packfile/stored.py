"""What a pack file holds, by name. No network is built, so no code that a file names is run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packnet_core.errors import FileError
from packnet_core.files.safetensors_reader import SafetensorsFile
from packnet_core.network import digests, owners
from packnet_core.packfile.header import HEAD, OWNER, REST, check_header
from packnet_core.schema.document import Document, dense_layers


@dataclass(frozen=True)
class Stored:
    """The document and the tensors of a file, on the CPU; tasks are counted from 1.

    weights  prunable weights by name, float32
    owners   their owners, uint8 of the same shapes: 0 free, k task k
    rest     the shared rest by name
    own      per task, the tensors that replace shared ones
    heads    per task, `weight` k×features and `bias` k
    """

    path: Path
    document: Document
    weights: dict[str, Tensor]
    owners: dict[str, Tensor]
    rest: dict[str, Tensor]
    own: list[dict[str, Tensor]]
    heads: list[dict[str, Tensor]]

    def rest_of(self, task: int) -> dict[str, Tensor]:
        """The shared rest as a task has it."""
        return {**self.rest, **self.own[task - 1]}

    def weights_digest(self, task: int) -> str:
        """Hex digest of the weights that a task owns."""
        return digests.weights_digest(((n, w, self.owners[n]) for n, w in self.weights.items()), task)

    def task_digest(self, task: int, weights_digests: list[str]) -> str:
        """Digest of all that a task uses, as `sha256:` and hex; `weights_digests` are those of the first tasks."""
        rest, head = (digests.tensors_digest(tensors) for tensors in (self.rest_of(task), self.heads[task - 1]))
        return digests.task_digest(weights_digests[:task], rest, head)


def read(path: str | Path) -> Stored:
    """Read a pack file; its tensors are mapped (see `SafetensorsFile`), its owners decoded.

    Raises FileError, naming what is wrong, if header, tensors and counts contradict each other.
    """
    path = Path(path)
    file = SafetensorsFile(path)  # opened once: header and tensors belong together, whatever replaces the file
    document = check_header(path, file.header).document
    weights = {layer.name: file.tensor(layer.name) for layer in document.layers}
    found = {name: torch.from_numpy(read_owners(file, document, name, w.numpy())) for name, w in weights.items()}
    for layer in document.layers:
        counted = owners.counts(found[layer.name], len(document.tasks))
        if tuple(counted) != layer.owned:
            raise FileError(
                f"{path.name}: layer {layer.name!r} has owners' counts {counted}, and its header says "
                f"{list(layer.owned)}"
            )
    own: list[dict[str, Tensor]] = [{} for _ in document.tasks]
    rest = {}
    for name in file.header.tensors:
        if name.startswith(REST):
            index, _, shared = name.removeprefix(REST).partition(".")
            own[int(index) - 1][shared] = file.tensor(name)
        elif name not in weights and not name.startswith("packnet."):
            rest[name] = file.tensor(name)
    parts = ("weight", "bias")
    heads = [{part: file.tensor(f"{HEAD}{k}.{part}") for part in parts} for k in range(1, len(own) + 1)]
    return Stored(path, document, weights, found, rest, own, heads)


def read_owners(file: SafetensorsFile, document: Document, name: str, weight: NDArray[np.float32]) -> owners.Bytes:
    """Decode the owners of one layer from an open file: uint8 in the layer's shape."""
    if not document.tasks:
        return np.zeros(weight.shape, np.uint8)
    dense = len(document.tasks) if name in dense_layers(document) else 0
    encoded = file.tensor(OWNER + name).numpy() if len(document.tasks) > 1 else None
    return owners.decode(encoded, weight, dense)
