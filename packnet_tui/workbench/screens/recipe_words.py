"""What a job would do, in words: how long it trains at which rate, what it owns and frees then."""

from collections.abc import Container, Sequence

from msgspec.structs import replace

from packnet_core.schema.document import Layer
from packnet_core.schema.recipes import Recipe
from packnet_tui.state import capacity
from packnet_tui.state.format import percent


def adding(recipe: Recipe, ratio: float | None, layers: Sequence[Layer], only: Container[str] | None = None) -> str:
    """A new task: trained on what is free, in some layers `only` if given, then pruned and retrained at a ratio."""
    takes = {layer.name: layer.free if only is None or layer.name in only else 0 for layer in layers}
    dense = [replace(layer, owned=(*layer.owned, takes[layer.name])) for layer in layers]
    after = capacity.total(capacity.preview(dense, ratio or 0))
    owns, frees = (percent(count, after.weights) for count in (after.kept, after.freed))
    if ratio is None:
        return f"{trained(recipe)}; not pruned yet: owns all that is free, {owns}"
    # nothing is free while a job trains that will free some
    shares = f": owns {owns}, frees {frees} for later tasks" if after.kept + after.freed else ""
    return f"{trained(recipe)}; pruned at {ratio:g}{shares}; then {retrained(recipe)}"


def trained(recipe: Recipe) -> str:
    """The training phase: the rate is divided by ten after the decay epoch (§4)."""
    late = recipe.decays_after
    if recipe.epochs == 0:
        return "not trained"
    if late == 0:
        return steady(recipe.epochs, recipe.lr / 10)
    return steady(recipe.epochs, recipe.lr) + _decay(recipe.lr, late, recipe.epochs)


def retrained(recipe: Recipe) -> str:
    """The phase after pruning: at one rate, unless the recipe says when it is divided."""
    epochs, rate, late = recipe.retraining_epochs, recipe.retraining_lr, recipe.retrain_decay_epoch
    if epochs == 0:
        return "no retraining"
    return steady(epochs, rate) + _decay(rate, late, epochs)


def _decay(rate: float, late: int | None, epochs: int) -> str:
    return f", {rate / 10:g} from epoch {late + 1}" if late is not None and late < epochs else ""


def steady(epochs: int, rate: float) -> str:
    """A number of epochs at one rate."""
    return f"{epochs} epoch{'' if epochs == 1 else 's'} at {rate:g}"
