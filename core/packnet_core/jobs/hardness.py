"""How hard data sets are (§5.1), by the error of a new head (Classifier Only, §4); `planning/order` sorts them.

The file is only read, and only heads are trained.
"""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import nn

from packnet_core.baselines import MultiHeadNetwork, NewTask, classifier_only
from packnet_core.data.loading import load
from packnet_core.data.reading import Reading
from packnet_core.packfile import storage
from packnet_core.schema.events import Epoch, Evaluated, Event, Hardness, PhaseStarted, Progress, TrainStep
from packnet_core.schema.recipes import Recipe


def measure(
    path: str | Path,
    data: Mapping[str, str],
    recipe: Recipe | None = None,
    *,
    features: str | None = None,
    limit: int | None = None,
    device: torch.device | str = "cpu",
    reading: Reading | None = None,
) -> Iterator[Event]:
    """Train a head for each data set (its name, and its source as `--data` takes it) on the features of a pack file.

    The features are those of the task named `features`, by default the newest task; in a file without tasks, those of
    the initial weights. Yields the events of the training, and a Hardness after each data set. The default recipe is
    the paper's: 20 epochs at 1e-3 throughout (§4). At most `limit` training images of each data set are used; `reading`
    says how. Raises FileError or RequestError if the file, the task or the data can't be used.

        found = [event for event in measure("model.safetensors", {"birds": "birds/"}) if isinstance(event, Hardness)]
    """
    recipe = recipe or Recipe()
    network, document = storage.load(path)
    with network.viewing(document.index(features) if features else network.tasks) as model:
        start = MultiHeadNetwork(copy.deepcopy(model).to(device), network.head)
    start.model.set_submodule(network.head, nn.Linear(network.features, 1))
    for name, source in data.items():
        loaded = load(source, document.input, limit=limit, seed=recipe.seed, reading=reading)
        yield PhaseStarted(phase="train", task=name, epochs=recipe.epochs, images=len(loaded.train))
        errors, error = [], None
        for event in classifier_only(start, NewTask(name, loaded, recipe)):
            if isinstance(event, Epoch) and event.validation_error is not None:
                errors.append(event.validation_error)
            if isinstance(event, Evaluated):
                error = event.error
            yield event
        assert error is not None
        validation = (min(errors) if recipe.pick == "best" else errors[-1]) if errors else None
        yield Hardness(name=name, data=loaded.record.source, classes=len(loaded.classes), validation_error=validation,
                       error=error, chance=loaded.chance)  # fmt: skip


def as_order(events: Iterator[Event]) -> Iterator[Event]:
    """The events of `measure` for a journal, in which only tasks of the file are trained and evaluated."""
    started = ""
    for event in events:
        match event:
            case TrainStep(task=name, step=step, steps=steps):
                if name != started:
                    yield PhaseStarted(phase="order", task=name, epochs=0, images=steps)
                    started = name
                yield Progress(task=name, done=step, images=steps)
            case Hardness():
                yield event
            case _:
                pass
