"""In what order to add tasks: the hardest first (§5.1), where hard is what a new head alone answers wrongly.

Nothing is written: the file is read, and only heads are trained (the paper's Classifier Only, §4).
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from msgspec import Struct
from torch import nn

from packnet_core.baselines import Shared, TaskOf, classifier_only
from packnet_core.data.loading import load
from packnet_core.packfile import storage
from packnet_core.schema.document import Error
from packnet_core.schema.events import Epoch, Evaluated, Event, PhaseStarted
from packnet_core.schema.recipes import Recipe


class Hardness(Struct, frozen=True, kw_only=True):
    """What a new head alone made of one data set; errors in percent."""

    name: str
    data: str  # as it was resolved
    classes: int
    validation_error: float | None  # after the best epoch; None without validation images
    error: Error  # on the test set
    chance: float

    @property
    def measure(self) -> float:
        """What tasks are ordered by: the validation error, as the test set is for what is reported alone."""
        return self.error.top1 if self.validation_error is None else self.validation_error


def hardest_first(found: Sequence[Hardness]) -> list[Hardness]:
    return sorted(found, key=lambda hardness: -hardness.measure)


def measure(
    path: str | Path,
    data: Mapping[str, str],
    recipe: Recipe | None = None,
    *,
    features: str | None = None,
    limit: int | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[Event | Hardness]:
    """Train a head for each data set (name: as `--data` takes it) on the features of a file's network.

    Those of the task called `features`, or of the newest one, or, without any, of the weights as they were given.
    Yields the events of the work, and a Hardness at the end of each. The recipe's default is the paper's: 20 epochs
    at 1e-3 throughout (§4). Raises FileError or RequestError where file, task or data can't be used.
    """
    recipe = recipe or Recipe()
    network, document = storage.load(path)
    with network.viewing(document.index(features) if features else network.tasks) as model:
        start = Shared(copy.deepcopy(model).to(device), network.head)
    start.model.set_submodule(network.head, nn.Linear(network.features, 1))
    for name, source in data.items():
        loaded = load(source, document.input, limit=limit, seed=recipe.seed)
        yield PhaseStarted(phase="train", task=name, epochs=recipe.epochs, images=len(loaded.train))
        errors, error = [], None
        for event in classifier_only(start, TaskOf(name, loaded, recipe)):
            if isinstance(event, Epoch) and event.validation_error is not None:
                errors.append(event.validation_error)
            if isinstance(event, Evaluated):
                error = event.error
            yield event
        assert error is not None
        validation = (min(errors) if recipe.pick == "best" else errors[-1]) if errors else None
        yield Hardness(name=name, data=loaded.record.source, classes=len(loaded.classes), validation_error=validation,
                       error=error, chance=loaded.chance)  # fmt: skip
