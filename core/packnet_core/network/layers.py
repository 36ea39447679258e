"""Partition of a network's tensors into prunable weights, the shared rest and the head."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from packnet_core.errors import RequestError
from packnet_core.schema.document import Own

PRUNABLE = (_ConvNd, nn.Linear)  # grouped, depthwise and transposed convolutions are convolutions too
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
# of attention: one weight for queries, keys and values, or three if their widths differ; its output projection is a
# linear layer
PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
UNPACKABLE = (nn.RNNBase, nn.RNNCellBase, nn.Bilinear)


@dataclass
class Partition:
    """A network's tensors by their state-dict names, without the head; each tensor once, under its first name."""

    weights: dict[str, nn.Parameter]  # prunable
    rest: dict[str, Tensor]  # the shared rest: biases, normalisation, embeddings, buffers


def partition(model: nn.Module, head: str) -> Partition:
    """Partition a network's tensors, without those of the module named `head`. Tied weights count as one weight.

    Raises RequestError, naming the layer, for a network that can't be packed: one with recurrent or bilinear layers,
    weight normalisation or other parametrisations, tensors other than float32, weights that the head shares, or no
    prunable weights at all.
    """
    _refuse(model)
    inside_head = {id(p) for p in model.get_submodule(head).parameters()}
    prunable = {
        id(weight) for name, module in model.named_modules() if not _within(name, head) for weight in _prunable(module)
    }
    found = Partition({}, {})
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


def own_names(model: nn.Module, rest: Iterable[str], kinds: Iterable[Own]) -> list[str]:
    """The names, out of `rest`, of the shared tensors that a task with own tensors of these kinds replaces.

    `biases` are those of every layer (§5.3), `norms` gain, bias and running statistics of normalisation (§4, end).
    """
    kinds = set(kinds)
    norms = {f"{name}.{part}" for name, m in model.named_modules() if isinstance(m, NORMS) for part in m.state_dict()}
    return [
        name
        for name in rest
        if ("norms" in kinds and name in norms) or ("biases" in kinds and name.rpartition(".")[2].endswith("bias"))
    ]


def freeze_statistics(model: nn.Module, but: Container[str] = ()) -> None:
    """Put layers with running statistics in evaluation mode, except those whose statistics are named in `but`.

    In training mode, running statistics would change even without gradients.
    """
    for name, module in model.named_modules():
        if isinstance(module, _NormBase) and module.track_running_stats and f"{name}.running_mean" not in but:
            module.eval()


def _prunable(module: nn.Module) -> list[Tensor]:
    """The prunable weights of this module, without its submodules."""
    if isinstance(module, nn.MultiheadAttention):
        weights = [getattr(module, name) for name in PROJECTIONS]
        return [weight for weight in weights if weight is not None]
    return [module.weight] if isinstance(module, PRUNABLE) else []


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
            yield name, f"it is a {type(module).__name__}; only convolutions, linear layers and attention can be pruned"
        elif parametrize.is_parametrized(module):
            yield (
                name,
                "its weights are parametrised; remove that first (torch.nn.utils.parametrize.remove_parametrizations)",
            )
        elif isinstance(module, PRUNABLE) and not isinstance(getattr(module, "weight", None), nn.Parameter):
            yield name, "its weight is computed from others (weight or spectral normalisation); remove that first"
        elif isinstance(module, nn.modules.lazy.LazyModuleMixin) and module.has_uninitialized_params():  # type: ignore[misc]
            yield name, "its shape is not known yet; run the network once first"
