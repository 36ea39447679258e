"""The plan of an experiment (network, data, recipes) and its cells, as values. Needs no torch.

A cell is one result, such as a baseline on one task, or a task added to a pack file after others. Tables share cells.
Field names and tags are part of the stored format (plan.json, results.jsonl).
"""

from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from packnet_core.schema.commands import Changes
from packnet_core.schema.document import Own
from packnet_core.schema.limits import Positive, Share
from packnet_core.schema.recipes import BEST, Recipe

Name = str  # of a task


class PlanTask(Struct, frozen=True, kw_only=True):
    """A task of an experiment: its name, and its data as `--data` takes it."""

    name: Name
    data: str


class Plan(Struct, frozen=True, kw_only=True):
    """The settings of all results in one folder."""

    arch: str
    weights: str = "none"
    input_size: Positive | None = None
    first: PlanTask
    tasks: tuple[PlanTask, ...]
    recipe: Recipe = Recipe()  # of added tasks, and of the first task's retraining
    limit: Positive | None = None  # at most N training images per task
    first_recipe: Recipe = Recipe()  # to train the given weights on the first task's data, before all else
    first_limit: Positive | None = None  # at most N training images of the first task when it is retrained
    # the best recipe, as in `recipes`: what differs from `recipe`, and settings of `Add`
    best: dict[str, Any] = field(default_factory=BEST.copy)
    # settings of the baselines; None: those of `recipe`
    individual_epochs: Positive | None = None  # of Individual Networks
    classifier_epochs: Positive | None = None  # of Classifier Only
    classifier_lr: float | None = None
    ewc_lr: float | None = None
    ewc_strength: float = 100.0  # weight of the penalty of Elastic Weight Consolidation
    lwf_lr: float | None = None  # of Learning without Forgetting

    def data_of(self, name: Name) -> str:
        """The data of a task. Raises KeyError for an unknown task."""
        return {task.name: task.data for task in (self.first, *self.tasks)}[name]

    @property
    def best_changes(self) -> Changes:
        """The settings of the best recipe that are fields of a Recipe."""
        return {name: value for name, value in self.best.items() if name in Recipe.__struct_fields__}

    def recipe_of(self, run: int, changes: Changes | None = None) -> Recipe:
        """The recipe of a run (from 0), with `changes`; the run's number is its seed."""
        return self.recipe.changed({**(changes or {}), "seed": run})


class PackingVariant(Struct, frozen=True, kw_only=True):
    """A variant of packing: pruning ratios of the first and of later tasks, and settings of `Add`."""

    name: str
    first: Share = 0.5
    later: Share = 0.75
    own: tuple[Own, ...] = ()
    steps: Positive = 1
    recipe: Changes = {}  # the fields that differ from the plan's recipe


class FirstCell(Struct, frozen=True, kw_only=True, tag="first"):
    """The network that all other cells start from: a pack file with the first task, trained and dense."""


class PackedCell(Struct, frozen=True, kw_only=True, tag="packed"):
    """The first task pruned, then the tasks of `path` added in this order.

    The result has the error of the last task (of the first task if `path` is empty), and the errors of the older tasks
    after it.
    """

    way: PackingVariant
    run: int
    path: tuple[Name, ...]


class SingleTaskCell(Struct, frozen=True, kw_only=True, tag="alone"):
    """A baseline on one task: Classifier Only or an Individual Network."""

    kind: Literal["classifier", "individual"]
    task: Name
    run: int
    recipe: Literal["paper", "best"] = "paper"


class SequentialCell(Struct, frozen=True, kw_only=True, tag="forgetting"):
    """All tasks added in an order by LwF or EWC; the errors of all tasks after each."""

    method: Literal["lwf", "ewc"]
    order: tuple[Name, ...]
    run: int


class JointCell(Struct, frozen=True, kw_only=True, tag="joint"):
    """All tasks trained together."""

    run: int


class SweepCell(Struct, frozen=True, kw_only=True, tag="swept"):
    """One task trained, then pruned at a ratio and retrained; only trained if `ratio` is None (Figure 4).

    A task other than the first is added after the first, which is pruned by half.
    """

    task: Name
    run: int
    ratio: Share | None


class LayersCell(Struct, frozen=True, kw_only=True, tag="chosen"):
    """One task added after the first, which is pruned by half; only some layers train (Figure 5)."""

    task: Name
    run: int
    layers: tuple[str, ...]


class FilterCell(Struct, frozen=True, kw_only=True, tag="filtered"):
    """One task added after filters, instead of weights, were pruned by their Taylor rank (Table 6)."""

    task: Name
    run: int
    share: Share = 0.3
    rounds: Positive = 10


Cell = FirstCell | PackedCell | SingleTaskCell | SequentialCell | JointCell | SweepCell | LayersCell | FilterCell
HALF = PackingVariant(name="half")  # the paper's 0.50, 0.75, 0.75; Figures 4 and 5 start from it


def key(cell: Cell) -> str:
    """A cell's name, which is also the name of its files."""
    match cell:
        case FirstCell():
            return "first"
        case PackedCell(way=way, run=run, path=path):
            return "-".join(("packed", way.name, str(run), *path))
        case SingleTaskCell(kind=kind, task=task, run=run, recipe=recipe):
            return "-".join((kind, recipe, str(run), task))
        case SequentialCell(method=method, order=order, run=run):
            return "-".join((method, str(run), *order))
        case JointCell(run=run):
            return f"joint-{run}"
        case SweepCell(task=task, run=run, ratio=ratio):
            return f"swept-{run}-{task}-" + ("trained" if ratio is None else f"{ratio:.2f}")
        case LayersCell(task=task, run=run, layers=layers):
            return "-".join(("chosen", str(run), task, *(layer.replace("*", "") for layer in layers)))
        case FilterCell(task=task, run=run):
            return f"filtered-{run}-{task}"


def parent(cell: Cell, plan: Plan) -> Cell | None:
    """The cell whose file a cell starts from; None for the first cell."""
    match cell:
        case FirstCell():
            return None
        case PackedCell(path=(*before, _)):
            return replace(cell, path=tuple(before))
        case SweepCell(ratio=float()):
            return replace(cell, ratio=None)
        case SweepCell(task=task, run=run) if task != plan.first.name:
            return PackedCell(way=HALF, run=run, path=())
        case LayersCell(run=run):
            return PackedCell(way=HALF, run=run, path=())
        case _:
            return FirstCell()


def with_parents(cells: list[Cell], plan: Plan) -> list[Cell]:
    """The cells and all their parents, each once, parents first."""
    found: dict[str, Cell] = {}

    def put(cell: Cell) -> None:
        if key(cell) in found:
            return
        if (above := parent(cell, plan)) is not None:
            put(above)
        found[key(cell)] = cell

    for cell in cells:
        put(cell)
    return list(found.values())
