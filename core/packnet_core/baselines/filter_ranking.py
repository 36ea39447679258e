"""How much each filter matters: the Taylor criterion of Molchanov et al. (ICLR 2017), which §5.5 prunes by.

To first order, the loss changes by |mean over a filter's map of activation × gradient| where that filter is silenced.
For each image, then the mean over images; divided by the layer's l2 norm, so that layers can be compared.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from packnet_core.baselines.filter_chain import Unit
from packnet_core.errors import Diverged
from packnet_core.training.loss_scaling import LossScaling


class Ranking:
    """Gathers the criterion of every filter from the passes, forward and back, that are made while it is `watching`."""

    def __init__(self, units: Sequence[Unit]):
        self._units = units
        self._sums = [torch.zeros(unit.filters, device=unit.layer.weight.device) for unit in units]

    @contextmanager
    def watching(self, scaling: LossScaling | None = None) -> Iterator[None]:
        """Gather meanwhile. The loss is to be a batch's mean, times the factor of `scaling` where there is one."""
        scaling = scaling or LossScaling(1.0)
        hooks = [
            unit.last.register_forward_hook(partial(self._watch, index, scaling))
            for index, unit in enumerate(self._units)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def ranks(self) -> list[Tensor]:
        """Every filter's criterion: a tensor a layer, on the CPU, of l2 norm 1.

        Raises Diverged, naming the layer, where it is NaN or infinite.
        """
        for unit, total in zip(self._units, self._sums, strict=True):
            if not bool(torch.isfinite(total).all()):
                raise Diverged(f"the gradients of {unit.name} are NaN or infinite: its filters can't be ranked")
        return [F.normalize(total.cpu(), dim=0) for total in self._sums]

    def _watch(self, index: int, scaling: LossScaling, module: nn.Module, given: object, out: Tensor) -> None:
        if out.requires_grad:  # not while it is validated
            # a ReLU may overwrite `out` by what it lets through: the product stays, as its gradient is 0 elsewhere
            out.register_hook(partial(self._add, index, scaling, out.detach()))

    def _add(self, index: int, scaling: LossScaling, activation: Tensor, gradient: Tensor) -> None:
        products = activation.float() * gradient.float()
        if products.dim() > 2:
            products = products.mean(tuple(range(2, products.dim())))
        if scaling.factor != 1 and not bool(torch.isfinite(products).all()):
            return  # half precision has overflowed: the step is left out too
        # an image's own loss has a gradient as many times that of the mean as there are images
        self._sums[index] += products.abs().sum(0) * (len(products) / scaling.factor)


def lowest(ranks: Sequence[Tensor], freed: Sequence[Tensor], count: int) -> list[Tensor]:
    """The `count` filters of the lowest rank over all layers that are not freed yet: a bool for each of each layer.

    At least one filter of each layer stays. Ties go by layer, then by place.
    """
    chosen = [torch.zeros_like(layer) for layer in freed]
    left = [int((~layer).sum()) for layer in freed]
    standing = [
        (rank if not gone else math.inf, layer, place)
        for layer, (values, gone_of) in enumerate(zip(ranks, freed, strict=True))
        for place, (rank, gone) in enumerate(zip(values.tolist(), gone_of.tolist(), strict=True))
    ]
    for rank, layer, place in sorted(standing):
        if count > 0 and left[layer] > 1 and rank < math.inf:
            chosen[layer][place] = True
            left[layer] -= 1
            count -= 1
    return chosen
