"""What a job would do, in words: epochs and rates of its training, and what the task would own and free."""

from collections.abc import Container, Sequence

from msgspec.structs import replace

from packnet_core.schema.document import Layer
from packnet_core.schema.recipes import Recipe
from packnet_tui.state import capacity
from packnet_tui.state.format import percent


def adding(recipe: Recipe, ratio: float | None, layers: Sequence[Layer], only: Container[str] | None = None) -> str:
    """A new task: trained on the free weights (of `only` some layers, if given), pruned at a ratio, and retrained."""
    takes = {layer.name: layer.free if only is None or layer.name in only else 0 for layer in layers}
    dense = [replace(layer, owned=(*layer.owned, takes[layer.name])) for layer in layers]
    after = capacity.total(capacity.after_pruning(dense, ratio or 0))
    owns, frees = (percent(count, after.weights) for count in (after.kept, after.freed))
    if ratio is None:
        return f"{trained(recipe)}; not pruned yet: owns all free weights, {owns}"
    # while a job trains, nothing is free yet
    shares = f": owns {owns}, frees {frees} for later tasks" if after.kept + after.freed else ""
    return f"{trained(recipe)}; pruned at {ratio:g}{shares}; then {retrained(recipe)}"


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
