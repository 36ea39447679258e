"""The paper's tables: the cells that each one needs, and its rows, made from their results.

Titles of tables, columns and rows are part of the stored format (NAME.json).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from packnet_core.paper.numbers import (
    Mean,
    first_error,
    individual_error,
    lwf_error,
    mean,
    mean_gap_closed,
    mean_of,
    orders,
    packed_error,
    result_of,
    single,
    single_task_error,
    top5_error,
)
from packnet_core.paper.plan import (
    HALF,
    Cell,
    FilterCell,
    FirstCell,
    JointCell,
    PackedCell,
    PackingVariant,
    Plan,
    SequentialCell,
    SingleTaskCell,
)
from packnet_core.paper.runner import Results
from packnet_core.planning.sizes import sizes

THREE_QUARTERS = PackingVariant(name="three-quarters", first=0.75)
OWN_BIASES = PackingVariant(name="own-biases", own=("biases",))
OWN_NORMS = PackingVariant(name="own-norms", own=("norms",))
MERIT = "mean gap closed, %"
Value = Mean | str | None


@dataclass(frozen=True)
class Table:
    """A table: its title, titles of columns, and rows of a title and one value per column (None: not computed yet)."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Value]]]


def best_variant(plan: Plan) -> PackingVariant:
    """Packing with the best recipe."""
    own, steps = tuple(plan.best.get("own", ())), plan.best.get("steps", 1)
    return PackingVariant(name="best", own=own, steps=steps, recipe=plan.best_changes)


def single_task_cells(plan: Plan, run: int) -> list[Cell]:
    """Classifier Only and Individual Networks of every task, the latter by both recipes."""
    found: list[Cell] = []
    for task in plan.tasks:
        found.append(SingleTaskCell(kind="classifier", task=task.name, run=run))
        found.append(SingleTaskCell(kind="individual", task=task.name, run=run))
        found.append(SingleTaskCell(kind="individual", task=task.name, run=run, recipe="best"))
    return found


def packed_cells(plan: Plan, variant: PackingVariant, run: int) -> list[Cell]:
    """One run of a variant, in all orders; orders that begin with the same tasks share the cells of those."""
    return [PackedCell(way=variant, run=run, path=order) for order in orders(plan)]


def first_task_cells(variant: PackingVariant, runs: int) -> list[Cell]:
    """The first task, pruned and retrained, in each run."""
    return [PackedCell(way=variant, run=run, path=()) for run in range(runs)]


def merits(plan: Plan, results: Results, columns: Sequence[Sequence[Mean | None]], runs: int) -> list[Value]:
    """The mean share of the gap that is closed, for each column of the tasks' errors."""
    return [single(mean_gap_closed(plan, results, errors, runs)) for errors in columns]


# -- Table 2 ----------------------------------------------------------------------------------------------------


def table2_cells(plan: Plan, runs: int) -> list[Cell]:
    """Run by run, each with all variants, so that an unfinished table has numbers to compare."""
    found: list[Cell] = []
    for run in range(runs):
        found += single_task_cells(plan, run)
        for variant in (HALF, best_variant(plan), THREE_QUARTERS):
            found += packed_cells(plan, variant, run)
        found += [SequentialCell(method="lwf", order=order, run=run) for order in orders(plan)]
    return found


def table2(plan: Plan, results: Results, runs: int) -> Table:
    """Table 2: tasks added in all orders by PackNet and by LwF, with Classifier Only and Individual Networks."""
    names, variants = [task.name for task in plan.tasks], (HALF, THREE_QUARTERS, best_variant(plan))
    columns = [[lwf_error(plan, results, name, runs) for name in names]]
    columns += [[packed_error(plan, results, variant, name, runs) for name in names] for variant in variants]
    first, dense, dense5 = plan.first.name, first_error(results), top5_error(results, [FirstCell()])
    pruned = [packed_error(plan, results, variant, first, runs) for variant in variants]
    pruned5 = [top5_error(results, first_task_cells(variant, runs)) for variant in variants]
    rows: list[tuple[str, list[Value]]] = [
        (first, [dense, lwf_error(plan, results, first, runs), *pruned, dense]),
        (f"({first}, top-5)", [dense5, None, *pruned5, dense5]),
    ]
    for index, name in enumerate(names):
        classifier, own = single_task_error(results, "classifier", name, runs), individual_error(results, name, runs)
        rows.append((name, [classifier, *(column[index] for column in columns), own]))
    rows.append((MERIT, [single(0.0), *merits(plan, results, columns, runs), single(100.0)]))
    rows.append(("# networks (size)", size_row(plan, results)))
    titles = ["Classifier Only", "LwF", "0.50, 0.75, 0.75", "0.75, 0.75, 0.75", "best recipe", "Individual"]
    return Table("Table 2: errors of tasks added one after another, %", titles, rows)


