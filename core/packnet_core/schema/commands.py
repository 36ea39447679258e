"""What can be asked of a file, as values. The command line and the screen make them, the engine reads them.

Needs no torch.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from packnet_core.schema.document import Own
from packnet_core.schema.limits import Positive, Share
from packnet_core.schema.recipes import Recipe

Changes = dict[str, bool | float | int | str]  # fields of a Recipe to replace


class Add(Struct, frozen=True, kw_only=True, tag="add"):
    """Seal the open task, train a new one on the free weights, then prune and retrain it if `prune` is given (§3)."""

    task: Annotated[str, Meta(min_length=1)]
    data: str
    recipe: Recipe = Recipe()
    flip: bool | None = None  # None: as the data suggests
    crop: bool | None = None  # the same
    limit: int | None = None
    prune: Share | None = None
    own: tuple[Own, ...] = ()  # what of the shared rest the task has itself: a later task's biases, normalisation
    layers: tuple[str, ...] = ()  # the layers it trains, by kind, name or pattern (§5.4); none: all
    steps: Positive = 1  # of its pruning
    device: str | None = None  # None: a GPU if there is one
    yes: bool = False  # also seal a task that is no better than chance, or give up an interrupted job


class Prune(Struct, frozen=True, kw_only=True, tag="prune"):
    """Set a share of the open task's weights free in every layer, then retrain what is left (§3)."""

    ratio: Share  # with `max_drop` the largest that is tried
    layers: dict[str, Share] = {}  # another ratio for some layers, by kind, name or pattern
    steps: Positive = 1  # prune by small amounts, with a retraining after each (§4, end)
    max_drop: Annotated[float, Meta(ge=0)] | None = None  # the points of validation error that it may cost
    trials: Positive = 6  # of ratios, at the most, to find the largest within `max_drop`
    named: str = ""  # a recipe by name, chosen by the task's data; `recipe` changes it
    recipe: Changes = {}
    data: str | None = None  # None: where the task's data was
    limit: int | None = None  # None: as the task was trained
    device: str | None = None
    yes: bool = False  # also give up an interrupted job


class Train(Struct, frozen=True, kw_only=True, tag="train"):
    """Go on training (or, once pruned, retraining) the open task; an interrupted job goes on where it was."""

    named: str = ""  # a recipe by name, as for `Prune`
    recipe: Changes = {}
    data: str | None = None
    limit: int | None = None
    device: str | None = None
    yes: bool = False

    @property
    def resumes(self) -> bool:
        """Whether this asks to go on with an interrupted job, if there is one: it changes nothing."""
        return not (self.recipe or self.named) and self.data is None and self.limit is None


class Evaluate(Struct, frozen=True, kw_only=True, tag="eval"):
    """Measure the test error of some tasks, or of all of them, each in one go: its weights are put together once."""

    tasks: tuple[str, ...] = ()
    data: str | None = None  # other data, only with one task
    sources: dict[str, str] = {}  # other data by task, and these tasks alone if no `tasks` are given
    mixed: str | None = None  # an .npz whose images each name their task; `tasks` are those in it, if none are given
    device: str | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether this measures on other data than the tasks were made with."""
        return self.data is not None or bool(self.sources) or self.mixed is not None


class Preview(Struct, frozen=True, kw_only=True, tag="preview"):
    """Measure the open task's error right after pruning at a row of ratios, before any retraining (§5.2, Figure 4).

    On a sample of the validation images (of the training images where there are none); nothing is changed.
    """

    # the telling ones first
    ratios: tuple[Share, ...] = (0.5, 0.75, 0.0, 0.9, 0.25, 0.6, 0.8, 0.95, 0.4, 0.7, 0.85, 0.1)
    images: Annotated[int, Meta(ge=1)] = 1000  # at the most
    device: str | None = None


Baseline = Literal["classifier", "individual", "lwf", "ewc", "joint", "filters"]


class Compare(Struct, frozen=True, kw_only=True, tag="compare"):
    """Measure what tasks would have by another way of adding them (§4, Baselines), with their own data and recipes.

    It begins with the first task's network as the file has it, or with other weights; nothing is changed. `classifier`
    and `individual` take each task by itself, `lwf`, `ewc` and `joint` the first tasks up to the last one named;
    `filters` adds one task to a network whose filters are pruned (§5.5), and keeps that network beside the file.
    """

    baseline: Baseline
    tasks: tuple[str, ...] = ()  # none: all but the first
    weights: str | None = None  # of the network to begin with, as `new` takes them
    recipe: Changes = {}
    device: str | None = None


class Drop(Struct, frozen=True, kw_only=True, tag="drop"):
    """Take the newest task out again; its weights become free. The first task can't be dropped."""

    task: str
    yes: bool = False


Command = Add | Prune | Train | Evaluate | Preview | Compare | Drop


def summary(command: Command) -> str:
    """One short line, as it would be typed."""
    match command:
        case Add(task=task, prune=None):
            return f"add {task}"
        case Add(task=task, prune=ratio):
            return f"add {task} --prune {ratio:g}"
        case Prune(max_drop=float(points)):
            return f"prune --max-drop {points:g}"
        case Prune(ratio=ratio):
            return f"prune {ratio:g}"
        case Train():
            return "train"
        case Evaluate(tasks=tasks, mixed=mixed):
            return " ".join(("eval", *tasks, *(("--mixed",) if mixed else ())))
        case Preview():
            return "preview"
        case Compare(baseline=baseline, tasks=tasks):
            return " ".join(("baseline", baseline, *tasks))
        case Drop(task=task):
            return f"drop {task}"
