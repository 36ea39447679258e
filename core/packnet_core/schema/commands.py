"""Commands for a pack file, as values. The command line, the screen and the API make them; jobs do them."""

import shlex
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar, get_origin

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict

from packnet_core.errors import RequestError
from packnet_core.schema.document import Own
from packnet_core.schema.fields import shown
from packnet_core.schema.limits import MOST_STEPS, Limit, Repeats, Share
from packnet_core.schema.plain import converted
from packnet_core.schema.recipes import Recipe, fields

BadImage = Literal["stop", "skip"]  # what an image that can't be read means for a job
Ratios = Annotated[tuple[Share, ...], Meta(max_length=MOST_STEPS)]
LARGEST_RATIO = 0.95  # the first that a search tries if none is given: the paper's largest (Figure 4)
Changes = dict[str, bool | float | int | str]  # fields of a Recipe to replace


class Add(Struct, frozen=True, kw_only=True, tag="add"):
    """Seal the open task, train a new one on the free weights, then prune and retrain it if `prune` is given (§3)."""

    task: Annotated[str, Meta(min_length=1)]
    data: str
    recipe: Recipe = Recipe()
    flip: bool | None = None  # None: as the data suggests
    crop: bool | None = None  # None: as the data suggests
    limit: Limit | None = None  # at most N training images; None: all
    on_bad_image: BadImage = "stop"
    prune: Share | None = None
    own: tuple[Own, ...] = ()  # later tasks: which of biases and normalisation it has of its own
    layers: tuple[str, ...] = ()  # the layers it trains, by kind, name or pattern (§5.4); empty: all
    steps: Repeats = 1  # of its pruning
    device: str | None = None  # None: a GPU if there is one
    yes: bool = False  # also seal a task that is no better than chance, free all weights, give up an interrupted job


class Prune(Struct, frozen=True, kw_only=True, tag="prune"):
    """Free a share of the open task's weights in every layer, then retrain those that are left (§3)."""

    ratio: Share  # with `max_drop` the largest ratio to try
    layers: dict[str, Share] = {}  # another ratio for some layers, by kind, name or pattern
    steps: Repeats = 1  # prune in N steps, with a retraining after each (§4, end)
    max_drop: Annotated[float, Meta(ge=0)] | None = None  # points of validation error that pruning may cost
    trials: Repeats = 6  # at most N trials to find the largest ratio within `max_drop`
    named: str = ""  # a recipe by name, for the task's data; `recipe` changes it
    recipe: Changes = {}
    data: str | None = None  # None: the task's own data
    limit: Limit | None = None  # None: as the task was trained
    on_bad_image: BadImage = "stop"
    device: str | None = None
    task: str | None = None  # the task that is meant: refused if another is open by then; None: the open one
    yes: bool = False  # also free all weights, or give up an interrupted job


class Train(Struct, frozen=True, kw_only=True, tag="train"):
    """Train the open task further, or retrain it once it is pruned. Without settings, resume an interrupted job."""

    named: str = ""  # a recipe by name, as for `Prune`
    recipe: Changes = {}
    data: str | None = None
    limit: Limit | None = None
    on_bad_image: BadImage = "stop"  # also for a job that is resumed
    device: str | None = None
    task: str | None = None  # as for `Prune`; not for a job that is resumed
    yes: bool = False

    @property
    def resumes(self) -> bool:
        """Whether this resumes an interrupted job, if there is one: it has no settings of its own."""
        return not (self.recipe or self.named) and self.data is None and self.limit is None


class Evaluate(Struct, frozen=True, kw_only=True, tag="eval"):
    """Measure the test error of some tasks, or of all."""

    tasks: tuple[str, ...] = ()
    data: str | None = None  # other data, only with one task
    sources: dict[str, str] = {}  # other data by task; without `tasks`, these tasks are measured
    on_bad_image: BadImage = "stop"
    mixed: str | None = None  # an .npz file that names each image's task; without `tasks`, all those are measured
    limit: Limit | None = None  # at most N test images per task, the same ones each time; None: all
    device: str | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether this measures on other data than the tasks were trained with."""
        return self.data is not None or bool(self.sources) or self.mixed is not None


class Preview(Struct, frozen=True, kw_only=True, tag="preview"):
    """Measure the open task's error right after pruning at several ratios, before any retraining (§5.2, Figure 4).

    On a sample of the validation images, or without any, of the training images. Nothing is changed.
    """

    # the most informative ratios first
    ratios: Ratios = (0.5, 0.75, 0.0, 0.9, 0.25, 0.6, 0.8, 0.95, 0.4, 0.7, 0.85, 0.1)
    images: Limit = 1000  # at most N images
    device: str | None = None


Baseline = Literal["classifier", "individual", "lwf", "ewc", "joint", "filters"]


class Compare(Struct, frozen=True, kw_only=True, tag="compare"):
    """Measure the test errors of tasks with a baseline method (§4, Baselines), with their own data and recipes.

    The baseline starts from the first task's network in the file, or from other weights; the file is not changed.
    `classifier` and `individual` take each task by itself; `lwf`, `ewc` and `joint` take all tasks up to the last one
    named; `filters` adds one task to a network whose filters are pruned (§5.5), and saves that network beside the file.
    """

    baseline: Baseline
    tasks: tuple[str, ...] = ()  # empty: all but the first
    weights: str | None = None  # to start from, as `new` takes them
    recipe: Changes = {}
    on_bad_image: BadImage = "stop"
    device: str | None = None


class Order(Struct, frozen=True, kw_only=True, tag="order"):
    """Measure how hard some data sets are, by the error of a new head: the hardest is best added first (§5.1).

    The heads are trained on the features of a task in the file; nothing is changed.
    """

    data: Annotated[dict[str, str], Meta(min_length=1, max_length=MOST_STEPS)]  # sources by name
    recipe: Recipe = Recipe()
    features: str | None = None  # the task whose features are used; None: the newest
    limit: Limit | None = None  # at most N training images of each; None: all
    on_bad_image: BadImage = "stop"
    device: str | None = None


class Drop(Struct, frozen=True, kw_only=True, tag="drop"):
    """Remove the newest task; its weights become free. The first task can't be dropped. `Undo` brings it back."""

    task: str
    yes: bool = False  # also if the former file can't be kept, so that it can't be undone


