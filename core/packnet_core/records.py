"""What a pack file says about itself, as types: the JSON document in its header. Needs no torch.

`docs/format.md` describes the same document for other languages.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from packnet_core.errors import RequestError

FORMAT_VERSION = 1
LARGEST_SEED = 2**32 - 1
MOST_TASKS = 254  # owners are one byte in memory, 0 means free, 255 is kept back

Phase = Literal["trained", "pruned", "retrained", "sealed"]
Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Architecture(Struct, frozen=True, kw_only=True):
    """How to build the network: `name` is what `--arch` took; `head` is the module that the tasks' heads replace."""

    name: str
    head: str
    features: Positive  # width of what a head receives


class Input(Struct, frozen=True, kw_only=True):
    """What the network takes: square images, scaled to 0..1, then `(x - mean) / std` for each channel."""

    channels: Positive
    size: Positive
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Recipe(Struct, frozen=True, kw_only=True):
    """How a task is trained. The defaults are the paper's (§4); `None` scales with what it depends on."""

    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    batch_size: Positive = 32
    epochs: Count = 20
    decay_epoch: Count | None = None  # the rate is divided by ten after this epoch; None: after half of them
    retrain_epochs: Count | None = None  # None: half of the training epochs
    retrain_lr: Annotated[float, Meta(gt=0)] | None = None  # None: a tenth of `lr`
    seed: Annotated[int, Meta(ge=0, le=LARGEST_SEED)] = 0

    def changed(self, changes: dict[str, Any]) -> "Recipe":
        """This recipe with some values replaced. Raises RequestError where a value is out of range."""
        try:
            return msgspec.convert({**msgspec.structs.asdict(self), **changes}, Recipe)
        except msgspec.ValidationError as error:
            raise RequestError(f"recipe: {error}") from None

    @property
    def decays_after(self) -> int:
        return self.epochs // 2 if self.decay_epoch is None else self.decay_epoch

    @property
    def retraining_epochs(self) -> int:
        return self.epochs // 2 if self.retrain_epochs is None else self.retrain_epochs

    @property
    def retraining_lr(self) -> float:
        return self.lr / 10 if self.retrain_lr is None else self.retrain_lr


class Data(Struct, frozen=True, kw_only=True):
    """Where a task's images come from and how many of them were used."""

    source: str  # what `--data` took, a path made absolute
    flip: bool  # random left-right flips while training
    limit: Positive | None  # at most so many training images, the validation split among them
    train: Count
    validation: Count
    test: Count


class Error(Struct, frozen=True, kw_only=True):
    """Errors on the test set in percent. With five classes or fewer there is no top-5."""

    top1: float
    top5: float | None
    images: Positive


class Task(Struct, frozen=True, kw_only=True):
    name: str
    phase: Phase
    classes: tuple[str, ...]
    data: Data
    recipe: Recipe
    prune_ratio: Share | None  # of the last pruning
    error: Error | None  # at the end of the last job that changed the task
    chance: float  # the error in percent of always answering the test set's largest class
    weights_digest: str  # of the weights this task owns, hex
    digest: str  # of all that it uses: "sha256:" and hex


class Layer(Struct, frozen=True, kw_only=True):
    """One prunable parameter: how many of its weights each task owns, the first entry is task 1."""

    name: str
    shape: tuple[Positive, ...]
    owned: tuple[Count, ...]

    @property
    def weights(self) -> int:
        count = 1
        for side in self.shape:
            count *= side
        return count

    @property
    def free(self) -> int:
        return self.weights - sum(self.owned)


class Step(Struct, frozen=True, kw_only=True):
    """One line of the file's history: what was done to which task, and when (seconds since 1970)."""

    at: float
    task: str | None
    what: str


class Document(Struct, frozen=True, kw_only=True):
    """The whole description of a pack file."""

    version: int
    architecture: Architecture
    input: Input
    tasks: tuple[Task, ...]
    layers: tuple[Layer, ...]
    history: tuple[Step, ...]

    @property
    def open_task(self) -> Task | None:
        """The newest task, unless it is sealed."""
        return self.tasks[-1] if self.tasks and self.tasks[-1].phase != "sealed" else None

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def free(self) -> int:
        return sum(layer.free for layer in self.layers)

    @property
    def owned(self) -> list[int]:
        """Weights owned by each task, over all layers."""
        return [sum(layer.owned[i] for layer in self.layers) for i in range(len(self.tasks))]

    def index(self, name: str) -> int:
        """The 1-based index of a task. Raises RequestError where there is none of that name."""
        for index, task in enumerate(self.tasks, 1):
            if task.name == name:
                return index
        known = ", ".join(task.name for task in self.tasks) or "none yet"
        raise RequestError(f"no task {name!r} in this file; its tasks: {known}")


def planes(tasks: int) -> int:
    """Bits a weight that say who owns it: ceil(log2 N) for N tasks (paper §3)."""
    return max(tasks - 1, 0).bit_length()
