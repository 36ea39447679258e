"""The optimizers that a recipe can name (§4)."""

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from packnet_core.schema.recipes import Recipe


def make_optimizer(recipe: Recipe, parameters: list[nn.Parameter]) -> Optimizer:
    """The recipe's optimizer of these parameters, with torch's fused kernels."""
    if recipe.optimizer == "adamw":
        return AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    return SGD(parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True)