class Undo(Struct, frozen=True, kw_only=True, tag="undo"):
    """Bring back the file as it was before a drop, if that is the last change of the file."""

    task: str | None = None  # the dropped task that is meant: refused if another was dropped; None: whichever it is


class Discard(Struct, frozen=True, kw_only=True, tag="discard"):
    """Give up an interrupted job: remove its checkpoint. The file stays as it was last saved."""

    task: str | None = None  # the task that the job works on: refused if another job waits; None: whichever it is
    yes: bool = False  # without a question


Command = Add | Prune | Train | Evaluate | Preview | Compare | Order | Drop | Undo | Discard
AnyCommand = TypeVar("AnyCommand", bound=Command)
ReadOnly = Evaluate | Preview | Compare | Order  # those that change neither network nor file (law 4)
Immediate = Drop | Undo | Discard  # those that train and measure nothing, so that they need no device


def validated(command: AnyCommand) -> AnyCommand:
    """The command with every field converted to its type and checked against its range.

    NumPy scalars and arrays become numbers and lists, paths become strings, and a single name becomes a list if the
    field takes several. Raises RequestError, naming the field, for a value that can't be converted or is out of range.
    """
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(command):
        value = getattr(command, field.name)
        fields[field.encode_name] = [value] if isinstance(value, str) and get_origin(field.type) is tuple else value
    try:
        found: AnyCommand = converted(fields, type(command))
        return found
    except TypeError as error:
        what, _, where = str(error).partition(" - at $.")
        raise RequestError(f"{where or command.__struct_config__.tag}: {what}") from None


def summary(command: Command) -> str:
    """A command as one short line, as typed in a shell."""
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
        case Evaluate(tasks=tasks, mixed=mixed, limit=limit):
            options = (*(("--mixed",) if mixed else ()), *((f"--limit {limit}",) if limit is not None else ()))
            return " ".join(("eval", *tasks, *options))
        case Preview():
            return "preview"
        case Compare(baseline=baseline, tasks=tasks):
            return " ".join(("baseline", baseline, *tasks))
        case Order(data=data):
            return " ".join(("forecast --order", *data))
        case Drop(task=task):
            return f"drop {task}"
        case Undo():
            return "undo"
        case Discard():
            return "discard"


def as_typed(command: Command, file: str | PurePath = "FILE") -> str:
    """A command that changes a file as one would type it in a shell, with all that differs from the defaults."""
    words: list[str | PurePath]
    match command:
        case Add():
            words = ["add", file, command.task, "--data", command.data]
            words += _options(command, "prune", "steps", "limit", "flip", "crop", "on_bad_image", "device")
            words += [
                word for name in ("own", "layers") for each in getattr(command, name) for word in (f"--{name}", each)
            ]
            words += _recipe_options({n: v for n, v in asdict(command.recipe).items() if v != getattr(Recipe(), n)})
        case Prune():
            searched = command.max_drop is not None
            words = ["prune", file, *([] if searched and command.ratio == LARGEST_RATIO else [f"{command.ratio:g}"])]
            words += _options(command, "steps", "max_drop", "trials", "limit", "data", "on_bad_image", "device")
            words += [word for layer, ratio in command.layers.items() for word in ("--layer", f"{layer}={ratio:g}")]
            words += _recipe_options(command.recipe)
        case Train():
            words = ["train", file, *_options(command, "limit", "data", "on_bad_image", "device")]
            words += _recipe_options(command.recipe)
        case _:
            name, *rest = summary(command).split()
            words = [name, file, *rest]
    if isinstance(command, Prune | Train) and command.named:
        words += ["--recipe", command.named]
    return shlex.join(["packnet", *map(str, words)])


def _options(command: Command, *names: str) -> list[str]:
    """The options of those fields that differ from their defaults."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(command)}
    given = {name: value for name in names if (value := getattr(command, name)) != defaults[name]}
    words = []
    for name, value in given.items():
        option = name.replace("_", "-")
        words += [f"--{'' if value else 'no-'}{option}"] if isinstance(value, bool) else [f"--{option}", shown(value)]
    return words


def _recipe_options(changes: Changes) -> list[str]:
    words: list[str] = []
    for name, value in changes.items():
        option = fields()[name].option
        if isinstance(value, bool):
            on, _, off = option.partition("/")
            words.append(on if value else off)
        elif value is not None:
            words += [option, shown(value)]
    return words
