"""A network seen as a plain chain of filters, from images to its head; or refused, with the place where it is none.

Whole filters can be freed where each layer's outputs go to the next layer alone. What skips a layer (residual and
dense networks) would have to be freed together with all that it meets: "more complicated" (§5.5), and not done here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import fx, nn

from packnet_core.errors import RequestError

Layer = nn.Conv2d | nn.Linear
Norm = nn.BatchNorm1d | nn.BatchNorm2d
# What may stand between layers: each channel by itself, and 0 stays 0, so that a freed filter's silence is passed on.
# Of activations only ReLU: there the product of activation and gradient, by which filters are ranked, is the same
# before and after it.
MODULES = (
    nn.ReLU, nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten,
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d,
)  # fmt: skip
FUNCTIONS = (
    torch.flatten, torch.relu, F.relu, F.dropout,
    F.max_pool2d, F.avg_pool2d, F.adaptive_max_pool2d, F.adaptive_avg_pool2d,
)  # fmt: skip
METHODS = ("flatten", "relu")


@dataclass
class Unit:
    """A layer of the chain: its filters (a fully connected layer's neurons count as such), and what normalises them.

    `spread` of its columns belong to each filter of the layer before: 1 after a convolution, H·W where an image of
    that size was flattened. For the first layer it is 1: its columns are the image's channels.
    """

    name: str
    layer: Layer
    norm_name: str = ""
    norm: Norm | None = None
    spread: int = 1

    @property
    def filters(self) -> int:
        return self.layer.weight.shape[0]

    @property
    def last(self) -> nn.Module:
        """The module whose output the filters' activations are, but for the ReLU."""
        return self.norm or self.layer


def find(model: nn.Module, head: str) -> list[Unit]:
    """The chain of a network; the head is its last unit.

    Raises RequestError, saying where, for a network that is no such chain.
    """
    kind = type(model).__name__

    def refuse(why: str) -> RequestError:
        return RequestError(
            f"filters of {kind} can't be pruned: {why}; it takes a plain chain of convolutions, batch normalisation, "
            "ReLU, pooling and linear layers, such as VGG"
        )

    units: list[Unit] = []
    modules = dict(model.named_modules())
    for node in _nodes(model, refuse):
        module = modules[str(node.target)] if node.op == "call_module" else None
        if isinstance(module, Layer):
            if any(unit.layer is module for unit in units):
                raise refuse(f"layer {node.target!r} is used twice")
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                raise refuse(f"layer {node.target!r} is a grouped convolution")
            columns, before = module.weight.shape[1], units[-1].filters if units else module.weight.shape[1]
            if columns % before:
                raise refuse(f"layer {node.target!r} has {columns} columns for {before} filters before it")
            units.append(Unit(str(node.target), module, spread=columns // before))
        elif isinstance(module, Norm):
            if not units or units[-1].norm or module.num_features != units[-1].filters:
                raise refuse(f"{node.target!r} does not normalise the filters of the layer before it")
            if not module.affine or not module.track_running_stats or module.momentum is None:
                raise refuse(f"{node.target!r} has no gain and bias, or no running statistics with a momentum")
            units[-1].norm_name, units[-1].norm = str(node.target), module
        elif not (isinstance(module, MODULES) or node.target in FUNCTIONS or node.target in METHODS):
            raise refuse(f"it has {node.target if module is None else type(module).__name__!r} at {node.name!r}")
    if len(units) < 2 or units[-1].name != head or units[-1].norm:
        raise refuse(f"it does not end in its head {head!r} after at least one other layer")
    return units


def _nodes(model: nn.Module, refuse: Callable[[str], RequestError]) -> Iterator[fx.Node]:
    """The steps of a network's forward pass, each fed by the one before and by nothing else."""
    try:
        graph = fx.Tracer().trace(model)
    except Exception as error:  # whatever the network's own code does with a stand-in for an image
        raise refuse(f"its steps can't be followed ({str(error).splitlines()[0]})") from None
    before = None
    for node in graph.nodes:
        if before is not None and list(before.users) != [node]:
            raise refuse(f"the output of {before.name!r} goes to {len(before.users)} places")
        if before is not None and node.all_input_nodes != [before]:
            raise refuse(f"{node.name!r} takes more than the step before it")
        if node.op not in ("placeholder", "output"):
            yield node
        before = node
