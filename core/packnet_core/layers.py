"""Every tensor of a network sorted: prunable weights, the shared rest, the head; or refused by name."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from packnet_core.errors import RequestError

PRUNABLE = (_ConvNd, nn.Linear)  # grouped, depthwise and transposed convolutions are convolutions too
UNPACKABLE = (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase, nn.Bilinear)


@dataclass
class Sorted:
    """The tensors of a network by their state-dict names; each tensor once, under its first name."""

    weights: dict[str, nn.Parameter]  # prunable
    rest: dict[str, Tensor]  # shared rest: biases, normalisation, embeddings, buffers


def sort(model: nn.Module, head: str) -> Sorted:
    """Sort a network's tensors; those of the module named `head` are left out. Tied weights are one weight.

    Raises RequestError, naming the layer, for what can't be packed: attention, recurrent layers, weight
    normalisation and other parametrisations, and weights that the head shares with the network.
    """
    _refuse(model)
    inside_head = {id(p) for p in model.get_submodule(head).parameters()}
    prunable = {
        id(module.weight)
        for name, module in model.named_modules()
        if isinstance(module, PRUNABLE) and not _within(name, head)
    }
    found = Sorted({}, {})
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if _within(name, head) or id(tensor) in seen:
            continue
        if id(tensor) in inside_head:
            raise RequestError(
                f"layer {name!r} shares its weights with the head {head!r}; untie them to pack this network"
            )
        seen.add(id(tensor))
        if id(tensor) in prunable:
            found.weights[name] = tensor
        else:
            found.rest[name] = tensor
    if not found.weights:
        raise RequestError(
            "this network has no convolution and no linear layer besides its head: nothing can be packed"
        )
    return found


def freeze_statistics(model: nn.Module) -> None:
    """Put every layer with running statistics in evaluation mode: in training they move even without gradients."""
    for module in model.modules():
        if isinstance(module, _NormBase) and module.track_running_stats:
            module.eval()


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def _refuse(model: nn.Module) -> None:
    for name, why in _unpackable(model):
        raise RequestError(f"layer {name or type(model).__name__!r} can't be packed: {why}")
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise RequestError(f"tensor {name!r} is {tensor.dtype}, and a network to pack is float32 throughout")


def _unpackable(model: nn.Module) -> Iterator[tuple[str, str]]:
    for name, module in model.named_modules():
        if isinstance(module, UNPACKABLE):
            yield name, f"it is a {type(module).__name__}, and only convolutions and linear layers can be pruned so far"
        elif parametrize.is_parametrized(module):
            yield (
                name,
                "its weights are parametrised; remove that first (torch.nn.utils.parametrize.remove_parametrizations)",
            )
        elif isinstance(module, PRUNABLE) and not isinstance(getattr(module, "weight", None), nn.Parameter):
            yield name, "its weight is computed from others (weight or spectral normalisation); remove that first"
        elif isinstance(module, nn.modules.lazy.LazyModuleMixin) and module.has_uninitialized_params():  # type: ignore[misc]
            yield name, "its shape is not known yet; run the network once first"
