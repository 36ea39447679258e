"""What a job would do, in words: epochs and rates of its training, and what fits with it."""

from packnet_core.planning.forecast import Forecast
from packnet_core.schema.recipes import Recipe
from packnet_tui.state.fits import sentence
from packnet_tui.state.format import percent


def adding(recipe: Recipe, ratio: float | None, found: Forecast, brief: bool = False) -> str:
    """A new task: trained on the free weights, pruned at a ratio and retrained; and which further tasks fit with it.

    `found` is what fits at the ratio, or at 0 without one.
    """
    if ratio is None:
        owns = percent(found.total.free, found.total.weights)
        return f"{trained(recipe)}; not pruned yet: owns all free weights, {owns}"
    fits = sentence(found, brief)
    first = ", this one first" if found.tasks > 1 else ""
    return f"{trained(recipe)}; pruned at {ratio:g}; then {retrained(recipe)}. {fits[0].upper()}{fits[1:]}{first}"


def trained(recipe: Recipe) -> str:
    """The training phase (§4)."""
    if recipe.epochs == 0:
        return "not trained"
    return _phase(recipe, recipe.epochs, recipe.lr, recipe.decays_after)


def retrained(recipe: Recipe) -> str:
    """The phase after pruning (§4)."""
    if recipe.retraining_epochs == 0:
        return "no retraining"
    return _phase(recipe, recipe.retraining_epochs, recipe.retraining_lr, recipe.retrain_decay_epoch)


def _phase(recipe: Recipe, epochs: int, rate: float, late: int | None) -> str:
    """Epochs at a rate by the recipe's schedule; the schedule `step` divides it by ten after `late` epochs."""
    match recipe.schedule:
        case "cosine":
            return f"{steady(epochs, rate)}, down to 0 along a cosine"
        case "onecycle":
            return f"{steady(epochs, rate)}, up and down in one cycle"
    if late == 0:
        return steady(epochs, rate / 10)
    return steady(epochs, rate) + (f", {rate / 10:g} from epoch {late + 1}" if late and late < epochs else "")


def steady(epochs: int, rate: float) -> str:
    """A number of epochs at one rate."""
    return f"{epochs} epoch{'' if epochs == 1 else 's'} at {rate:g}"
