"""How a task is trained: the fields of `Recipe`, each described once, and recipes by name (§4). Needs no torch.

The command line, the forms, the signatures of the API and the table in docs/recipe.md are made from these fields.
"""

from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from packnet_core.errors import RequestError
from packnet_core.schema.fields import Field, about, described
from packnet_core.schema.limits import LARGEST_SEED, BatchSize, Epochs
from packnet_core.schema.plain import converted

Settings = dict[str, Any]  # by name: fields of a `Recipe`, and fields of the command `Add` such as `own` or `steps`

Rate = Annotated[float, Meta(gt=0)]
BelowOne = Annotated[float, Meta(ge=0, lt=1)]


class Recipe(Struct, frozen=True, kw_only=True):
    """How a task is trained. The defaults are the paper's (§4); `unset` is the meaning of None."""

    optimizer: Annotated[Literal["sgd", "adamw"], about("optimizer", "Optimizer: sgd with momentum, or adamw.")] = "sgd"
    lr: Annotated[Rate, about("learning rate", "Learning rate of training.", "§4")] = 1e-3
    momentum: Annotated[BelowOne, about("momentum", "Momentum of sgd.")] = 0.9
    weight_decay: Annotated[float, Meta(ge=0), about("weight decay", "Weight decay, not of sealed weights.")] = 0.0
    batch_size: Annotated[BatchSize, about("batch size", "Images per step.", "§4")] = 32
    epochs: Annotated[Epochs, about("epochs", "Passes over the training images.", "§4")] = 20
    decay_epoch: Annotated[
        Epochs | None,
        about(
            "lower the rate at epoch",
            "Divide the learning rate by ten after this epoch.",
            "§4",
            unset="half of the epochs",
        ),
    ] = None
    retrain_epochs: Annotated[
        Epochs | None,
        about("retraining epochs", "Epochs of retraining after pruning.", "§3, §4", unset="half of the epochs"),
    ] = None
    retrain_lr: Annotated[
        Rate | None,
        about("retraining rate", "Learning rate of retraining.", "§4", unset="a tenth of the learning rate"),
    ] = None
    retrain_decay_epoch: Annotated[
        Epochs | None,
        about(
            "lower retrain rate at", "Divide the rate of retraining by ten after this epoch of it.", "§4", unset="never"
        ),
    ] = None
    seed: Annotated[
        int,
        Meta(ge=0, le=LARGEST_SEED),
        about("random seed", "Seed of the validation split, the order of the images and the new head."),
    ] = 0
    schedule: Annotated[
        Literal["step", "cosine", "onecycle"],
        about(
            "rate schedule",
            "Learning rate: divided by ten once, down to 0 along a cosine, or one cycle up and down.",
            "§4",
        ),
    ] = "step"
    warmup_epochs: Annotated[
        Epochs, about("warm-up epochs", "Raise the learning rate linearly over the first N epochs.")
    ] = 0
    label_smoothing: Annotated[
        BelowOne, about("label smoothing", "Share of each label that is spread over all classes.")
    ] = 0.0
    clip: Annotated[
        Rate | None,
        about(
            "clip gradients at norm",
            "Clip the gradient of all that is trained to this norm.",
            unset="off",
            metavar="NORM",
        ),
    ] = None
    precision: Annotated[
        Literal["float32", "bf16", "fp16"],
        about("precision", "Precision of activations and products in training; weights stay float32."),
    ] = "float32"
    channels_last: Annotated[
        bool,
        about(
            "channels-last memory", "Memory format of the images in training.", flags="--channels-last/--channels-first"
        ),
    ] = False
    pick: Annotated[
        Literal["best", "last"],
        about(
            "end with which epoch", "Epoch that each phase ends with: the best on the validation images, or the last."
        ),
    ] = "best"

    def changed(self, changes: Settings) -> "Recipe":
        """This recipe with some values replaced. Raises RequestError if a value is outside of its limits."""
        try:
            changed: Recipe = converted({**msgspec.structs.asdict(self), **changes}, Recipe)
            return changed
        except TypeError as error:
            raise RequestError(f"recipe: {error}") from None

    @property
    def decays_after(self) -> int:
        """The epoch after which the rate is divided by ten: half of the epochs, and at least one."""
        return max(self.epochs // 2, 1) if self.decay_epoch is None else self.decay_epoch

    @property
    def retraining_epochs(self) -> int:
        """The epochs of retraining: half of those of training, and at least one if there are any."""
        half = max(self.epochs // 2, min(self.epochs, 1))
        return half if self.retrain_epochs is None else self.retrain_epochs

    @property
    def retraining_lr(self) -> float:
        """The learning rate of retraining: a tenth of that of training, unless given."""
        return self.lr / 10 if self.retrain_lr is None else self.retrain_lr


# The order in which fields are shown: those of training only, those of retraining after pruning only, and all others.
TRAINING = ("epochs", "lr", "decay_epoch")
RETRAINING = ("retrain_epochs", "retrain_lr", "retrain_decay_epoch")
BOTH = tuple(name for name in Recipe.__struct_fields__ if name not in TRAINING + RETRAINING)


@cache
def fields() -> dict[str, Field]:
    """Every field of `Recipe` by name, in the order in which they are shown."""
    found = described(Recipe)
    return {name: found[name] for name in (*TRAINING, *RETRAINING, *BOTH)}


# -- recipes by name -----------------------------------------------------------------------------------------------

# Fine-grained sets: "the same initial learning rate, decayed after 10 epochs, … a total of 20 epochs". After pruning
# "10 epochs with a constant learning rate of 1e-4", "a batch size of 32".
FINE_GRAINED: Settings = {
    "optimizer": "sgd", "schedule": "step", "lr": 1e-3, "epochs": 20, "decay_epoch": 10, "batch_size": 32,
    "retrain_epochs": 10, "retrain_lr": 1e-4,
}  # fmt: skip
# "For the larger Places365 dataset, we fine-tune for a total of 10 epochs, with learning rate decay after 5 epochs."
PLACES = FINE_GRAINED | {"epochs": 10, "decay_epoch": 5}
# "After pruning the initial ImageNet-trained network, … 10 epochs with a learning rate of 1e-3 decayed … after 5." The
# paper does not train on ImageNet before that; training on it gets the recipe of the other large set.
IMAGENET = PLACES | {"retrain_lr": 1e-3, "retrain_decay_epoch": 5}

# The best of the ablation, on few small images; docs/results has the gain and the cost of each part.
BEST: Settings = {
    "own": ("norms",), "optimizer": "adamw", "weight_decay": 1e-2, "batch_size": 16,
    "schedule": "onecycle", "lr": 5e-3, "retrain_lr": 2e-3,
}  # fmt: skip

# By name, then by the data: the beginning of `--data`, or "" for all other data.
RECIPES: dict[str, dict[str, Settings]] = {
    "paper": {"": FINE_GRAINED, "places365:": PLACES, "imagenet:": IMAGENET},
    "best": {"": BEST},
}


def settings(name: str, data: str) -> Settings:
    """The settings of a recipe by name, for data as `--data` takes it; empty for the empty name.

    Raises RequestError, listing all recipes, if no recipe has that name.
    """
    if not name:
        return {}
    if name not in RECIPES:
        raise RequestError(f"there is no recipe {name!r}; the recipes are {', '.join(RECIPES)}")
    by_data = RECIPES[name]
    return by_data[max((start for start in by_data if data.startswith(start)), key=len)]


def divided(settings: Settings) -> tuple[Settings, Settings]:
    """Divide settings into those that are fields of `Recipe` and the others, which are fields of a command."""
    changes = {name: value for name, value in settings.items() if name in Recipe.__struct_fields__}
    return changes, {name: value for name, value in settings.items() if name not in changes}


def changes(name: str, data: str) -> Settings:
    """The settings of a recipe by name that are fields of `Recipe`."""
    return divided(settings(name, data))[0]


def additions(name: str, data: str, first: bool = False) -> Settings:
    """The settings of a recipe by name that are fields of the command `Add`.

    A file's `first` task takes no `own`, as the shared rest is its own.
    """
    others = divided(settings(name, data))[1]
    return {field: value for field, value in others.items() if not (first and field == "own")}


def named(name: str, data: str) -> Recipe:
    """The recipe of that name, for data as `--data` takes it.

    Add(task="birds", data=data, recipe=named("paper", data))
    """
    return Recipe().changed(changes(name, data))
