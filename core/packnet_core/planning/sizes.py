"""What packing saves, by arithmetic: the size rows of the paper's Tables 2 to 4, for any network and any tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from packnet_core.errors import RequestError
from packnet_core.network import architectures
from packnet_core.network.packed import PackedNetwork
from packnet_core.schema.document import MOST_TASKS, planes


@dataclass(frozen=True)
class Sizes:
    """Bytes, as a pack file has them: those of its tensors, without its header.

    `classes` has one entry a task; `weights` are the prunable ones (a count), `network` their bytes, `rest` those of
    biases, normalisation (running statistics and their counters too) and embeddings, `heads` those of all tasks.
    """

    classes: tuple[int, ...]
    weights: int
    network: int
    rest: int
    heads: int
    owners: int

    @property
    def bits(self) -> int:
        """Bits a weight that say who owns it: ceil(log2 N) for N tasks (§3)."""
        return planes(len(self.classes))

    @property
    def classifier_only(self) -> int:
        """One network that all tasks use as it is, and a head a task."""
        return self.network + self.rest + self.heads

    @property
    def packed(self) -> int:
        """The same, and who owns each weight."""
        return self.classifier_only + self.owners

    @property
    def individual(self) -> int:
        """A network a task, each with its head."""
        return len(self.classes) * (self.network + self.rest) + self.heads


def sizes(arch: str, classes: Sequence[int]) -> Sizes:
    """The sizes of a network (as `architectures.build` takes it) for tasks of so many classes each.

    From shapes alone: nothing is downloaded, and of networks known by name nothing is allocated. The paper's figures
    come out as it prints them, in 10^6 bytes: 4 bytes a value, running statistics and heads counted, owners at 2 bits
    a weight of convolutions and fully connected layers outside the heads (1 bit for two tasks). The counters of batch
    normalisation, 8 bytes a layer, are below what it prints.

    Raises RequestError for an unknown network, one that can't be packed, no tasks or too many, a task without classes.
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
