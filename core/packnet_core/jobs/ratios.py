"""The pruning ratios of a command: per layer, per step, and whether they leave any weight. Needs no torch."""

from packnet_core.errors import RequestError
from packnet_core.schema.commands import Add, Prune
from packnet_core.schema.document import Document, chosen_layers


def check_ratio(ratio: float) -> None:
    """Raise RequestError for a pruning ratio outside 0..1."""
    if not 0 <= ratio <= 1:
        raise RequestError(
            f"a pruning ratio is a share from 0 to 1, and {ratio:g} is not; 0.5 frees half of the weights"
        )


def layer_ratios(document: Document, command: Prune) -> dict[str, float]:
    """The pruning ratio of every layer. Keys of `command.layers` are layers, `conv`, `fc` or patterns; later ones win.

    Raises RequestError for a ratio outside 0..1 or a pattern that no layer matches.
    """
    check_ratio(command.ratio)
    ratios = {layer.name: command.ratio for layer in document.layers}
    for pattern, ratio in command.layers.items():
        check_ratio(ratio)
        ratios.update(dict.fromkeys(chosen_layers(document, (pattern,)), ratio))
    return ratios


def empties(document: Document, command: Add | Prune) -> bool:
    """Whether a command's pruning frees every weight of its task, so that it is no better than chance.

    Raises RequestError as `layer_ratios` does.
    """
    if isinstance(command, Prune):
        ratios, owned = layer_ratios(document, command), {layer.name: layer.owned[-1:] for layer in document.layers}
    elif command.prune is None:
        return False
    else:
        ratios = dict.fromkeys(chosen_layers(document, command.layers if document.tasks else ()), command.prune)
        owned = {layer.name: (layer.free,) for layer in document.layers}
    counts = [(sum(owned[name]), ratio) for name, ratio in ratios.items()]
    return any(count for count, _ in counts) and all(count == round(ratio * count) for count, ratio in counts)


def step_ratio(ratio: float, step: int, steps: int) -> float:
    """The share of a task's weights that is free after one of several steps (from 1).

    Each step frees the same share of the weights that are left; after the last the share is `ratio` itself.
    """
    return ratio if step == steps else 1 - (1 - ratio) ** (step / steps)
