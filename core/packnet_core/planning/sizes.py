"""Sizes on disk, by arithmetic: the size rows of the paper's Tables 2 to 4, for any network and any tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from packnet_core.errors import RequestError
from packnet_core.network import architectures
from packnet_core.network.packed import PackedNetwork
from packnet_core.schema.document import MOST_TASKS, planes


@dataclass(frozen=True)
class Sizes:
    """Sizes of a pack file's tensors, in bytes, without its header."""

    classes: tuple[int, ...]  # number of classes, one entry per task
    weights: int  # number of prunable weights
    network: int  # bytes of the prunable weights
    rest: int  # bytes of biases, normalisation (with running statistics and their counters) and embeddings
    heads: int  # bytes of all tasks' heads
    owners: int  # bytes of the owners

    @property
    def bits(self) -> int:
        """Bits per weight for its owner: ceil(log2 N) for N tasks (§3)."""
        return planes(len(self.classes))

    @property
    def classifier_only(self) -> int:
        """Bytes of one network that all tasks share unchanged, with one head per task (§4, Classifier Only)."""
        return self.network + self.rest + self.heads

    @property
    def packed(self) -> int:
        """Bytes of a pack file: `classifier_only` and the owners."""
        return self.classifier_only + self.owners

    @property
    def individual(self) -> int:
        """Bytes of one network per task, each with its head (§4, Individual Networks)."""
        return len(self.classes) * (self.network + self.rest) + self.heads


def sizes(arch: str, classes: Sequence[int]) -> Sizes:
    """The sizes of a network (named as for `architectures.build`) with these tasks: `classes` has one number per task.

    Computed from shapes: nothing is downloaded, and only a `module:function` network is allocated. The results agree
    with the paper's (Tables 2 to 4), which are in 10^6 bytes: 4 bytes per value, with running statistics and heads, and
    2 bits per prunable weight for its owner among four tasks (1 bit for two tasks). The counters of batch
    normalisation, 8 bytes per layer, are too small to show in the tables.

    Raises RequestError for an unknown network, a network that can't be packed, a task without classes, and no tasks or
    too many.

    sizes("vgg16", (1000, 200, 196, 102)).packed    # 595 million bytes (Table 2)
    """
    if not 1 <= len(classes) <= MOST_TASKS:
        raise RequestError(f"there can be 1 to {MOST_TASKS} tasks, and {len(classes)} is not one of these numbers")
    if min(classes) < 1:
        raise RequestError(f"a task has one class or more, and {min(classes)} is fewer")
    model = architectures.shapes(arch)
    network = PackedNetwork(model, architectures.find_head(model))
    planes_of_a_layer = (planes(len(classes)) * ((weight.numel() + 7) // 8) for weight in network.weights.values())
    return Sizes(
        classes=tuple(classes),
        weights=sum(weight.numel() for weight in network.weights.values()),
        network=sum(map(_bytes, network.weights.values())),
        rest=sum(map(_bytes, network.rest.values())),
        heads=4 * (network.features + 1) * sum(classes),
        owners=sum(planes_of_a_layer),
    )


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
