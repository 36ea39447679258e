"""The learning rate of each step, as a pure function of the recipe, so that a resumed run has the same rates."""

import math
from typing import Literal

from packnet_core.schema.recipes import Recipe

# one-cycle (Smith & Topin): its first and last rate as shares of the peak, and the share of steps in which it rises
BEGIN, END, RISE = 1 / 25, 1 / (25 * 1e4), 0.3


def rate(recipe: Recipe, phase: Literal["train", "retrain"], step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step (from 0, over the whole phase).

    The schedule `step` divides the rate by ten after `decays_after` epochs, and in retraining after
    `retrain_decay_epoch`, if that is given (§4). `cosine` falls to 0 over the phase. `onecycle` rises to the recipe's
    rate and falls far below it, both along a cosine. During `warmup_epochs`, the rate is multiplied by a factor that
    rises linearly from 0.1 to 1; `onecycle` has its own warm-up.
    """
    retrains = phase == "retrain"
    peak = recipe.retraining_lr if retrains else recipe.lr
    epochs = recipe.retraining_epochs if retrains else recipe.epochs
    steps = max(epochs * steps_per_epoch, 1)
    match recipe.schedule:
        case "onecycle":
            return peak * _one_cycle(step, steps)
        case "cosine":
            value = peak * (1 + math.cos(math.pi * step / steps)) / 2
        case "step":
            late = recipe.retrain_decay_epoch if retrains else recipe.decays_after
            value = peak if late is None or step < late * steps_per_epoch else peak / 10
    warm = recipe.warmup_epochs * steps_per_epoch
    return value * (0.1 + 0.9 * step / warm) if step < warm else value


def _one_cycle(step: int, steps: int) -> float:
    """The rate of a step as a share of the peak."""
    top = RISE * steps - 1
    if step <= top:
        return _between(BEGIN, 1.0, step / top)
    return _between(1.0, END, (step - top) / max(steps - 1 - top, 1e-9))


def _between(a: float, b: float, share: float) -> float:
    """The value at a share of the way from a to b, along half a cosine."""
    return b + (a - b) / 2 * (1 + math.cos(math.pi * share))
