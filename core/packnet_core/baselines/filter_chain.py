"""Finds a network's plain chain of layers, from images to its head; other networks are refused, naming the layer.

Whole filters can be freed if each layer's output goes to the next layer only. In residual and dense networks, filters
that are added or concatenated would have to be freed together: "more complicated" (§5.5), and not done here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import fx, nn

from packnet_core.errors import RequestError

LayerModule = nn.Conv2d | nn.Linear
Norm = nn.BatchNorm1d | nn.BatchNorm2d
# Modules allowed between layers. They treat each channel by itself and keep 0 at 0, so that the output of freed filters
# stays 0. The only activation is ReLU: the product of activation and gradient, by which filters are ranked, is the same
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
class FilterLayer:
    """A layer of the chain: its filters (or neurons, in a linear layer), and the module that normalises them, if any.

    `columns_per_filter` is the number of columns of its weights for each filter of the layer before: 1 after a
    convolution, H·W if maps of that size are flattened, 1 in the first layer (one column per image channel).
    """

    name: str
    module: LayerModule
    norm_name: str = ""
    norm: Norm | None = None
    columns_per_filter: int = 1

    @property
    def filters(self) -> int:
        """The number of filters."""
        return self.module.weight.shape[0]

    @property
    def output(self) -> nn.Module:
        """The module that gives the filters' activations, before the ReLU."""
        return self.norm or self.module


def find_chain(model: nn.Module, head: str) -> list[FilterLayer]:
    """The chain of a network, in order; its last layer is the module named `head`.

    Raises RequestError for a network that is not a plain chain, naming the first layer that breaks it.
    """
    kind = type(model).__name__

    def refuse(why: str) -> RequestError:
        return RequestError(
            f"filters of {kind} can't be pruned: {why}; the network must be a plain chain of convolutions, batch "
            "normalisation, ReLU, pooling and linear layers, such as VGG"
        )

    chain: list[FilterLayer] = []
    modules = dict(model.named_modules())
    for node in _nodes(model, refuse):
        module = modules[str(node.target)] if node.op == "call_module" else None
        if isinstance(module, LayerModule):
            if any(layer.module is module for layer in chain):
                raise refuse(f"layer {node.target!r} is used twice")
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                raise refuse(f"layer {node.target!r} is a grouped convolution")
            columns, before = module.weight.shape[1], chain[-1].filters if chain else module.weight.shape[1]
            if columns % before:
                raise refuse(f"layer {node.target!r} has {columns} columns for {before} filters before it")
            chain.append(FilterLayer(str(node.target), module, columns_per_filter=columns // before))
        elif isinstance(module, Norm):
            if not chain or chain[-1].norm or module.num_features != chain[-1].filters:
                raise refuse(f"{node.target!r} does not normalise the filters of the layer before it")
            if not module.affine or not module.track_running_stats or module.momentum is None:
                raise refuse(f"{node.target!r} has no gain and bias, or no running statistics with a momentum")
            chain[-1].norm_name, chain[-1].norm = str(node.target), module
        elif not (isinstance(module, MODULES) or node.target in FUNCTIONS or node.target in METHODS):
            raise refuse(f"it has {node.target if module is None else type(module).__name__!r} at {node.name!r}")
    if len(chain) < 2 or chain[-1].name != head or chain[-1].norm:
        raise refuse(f"it does not end in its head {head!r} after at least one other layer")
    return chain


def _nodes(model: nn.Module, refuse: Callable[[str], RequestError]) -> Iterator[fx.Node]:
    """The steps of a network's forward pass; each may take only the output of the step before."""
    try:
        graph = fx.Tracer().trace(model)
    except Exception as error:  # the network's own code may raise anything when it is traced
        raise refuse(f"it can't be traced ({str(error).splitlines()[0]})") from None
    before = None
    for node in graph.nodes:
        if before is not None and list(before.users) != [node]:
            raise refuse(f"the output of {before.name!r} goes to {len(before.users)} places")
        if before is not None and node.all_input_nodes != [before]:
            raise refuse(f"{node.name!r} takes more than the output of the step before it")
        if node.op not in ("placeholder", "output"):
            yield node
        before = node