def size_row(plan: Plan, results: Results) -> list[Value]:
    """The number of networks, one for all tasks or one per task, and their size, computed as by `packnet sizes`."""
    cells: list[Cell] = [FirstCell()]
    cells += [SingleTaskCell(kind="classifier", task=task.name, run=0) for task in plan.tasks]
    classes = [result_of(results, cell, "classes") for cell in cells]
    if None in classes:
        return [None] * 6
    found = sizes(plan.arch, classes)
    packed = f"1 ({_size(found.packed)})"
    shared = f"1 ({_size(found.classifier_only)})"
    best_bytes = result_of(results, PackedCell(way=best_variant(plan), run=0, path=orders(plan)[0]), "bytes")
    best = None if best_bytes is None else f"1 ({_size(found.packed - found.rest + best_bytes['rest'])})"
    return [shared, shared, packed, packed, best, f"{len(classes)} ({_size(found.individual)})"]


def _size(count: float) -> str:
    return f"{count / 1e6:.0f} MB" if count > 2e7 else f"{count / 1e6:.2f} MB"


# -- Tables 3 and 4 ---------------------------------------------------------------------------------------------


def table3_cells(plan: Plan, runs: int) -> list[Cell]:
    """Joint training, both baselines on single tasks, and PackNet with two ratios."""
    found: list[Cell] = []
    for run in range(runs):
        found += [JointCell(run=run), *single_task_cells(plan, run)]
        for variant in (HALF, THREE_QUARTERS):
            found += packed_cells(plan, variant, run)
    return found


def table3(plan: Plan, results: Results, runs: int) -> Table:
    """Table 3: large data sets; PackNet beside one network trained on all of them together."""
    rows: list[tuple[str, list[Value]]] = []
    for name in (plan.first.name, *(task.name for task in plan.tasks)):
        evaluated = [result_of(results, JointCell(run=run), "evaluated") for run in range(runs)]
        joint = mean([e["top1"] for found in evaluated if found for e in found if e["task"] == name])
        own = first_error(results) if name == plan.first.name else individual_error(results, name, runs)
        errors = [packed_error(plan, results, variant, name, runs) for variant in (HALF, THREE_QUARTERS)]
        rows.append((name, [joint, *errors, own]))
    return Table("Table 3: large sets, %", ["Jointly trained", "0.50", "0.75", "Individual"], rows)


def table4_cells(plan: Plan, runs: int) -> list[Cell]:
    """Both baselines on single tasks, and PackNet."""
    return [cell for run in range(runs) for cell in (*single_task_cells(plan, run), *packed_cells(plan, HALF, run))]


def table4(plan: Plan, results: Results, runs: int) -> Table:
    """Table 4: another network."""
    names = [task.name for task in plan.tasks]
    errors = [packed_error(plan, results, HALF, name, runs) for name in names]
    first, dense, dense5 = plan.first.name, first_error(results), top5_error(results, [FirstCell()])
    rows: list[tuple[str, list[Value]]] = [
        (first, [dense, packed_error(plan, results, HALF, first, runs), dense]),
        (f"({first}, top-5)", [dense5, top5_error(results, first_task_cells(HALF, runs)), dense5]),
    ]
    for name, error in zip(names, errors, strict=True):
        classifier, own = single_task_error(results, "classifier", name, runs), individual_error(results, name, runs)
        rows.append((name, [classifier, error, own]))
    rows.append((MERIT, [single(0.0), *merits(plan, results, [errors], runs), single(100.0)]))
    return Table(f"Table 4: {plan.arch}, %", ["Classifier Only", "0.50, 0.75, 0.75", "Individual"], rows)


# -- Table 5 ----------------------------------------------------------------------------------------------------


def table5_cells(plan: Plan, runs: int) -> list[Cell]:
    """PackNet's variants, and the baselines, from which the share of the gap that is closed is computed."""
    found: list[Cell] = []
    for run in range(runs):
        found += single_task_cells(plan, run)
        for variant in (HALF, OWN_NORMS, OWN_BIASES):
            found += packed_cells(plan, variant, run)
    return found


def table5(plan: Plan, results: Results, runs: int) -> Table:
    """Table 5: own biases or normalisation per task, or all shared."""
    names, variants = [task.name for task in plan.tasks], (OWN_BIASES, OWN_NORMS, HALF)
    columns = [[packed_error(plan, results, variant, name, runs) for name in names] for variant in variants]
    rows: list[tuple[str, Sequence[Value]]] = [
        (name, [column[index] for column in columns]) for index, name in enumerate(names)
    ]
    rows.append((MERIT, merits(plan, results, columns, runs)))
    return Table("Table 5: what is a task's own, %", ["own biases", "own normalisation", "all shared"], rows)


# -- Table 6 ----------------------------------------------------------------------------------------------------


