"""Ranks filters by the Taylor criterion of Molchanov et al. (ICLR 2017), as §5.5 does.

To first order, removing a filter changes the loss by |mean over its map of activation × gradient|. The criterion is the
mean of that over images, divided by the layer's l2 norm so that layers can be compared.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from packnet_core.baselines.filter_chain import FilterLayer
from packnet_core.errors import Diverged
from packnet_core.training.loss_scaling import LossScaling


class Ranking:
    """Sums up the criterion of every filter over the forward and backward passes within `collecting`."""

    def __init__(self, layers: Sequence[FilterLayer]):
        self._layers = layers
        self._sums = [torch.zeros(layer.filters, device=layer.module.weight.device) for layer in layers]

    @contextmanager
    def collecting(self, scaling: LossScaling | None = None) -> Iterator[None]:
        """A context that collects from the passes within. The loss must be a batch's mean times `scaling`'s factor."""
        scaling = scaling or LossScaling(1.0)
        hooks = [
            layer.output.register_forward_hook(partial(self._forward_hook, index, scaling))
            for index, layer in enumerate(self._layers)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def ranks(self) -> list[Tensor]:
        """The criterion of every filter: one tensor per layer, on the CPU, of l2 norm 1.

        Raises Diverged, naming the layer, if a gradient was NaN or infinite.
        """
        for layer, total in zip(self._layers, self._sums, strict=True):
            if not bool(torch.isfinite(total).all()):
                raise Diverged(f"the gradients of {layer.name} are NaN or infinite: try a smaller --lr")
        return [F.normalize(total.cpu(), dim=0) for total in self._sums]

    def _forward_hook(self, index: int, scaling: LossScaling, module: nn.Module, given: object, out: Tensor) -> None:
        if out.requires_grad:  # not in validation
            # an in-place ReLU may set values of `out` to 0; their gradients are 0 too, so the products are the same
            out.register_hook(partial(self._add, index, scaling, out.detach()))

    def _add(self, index: int, scaling: LossScaling, activation: Tensor, gradient: Tensor) -> None:
        products = activation.float() * gradient.float()
        if products.dim() > 2:
            products = products.mean(tuple(range(2, products.dim())))
        if scaling.factor != 1 and not bool(torch.isfinite(products).all()):
            return  # half precision overflowed: the optimizer skips this step too
        # the gradient of an image's own loss is that of the batch's mean times the number of images
        self._sums[index] += products.abs().sum(0) * (len(products) / scaling.factor)


def lowest(ranks: Sequence[Tensor], freed: Sequence[Tensor], count: int) -> list[Tensor]:
    """Choose the `count` filters with the lowest ranks over all layers, of those that are not freed yet.

    Returns one bool per filter for each layer. At least one filter of each layer is kept. Ties go by layer, then by
    position.
    """
    chosen = [torch.zeros_like(layer) for layer in freed]
    left = [int((~layer).sum()) for layer in freed]
    candidates = [
        (rank if not gone else math.inf, layer, place)
        for layer, (values, gone_of) in enumerate(zip(ranks, freed, strict=True))
        for place, (rank, gone) in enumerate(zip(values.tolist(), gone_of.tolist(), strict=True))
    ]
    for rank, layer, place in sorted(candidates):
        if count > 0 and left[layer] > 1 and rank < math.inf:
            chosen[layer][place] = True
            left[layer] -= 1
            count -= 1
    return chosen
