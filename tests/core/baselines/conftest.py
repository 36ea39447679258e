"""Two tasks' data, and a whole filter-pruning experiment with them."""

import pytest

from packnet_core.baselines import filters
from packnet_core.data import loading
from tests import worlds
from tests.core.baselines.filter_experiments import INPUT, RECIPE, begin


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Two tasks, of 7 and 3 classes."""
    folder = tmp_path_factory.mktemp("data")
    made = {"old": (7, 0), "new": (3, 1)}
    return {
        name: loading.load(
            str(worlds.images(folder / f"{name}.npz", classes, 140, 35, channels=3, seed=seed)),
            INPUT,
            flip=False,
        )
        for name, (classes, seed) in made.items()
    }


@pytest.fixture(scope="session")
def done(data):
    """A whole experiment, and its events."""
    experiment = begin("digits_net")
    events = [
        *filters.train(experiment, "old", data["old"], RECIPE.changed({"epochs": 4})),
        *filters.prune(experiment, "old", data["old"], RECIPE, share=0.3, rounds=3),
        *filters.add(experiment, "new", data["new"], RECIPE.changed({"epochs": 4}), first=data["old"].test),
    ]
    return experiment, events
