"""What an experiment is done with: networks, data, recipes; and its cells, as values. Needs no torch.

A cell is one result: a baseline on one task, a task added to a pack file after some others. Tables share cells.
"""

from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from packnet_core.schema.commands import Changes
from packnet_core.schema.document import Own
from packnet_core.schema.limits import Positive, Share
from packnet_core.schema.recipes import BEST, Recipe

Name = str  # of a task


class Named(Struct, frozen=True, kw_only=True):
    """A task of an experiment: its name, and its data as `--data` takes it, resolved."""

    name: Name
    data: str


class Plan(Struct, frozen=True, kw_only=True):
    """The settings that all results in one folder share."""

    arch: str
    weights: str = "none"
    input_size: Positive | None = None
    first: Named
    tasks: tuple[Named, ...]
    recipe: Recipe = Recipe()  # of the tasks that are added, and of the first one's retraining
    limit: Positive | None = None  # training images of a task
    first_recipe: Recipe = Recipe()  # that brings the given weights to the first task's data, before anything else
    first_limit: Positive | None = None  # training images of the first task when it is retrained after pruning
    best: dict[str, Any] = field(
        default_factory=BEST.copy
    )  # the best recipe, as `recipes` has it: what differs from `recipe` and from `Add`
    individual_epochs: Positive | None = None  # of Individual Networks; None: the recipe's
    classifier_epochs: Positive | None = None  # of Classifier Only; None: the recipe's
    classifier_lr: float | None = None  # Classifier Only's own rate; None: the recipe's
    ewc_lr: float | None = None  # Elastic Weight Consolidation's own rate; None: the recipe's
    ewc_strength: float = 100.0  # of its penalty
    lwf_lr: float | None = None  # Learning without Forgetting's own rate; None: the recipe's

    def data_of(self, name: Name) -> str:
        """Raises KeyError where the experiment has no such task."""
        return {named.name: named.data for named in (self.first, *self.tasks)}[name]

    @property
    def best_changes(self) -> Changes:
        """Those settings of the best recipe that are fields of a Recipe."""
        return {name: value for name, value in self.best.items() if name in Recipe.__struct_fields__}

    def recipe_of(self, run: int, changes: Changes | None = None) -> Recipe:
        """The recipe of a run (from 0), which is its seed."""
        return self.recipe.changed({**(changes or {}), "seed": run})


class Way(Struct, frozen=True, kw_only=True):
    """A way to pack: ratios after the first task and after each later one, and what differs from the plan's recipe."""

    name: str
    first: Share = 0.5
    later: Share = 0.75
    own: tuple[Own, ...] = ()
    steps: Positive = 1
    recipe: Changes = {}


class First(Struct, frozen=True, kw_only=True, tag="first"):
    """The network that all others begin with, brought to the first task's data; a file with that task, dense."""


class Packed(Struct, frozen=True, kw_only=True, tag="packed"):
    """The first task pruned, then the tasks of `path` added in this order; the result is the last one's, and what the
    older ones have then."""

    way: Way
    run: int
    path: tuple[Name, ...]


class Alone(Struct, frozen=True, kw_only=True, tag="alone"):
    """A baseline on one task: Classifier Only, or a network of its own."""

    kind: Literal["classifier", "individual"]
    task: Name
    run: int
    recipe: Literal["paper", "best"] = "paper"


class Forgetting(Struct, frozen=True, kw_only=True, tag="forgetting"):
    """All tasks in an order, by a method that protects none to the bit; the errors of all after each."""

    method: Literal["lwf", "ewc"]
    order: tuple[Name, ...]
    run: int


class Jointly(Struct, frozen=True, kw_only=True, tag="joint"):
    """All tasks at once."""

    run: int


class Swept(Struct, frozen=True, kw_only=True, tag="swept"):
    """One task pruned at one ratio and retrained (Figure 4); at None trained only. After the first one pruned by half,
    where it is not the first itself."""

    task: Name
    run: int
    ratio: Share | None


class Chosen(Struct, frozen=True, kw_only=True, tag="chosen"):
    """One task added to the first one pruned by half, some layers alone being trained (Figure 5)."""

    task: Name
    run: int
    layers: tuple[str, ...]


class Filtered(Struct, frozen=True, kw_only=True, tag="filtered"):
    """Filters pruned by their Taylor rank instead of weights, and one task added (Table 6)."""

    task: Name
    run: int
    share: Share = 0.3
    rounds: Positive = 10


Cell = First | Packed | Alone | Forgetting | Jointly | Swept | Chosen | Filtered
HALF = Way(name="half")  # the paper's 0.50, 0.75, 0.75; what Figures 4 and 5 stand on


def key(cell: Cell) -> str:
    """A cell's name, which is that of its files."""
    match cell:
        case First():
            return "first"
        case Packed(way=way, run=run, path=path):
            return "-".join(("packed", way.name, str(run), *path))
        case Alone(kind=kind, task=task, run=run, recipe=recipe):
            return "-".join((kind, recipe, str(run), task))
        case Forgetting(method=method, order=order, run=run):
            return "-".join((method, str(run), *order))
        case Jointly(run=run):
            return f"joint-{run}"
        case Swept(task=task, run=run, ratio=ratio):
            return f"swept-{run}-{task}-" + ("trained" if ratio is None else f"{ratio:.2f}")
        case Chosen(task=task, run=run, layers=layers):
            return "-".join(("chosen", str(run), task, *(layer.replace("*", "") for layer in layers)))
        case Filtered(task=task, run=run):
            return f"filtered-{run}-{task}"


def parent(cell: Cell, plan: Plan) -> Cell | None:
    """The cell whose file another one begins with; None for the first."""
    match cell:
        case First():
            return None
        case Packed(path=(*before, _)):
            return replace(cell, path=tuple(before))
        case Swept(ratio=float()):
            return replace(cell, ratio=None)
        case Swept(task=task, run=run) if task != plan.first.name:
            return Packed(way=HALF, run=run, path=())
        case Chosen(run=run):
            return Packed(way=HALF, run=run, path=())
        case _:
            return First()


def with_parents(cells: list[Cell], plan: Plan) -> list[Cell]:
    """The cells and all that they begin with, each once, parents first."""
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
