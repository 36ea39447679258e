"""The JSON document in a pack file's header, as types. Needs no torch.

`docs/format.md` describes the same document for other languages.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from msgspec import Meta, Struct

from packnet_core.errors import RequestError
from packnet_core.schema.limits import MOST_LAYERS, MOST_PATTERNS, Channels, Count, Positive, Share, Side
from packnet_core.schema.recipes import Recipe
from packnet_core.schema.text import printable

FORMAT_VERSION = 1
MOST_STEPS = 1000  # of the history, besides the first
MOST_TASKS = 254  # owners are one byte in memory, 0 means free, 255 is kept back

Own = Literal["biases", "norms"]
TaskPhase = Literal["trained", "pruned", "retrained", "sealed"]


class Architecture(Struct, frozen=True, kw_only=True):
    """How to build the network: `name` as for `--arch`; `head` is the module that the tasks' heads replace."""

    name: str
    head: str
    features: Positive  # width of what a head receives


class Input(Struct, frozen=True, kw_only=True):
    """The network's input: square images of `size` pixels, scaled to 0..1, then `(x - mean) / std` per channel."""

    channels: Channels
    size: Side
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Data(Struct, frozen=True, kw_only=True):
    """A task's data: its source, how training changes images, and how many images were used."""

    source: str  # as `--data` took it; paths are absolute
    flip: bool  # random left-right flips while training
    crop: bool = False  # resized to 8/7 of the input and cropped: at random in training, else in the centre
    limit: Positive | None  # at most N training images, including those for validation
    train: Count
    validation: Count
    test: Count


class Error(Struct, frozen=True, kw_only=True):
    """Errors on the test set in percent. With five classes or fewer there is no top-5."""

    top1: float
    top5: float | None
    images: Positive


class Task(Struct, frozen=True, kw_only=True):
    """One task of the file."""

    name: str
    phase: TaskPhase
    classes: tuple[str, ...]
    data: Data
    recipe: Recipe
    prune_ratio: Share | None  # of the last pruning
    error: Error | None  # at the end of the last job that changed the task
    chance: float  # error in percent of always answering the test set's largest class
    weights_digest: str  # of the weights this task owns, hex
    digest: str  # of all that it uses: "sha256:" and hex
    own: tuple[Own, ...] = ()  # which of biases (§5.3) and normalisation (§4, end) it has of its own
    # the layers it trains, by kind, name or pattern (§5.4); empty: all
    layers: Annotated[tuple[str, ...], Meta(max_length=MOST_PATTERNS)] = ()


class Layer(Struct, frozen=True, kw_only=True):
    """One prunable parameter, and how many of its weights each task owns; the first entry is task 1."""

    name: str
    shape: tuple[Positive, ...]
    owned: tuple[Count, ...]

    @property
    def weights(self) -> int:
        """The number of its weights."""
        count = 1
        for side in self.shape:
            count *= side
        return count

    @property
    def free(self) -> int:
        """The number of its free weights."""
        return self.weights - sum(self.owned)


class Step(Struct, frozen=True, kw_only=True):
    """One entry of the file's history: what was done to which task, and when (seconds since 1970)."""

    at: float
    task: str | None
    what: str


class Document(Struct, frozen=True, kw_only=True):
    """The description of a pack file: the JSON document in its header."""

    version: int
    architecture: Architecture
    input: Input
    tasks: tuple[Task, ...]
    layers: Annotated[tuple[Layer, ...], Meta(min_length=1, max_length=MOST_LAYERS)]
    history: tuple[Step, ...]

    @property
    def open_task(self) -> Task | None:
        """The newest task, unless it is sealed."""
        return self.tasks[-1] if self.tasks and self.tasks[-1].phase != "sealed" else None

    @property
    def weights(self) -> int:
        """The number of prunable weights, over all layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def free(self) -> int:
        """The number of free weights, over all layers."""
        return sum(layer.free for layer in self.layers)

    @property
    def owned(self) -> list[int]:
        """The number of weights that each task owns, over all layers."""
        return [sum(layer.owned[i] for layer in self.layers) for i in range(len(self.tasks))]

    def index(self, name: str) -> int:
        """The index of a task, from 1. Raises RequestError if no task has that name."""
        for index, task in enumerate(self.tasks, 1):
            if task.name == name:
                return index
        known = ", ".join(task.name for task in self.tasks) or "none yet"
        raise RequestError(f"no task {name!r} in this file; its tasks: {known}")


def check_task_name(name: str) -> None:
    """Raise RequestError for a name that no task can have: without a visible character, or with control characters."""
    if not name.strip() or printable(name) != name:
        raise RequestError(f"{name!r} can't be a task's name: it needs a visible character and no control characters")


def shortened(history: tuple[Step, ...]) -> tuple[Step, ...]:
    """A file's history with its first step and the newest ones: at most 1 + MOST_STEPS."""
    return history if len(history) <= 1 + MOST_STEPS else (history[0], *history[-MOST_STEPS:])


LAYER_KINDS = ("all", "conv", "fc", "classifier")


def chosen_layers(document: Document, kinds: Sequence[str]) -> list[str]:
    """The names of the layers chosen by `kinds` (§5.4), in the network's order; all layers if `kinds` is empty.

    A kind is `all`, `conv`, `fc`, `classifier` (only the head, so no layer), or a pattern such as `features.*`, which
    matches a layer's name with or without `.weight`. Raises RequestError for a pattern that no layer matches.
    """
    found = set()
    for kind in kinds or ("all",):
        fitting = {layer.name for layer in document.layers if _fits(layer, kind)}
        if not fitting and kind not in LAYER_KINDS:
            raise RequestError(f"no layer fits {kind!r}; packnet inspect lists them")
        found |= fitting
    return [layer.name for layer in document.layers if layer.name in found]


def _fits(layer: Layer, kind: str) -> bool:
    match kind:
        case "all":
            return True
        case "classifier":
            return False
        case "conv" | "fc":
            return (len(layer.shape) > 2) == (kind == "conv")
        case _:
            return fnmatchcase(layer.name, kind) or fnmatchcase(layer.name, kind + ".weight")


def dense_layers(document: Document) -> frozenset[str]:
    """The layers in which the open task owns all weights that are not sealed, because it is not pruned yet."""
    task = document.open_task
    if task is None or task.phase != "trained":
        return frozenset()
    return frozenset(chosen_layers(document, task.layers if len(document.tasks) > 1 else ()))


def planes(tasks: int) -> int:
    """Bits per weight that encode its owner: ceil(log2 N) for N tasks (§3)."""
    return max(tasks - 1, 0).bit_length()