def table6_cells(plan: Plan, runs: int) -> list[Cell]:
    """Each task added alone, after pruning filters or weights."""
    found: list[Cell] = []
    for run in range(runs):
        for task in plan.tasks:
            found.append(SingleTaskCell(kind="classifier", task=task.name, run=run))
            found.append(FilterCell(task=task.name, run=run))
            found.append(PackedCell(way=HALF, run=run, path=(task.name,)))
    return found


def table6(plan: Plan, results: Results, runs: int) -> Table:
    """Table 6: one task added after pruning filters by their Taylor rank, or weights by their magnitude."""
    names = [task.name for task in plan.tasks]
    by_filters = {name: [FilterCell(task=name, run=run) for run in range(runs)] for name in names}
    first_by_filters = mean_of(results, [cell for cells in by_filters.values() for cell in cells], "first_error")
    first = plan.first.name
    rows: list[tuple[str, list[Value]]] = [
        (first, [first_error(results), first_by_filters, packed_error(plan, results, HALF, first, runs)])
    ]
    for name in names:
        classifier = single_task_error(results, "classifier", name, runs)
        by_weights = mean_of(results, [PackedCell(way=HALF, run=run, path=(name,)) for run in range(runs)])
        rows.append((name, [classifier, mean_of(results, by_filters[name]), by_weights]))
    return Table("Table 6: filters or weights pruned, %", ["Classifier Only", "Filters", "Weights"], rows)


# -- the ablation -----------------------------------------------------------------------------------------------


def _norms(name: str, steps: int = 1, **recipe: bool | float | int | str) -> PackingVariant:
    """A variant with own normalisation."""
    return PackingVariant(name=name, own=("norms",), steps=steps, recipe=recipe)


ABLATION: tuple[PackingVariant, ...] = (
    HALF,
    OWN_NORMS,
    PackingVariant(name="cosine", recipe={"schedule": "cosine", "retrain_lr": 1e-2}),
    _norms("norms-cosine", schedule="cosine", retrain_lr=1e-2),
    _norms("norms-onecycle", schedule="onecycle", lr=5e-2, retrain_lr=2e-2),
    _norms("norms-onecycle-16", schedule="onecycle", lr=5e-2, retrain_lr=2e-2, batch_size=16),
    _norms("norms-adamw", optimizer="adamw", schedule="onecycle", lr=5e-3, retrain_lr=2e-3, weight_decay=1e-2),
    _norms(
        "norms-adamw-16",
        optimizer="adamw",
        schedule="onecycle",
        lr=5e-3,
        retrain_lr=2e-3,
        weight_decay=1e-2,
        batch_size=16,
    ),
    _norms("norms-onecycle-longer", schedule="onecycle", lr=5e-2, retrain_lr=2e-2, epochs=16, retrain_epochs=8),
    _norms("norms-onecycle-smoothing", schedule="onecycle", lr=5e-2, retrain_lr=2e-2, label_smoothing=0.1),
    _norms("norms-onecycle-steps", 2, schedule="onecycle", lr=5e-2, retrain_lr=2e-2, retrain_epochs=2),
    _norms("norms-onecycle-last", schedule="onecycle", lr=5e-2, retrain_lr=2e-2, pick="last"),
)


def ablation_cells(plan: Plan, runs: int) -> list[Cell]:
    """Each variant in one order, that of the plan's tasks."""
    found: list[Cell] = []
    for run in range(runs):
        found += single_task_cells(plan, run)
        found += [PackedCell(way=variant, run=run, path=orders(plan)[0]) for variant in ABLATION]
    return found


def ablation(plan: Plan, results: Results, runs: int) -> Table:
    """Errors, size and time of each variant beyond the paper, in one order."""
    names = [task.name for task in plan.tasks]
    order = orders(plan)[0]
    rows: list[tuple[str, Sequence[Value]]] = []
    for variant in ABLATION:
        errors = [packed_error(plan, results, variant, name, runs, [order]) for name in names]
        paths = [order[:k] for k in range(1, len(order) + 1)]
        cells = [PackedCell(way=variant, run=run, path=path) for run in range(runs) for path in paths]
        count = result_of(results, PackedCell(way=variant, run=0, path=order), "bytes")
        size = None if count is None else f"{count['file'] / 1e6:.2f} MB"
        seconds = mean_of(results, cells, "seconds")
        rows.append((variant.name, [*errors, *merits(plan, results, [errors], runs), size, seconds]))
    for kind, recipe in (("classifier", "paper"), ("individual", "paper"), ("individual", "best")):
        baseline = [single_task_error(results, kind, name, runs, recipe) for name in names]  # type: ignore[arg-type]
        rows.append((f"{kind}, {recipe} recipe", [*baseline, None, None, None]))
    return Table("What each step gives, %", [*names, MERIT, "file", "seconds a task"], rows)
