"""Recipes by name: what `--recipe paper` stands for, by the data that it is for (§4). Needs no torch.

A recipe is a table from where data comes from (the beginning of `--data`; "" is all other) to settings: fields of a
`Recipe`, and fields of the command `Add` such as `own` or `steps`.
"""

from typing import Any

from packnet_core.errors import RequestError
from packnet_core.schema.document import Recipe

Settings = dict[str, Any]

# Fine-grained sets: "the same initial learning rate, decayed after 10 epochs, … a total of 20 epochs". After pruning
# "10 epochs with a constant learning rate of 1e-4", "a batch size of 32".
FINE_GRAINED: Settings = {
    "optimizer": "sgd", "schedule": "step", "lr": 1e-3, "epochs": 20, "decay_epoch": 10, "batch_size": 32,
    "retrain_epochs": 10, "retrain_lr": 1e-4,
}  # fmt: skip
# "For the larger Places365 dataset, we fine-tune for a total of 10 epochs, with learning rate decay after 5 epochs."
PLACES = FINE_GRAINED | {"epochs": 10, "decay_epoch": 5}
# "After pruning the initial ImageNet-trained network, … 10 epochs with a learning rate of 1e-3 decayed … after 5." The
# paper does not train on ImageNet before that; whoever does gets what it says of the other large set.
IMAGENET = PLACES | {"retrain_lr": 1e-3, "retrain_decay_epoch": 5}

# What the ablation in docs/results says, for small images and few of them: see there what each part gives and costs.
BEST: Settings = {
    "own": ("norms",), "optimizer": "adamw", "weight_decay": 1e-2, "batch_size": 16,
    "schedule": "onecycle", "lr": 5e-3, "retrain_lr": 2e-3,
}  # fmt: skip

RECIPES: dict[str, dict[str, Settings]] = {
    "paper": {"": FINE_GRAINED, "places365:": PLACES, "imagenet:": IMAGENET},
    "best": {"": BEST},
}


def settings(name: str, data: str) -> Settings:
    """What a recipe says for data, as `--data` takes it; nothing for the empty name.

    Raises RequestError, naming those there are, for a name that is none.
    """
    if not name:
        return {}
    if name not in RECIPES:
        raise RequestError(f"there is no recipe {name!r}; there is {', '.join(RECIPES)}")
    by_data = RECIPES[name]
    return by_data[max((start for start in by_data if data.startswith(start)), key=len)]


def changes(name: str, data: str) -> Settings:
    """Those of its settings that are fields of a Recipe."""
    return {field: value for field, value in settings(name, data).items() if field in Recipe.__struct_fields__}


def additions(name: str, data: str, first: bool = False) -> Settings:
    """Those that are fields of the command `Add`. A file's `first` task has nothing of its own: all is."""
    fields = set(settings(name, data)) - set(Recipe.__struct_fields__) - ({"own"} if first else set())
    return {field: value for field, value in settings(name, data).items() if field in fields}


def named(name: str, data: str) -> Recipe:
    """The recipe of that name for data: `Add(task="birds", data=data, recipe=named("paper", data))`."""
    return Recipe().changed(changes(name, data))
