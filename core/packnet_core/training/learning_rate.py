"""The learning rate, step by step: a pure function of the recipe, so that a run that goes on meets the same rates."""

import math
from typing import Literal

from packnet_core.schema.recipes import Recipe

# one-cycle, as in Smith & Topin: where it begins and ends against its peak, and the share of steps that it rises
BEGIN, END, RISE = 1 / 25, 1 / (25 * 1e4), 0.3


def rate(recipe: Recipe, phase: Literal["train", "retrain"], step: int, steps_an_epoch: int) -> float:
    """The learning rate of a step (from 0) of a phase.

    `step` divides the rate by ten after `decays_after` epochs, and retrains at one rate unless `retrain_decay_epoch`
    says when that is divided (§4); `cosine` goes down to 0 with the phase; `onecycle` rises to the rate and falls far
    below it, both along a cosine. Over `warmup_epochs` the rate rises linearly from a tenth of what it would be;
    one-cycle has its own.
    """
    retrains = phase == "retrain"
    peak = recipe.retraining_lr if retrains else recipe.lr
    epochs = recipe.retraining_epochs if retrains else recipe.epochs
    steps = max(epochs * steps_an_epoch, 1)
    match recipe.schedule:
        case "onecycle":
            return peak * _one_cycle(step, steps)
        case "cosine":
            value = peak * (1 + math.cos(math.pi * step / steps)) / 2
        case "step":
            late = recipe.retrain_decay_epoch if retrains else recipe.decays_after
            value = peak if late is None or step < late * steps_an_epoch else peak / 10
    warm = recipe.warmup_epochs * steps_an_epoch
    return value * (0.1 + 0.9 * step / warm) if step < warm else value


def _one_cycle(step: int, steps: int) -> float:
    """A step's share of the peak."""
    top = RISE * steps - 1
    if step <= top:
        return _between(BEGIN, 1.0, step / top)
    return _between(1.0, END, (step - top) / max(steps - 1 - top, 1e-9))


def _between(a: float, b: float, share: float) -> float:
    """From a to b along half a cosine."""
    return b + (a - b) / 2 * (1 + math.cos(math.pi * share))
