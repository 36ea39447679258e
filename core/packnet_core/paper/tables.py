"""The paper's tables: which cells each one needs, and how its rows come out of their results."""

from collections.abc import Sequence
from dataclasses import dataclass

from packnet_core.paper.numbers import (
    Mean,
    alone,
    gaps,
    given,
    individual,
    lwf,
    mean,
    of,
    orders,
    packed,
    top5,
)
from packnet_core.paper.plan import (
    HALF,
    Alone,
    Cell,
    Filtered,
    First,
    Forgetting,
    Jointly,
    Packed,
    Plan,
    Way,
)
from packnet_core.paper.runner import Results
from packnet_core.planning.sizes import sizes

THREE_QUARTERS = Way(name="three-quarters", first=0.75)
OWN_BIASES = Way(name="own-biases", own=("biases",))
OWN_NORMS = Way(name="own-norms", own=("norms",))
MERIT = "mean gap closed, %"
Value = Mean | str | None


@dataclass(frozen=True)
class Table:
    """A table: its title, its columns' titles, and rows of a title and a value a column. None is not computed yet."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Value]]]


def best(plan: Plan) -> Way:
    """The best recipe as a way to pack."""
    own, steps = tuple(plan.best.get("own", ())), plan.best.get("steps", 1)
    return Way(name="best", own=own, steps=steps, recipe=plan.best_changes)


def ends(plan: Plan, run: int) -> list[Cell]:
    """Classifier Only and Individual Networks of every task, the latter by both recipes."""
    found: list[Cell] = []
    for named in plan.tasks:
        found.append(Alone(kind="classifier", task=named.name, run=run))
        found.append(Alone(kind="individual", task=named.name, run=run))
        found.append(Alone(kind="individual", task=named.name, run=run, recipe="best"))
    return found


def in_all_orders(plan: Plan, way: Way, run: int) -> list[Cell]:
    """A way to pack in one run; orders that begin alike share what they have in common."""
    return [Packed(way=way, run=run, path=order) for order in orders(plan)]


def merits(plan: Plan, results: Results, columns: Sequence[Sequence[Mean | None]], runs: int) -> list[Value]:
    """The row of the figure of merit, for columns of the tasks' errors."""
    return [share(gaps(plan, results, errors, runs)[-1]) for errors in columns]


def share(value: float | None) -> Mean | None:
    return None if value is None else Mean(value, None, 1)


# -- Table 2 ----------------------------------------------------------------------------------------------------


def table2_cells(plan: Plan, runs: int) -> list[Cell]:
    """A whole run of all ways before the next one, so that what is there is comparable."""
    found: list[Cell] = []
    for run in range(runs):
        found += ends(plan, run)
        for way in (HALF, best(plan), THREE_QUARTERS):
            found += in_all_orders(plan, way, run)
        found += [Forgetting(method="lwf", order=order, run=run) for order in orders(plan)]
    return found


def table2(plan: Plan, results: Results, runs: int) -> Table:
    """Table 2: tasks added in all orders by PackNet and by LwF, between the two ends."""
    names = [named.name for named in plan.tasks]
    columns = [[lwf(plan, results, name, runs) for name in names]]
    columns += [[packed(plan, results, way, name, runs) for name in names] for way in ways(plan)]
    first = plan.first.name
    whole = given(results)
    firsts = [packed(plan, results, way, first, runs) for way in ways(plan)]
    rows: list[tuple[str, list[Value]]] = [(first, [whole, lwf(plan, results, first, runs), *firsts, whole])]
    best5 = [top5(results, first_pruned(way, runs)) for way in ways(plan)]
    whole5 = top5(results, [First()])
    rows.append((f"({first}, top-5)", [whole5, None, *best5, whole5]))
    for index, name in enumerate(names):
        errors = [column[index] for column in columns]
        rows.append((name, [alone(results, "classifier", name, runs), *errors, individual(results, name, runs)]))
    rows.append((MERIT, [share(0.0), *merits(plan, results, columns, runs), share(100.0)]))
    rows.append(("# networks (size)", size_row(plan, results)))
    titles = ["Classifier Only", "LwF", "0.50, 0.75, 0.75", "0.75, 0.75, 0.75", "best recipe", "Individual"]
    return Table("Table 2: errors of tasks added one after another, %", titles, rows)


def first_pruned(way: Way, runs: int) -> list[Cell]:
    """The first task, pruned and retrained, in each run."""
    return [Packed(way=way, run=run, path=()) for run in range(runs)]


def ways(plan: Plan) -> tuple[Way, ...]:
    """The ways to pack that Table 2 compares."""
    return (HALF, THREE_QUARTERS, best(plan))


def size_row(plan: Plan, results: Results) -> list[Value]:
    """One network for all tasks, or one each; by arithmetic, as `packnet sizes`."""
    classes = [of(results, cell, "classes") for cell in (First(), *(_classifier(n.name) for n in plan.tasks))]
    if None in classes:
        return [None] * 6
    found = sizes(plan.arch, classes)
    ours = f"1 ({_size(found.packed)})"
    alike = f"1 ({_size(found.classifier_only)})"
    best_bytes = of(results, Packed(way=best(plan), run=0, path=orders(plan)[0]), "bytes")
    better = None if best_bytes is None else f"1 ({_size(found.packed - found.rest + best_bytes['rest'])})"
    return [alike, alike, ours, ours, better, f"{len(classes)} ({_size(found.individual)})"]


def _classifier(task: str) -> Cell:
    return Alone(kind="classifier", task=task, run=0)


def _size(count: float) -> str:
    return f"{count / 1e6:.0f} MB" if count > 2e7 else f"{count / 1e6:.2f} MB"


# -- Tables 3 and 4 ---------------------------------------------------------------------------------------------


def table3_cells(plan: Plan, runs: int) -> list[Cell]:
    found: list[Cell] = []
    for run in range(runs):
        found += [Jointly(run=run), *ends(plan, run)]
        for way in (HALF, THREE_QUARTERS):
            found += in_all_orders(plan, way, run)
    return found


def table3(plan: Plan, results: Results, runs: int) -> Table:
    """Table 3: large sets; PackNet beside one network trained on all of them together."""
    rows: list[tuple[str, list[Value]]] = []
    for name in (plan.first.name, *(named.name for named in plan.tasks)):
        joint = [of(results, Jointly(run=run), "evaluated") for run in range(runs)]
        together = mean([e["top1"] for found in joint if found for e in found if e["task"] == name])
        own = given(results) if name == plan.first.name else individual(results, name, runs)
        errors = [packed(plan, results, way, name, runs) for way in (HALF, THREE_QUARTERS)]
        rows.append((name, [together, *errors, own]))
    return Table("Table 3: large sets, %", ["Jointly trained", "0.50", "0.75", "Individual"], rows)


def table4_cells(plan: Plan, runs: int) -> list[Cell]:
    return [cell for run in range(runs) for cell in (*ends(plan, run), *in_all_orders(plan, HALF, run))]


def table4(plan: Plan, results: Results, runs: int) -> Table:
    """Table 4: one more network."""
    names = [named.name for named in plan.tasks]
    errors = [packed(plan, results, HALF, name, runs) for name in names]
    first = plan.first.name
    rows: list[tuple[str, list[Value]]] = [
        (first, [given(results), packed(plan, results, HALF, first, runs), given(results)])
    ]
    whole5 = top5(results, [First()])
    rows.append((f"({first}, top-5)", [whole5, top5(results, first_pruned(HALF, runs)), whole5]))
    for name, error in zip(names, errors, strict=True):
        rows.append((name, [alone(results, "classifier", name, runs), error, individual(results, name, runs)]))
    rows.append((MERIT, [share(0.0), *merits(plan, results, [errors], runs), share(100.0)]))
    return Table(f"Table 4: {plan.arch}, %", ["Classifier Only", "0.50, 0.75, 0.75", "Individual"], rows)


# -- Table 5 ----------------------------------------------------------------------------------------------------


def table5_cells(plan: Plan, runs: int) -> list[Cell]:
    """The baselines too: how much of the gap own parts close is what they are judged by."""
    found: list[Cell] = []
    for run in range(runs):
        found += ends(plan, run)
        for way in (HALF, OWN_NORMS, OWN_BIASES):
            found += in_all_orders(plan, way, run)
    return found


def table5(plan: Plan, results: Results, runs: int) -> Table:
    """Table 5: biases and normalisation of a task's own, or shared."""
    names = [named.name for named in plan.tasks]
    columns = [[packed(plan, results, way, n, runs) for n in names] for way in (OWN_BIASES, OWN_NORMS, HALF)]
    rows: list[tuple[str, Sequence[Value]]] = [
        (name, [column[index] for column in columns]) for index, name in enumerate(names)
    ]
    rows.append((MERIT, merits(plan, results, columns, runs)))
    return Table("Table 5: what is a task's own, %", ["own biases", "own normalisation", "all shared"], rows)


# -- Table 6 ----------------------------------------------------------------------------------------------------


def table6_cells(plan: Plan, runs: int) -> list[Cell]:
    found: list[Cell] = []
    for run in range(runs):
        for named in plan.tasks:
            found.append(Alone(kind="classifier", task=named.name, run=run))
            found.append(Filtered(task=named.name, run=run))
            found.append(Packed(way=HALF, run=run, path=(named.name,)))
    return found


def table6(plan: Plan, results: Results, runs: int) -> Table:
    """Table 6: one task added after pruning filters by their Taylor rank, or weights by their magnitude."""
    names = [named.name for named in plan.tasks]
    filters = [of(results, Filtered(task=name, run=run), "first_error") for name in names for run in range(runs)]
    first = plan.first.name
    rows: list[tuple[str, list[Value]]] = [
        (first, [given(results), mean(filters), packed(plan, results, HALF, first, runs)])
    ]
    for name in names:
        by_filters = mean([of(results, Filtered(task=name, run=run)) for run in range(runs)])
        by_weights = mean([of(results, Packed(way=HALF, run=run, path=(name,))) for run in range(runs)])
        rows.append((name, [alone(results, "classifier", name, runs), by_filters, by_weights]))
    return Table("Table 6: filters or weights pruned, %", ["Classifier Only", "Filters", "Weights"], rows)


# -- the ablation -----------------------------------------------------------------------------------------------


def _norms(name: str, steps: int = 1, **recipe: bool | float | int | str) -> Way:
    """Own normalisation, and more."""
    return Way(name=name, own=("norms",), steps=steps, recipe=recipe)


STEPS_BEYOND: tuple[Way, ...] = (
    HALF,
    OWN_NORMS,
    Way(name="cosine", recipe={"schedule": "cosine", "retrain_lr": 1e-2}),
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
    """Each way in the order that the tasks were given in."""
    found: list[Cell] = []
    for run in range(runs):
        found += ends(plan, run)
        found += [Packed(way=way, run=run, path=order) for way in STEPS_BEYOND for order in orders(plan)[:1]]
    return found


def ablation(plan: Plan, results: Results, runs: int) -> Table:
    """What each step beyond the paper gives and costs, in one order."""
    names = [named.name for named in plan.tasks]
    order = orders(plan)[0]
    rows: list[tuple[str, Sequence[Value]]] = []
    for way in STEPS_BEYOND:
        errors = [packed(plan, results, way, name, runs, [order]) for name in names]
        cells = [Packed(way=way, run=run, path=order[:k]) for run in range(runs) for k in range(1, len(order) + 1)]
        seconds = mean([of(results, cell, "seconds") for cell in cells])
        count = of(results, Packed(way=way, run=0, path=order), "bytes")
        size = None if count is None else f"{count['file'] / 1e6:.2f} MB"
        rows.append((way.name, [*errors, share(gaps(plan, results, errors, runs)[-1]), size, seconds]))
    for kind, recipe in (("classifier", "paper"), ("individual", "paper"), ("individual", "best")):
        ends_of = [alone(results, kind, name, runs, recipe) for name in names]  # type: ignore[arg-type]
        rows.append((f"{kind}, {recipe} recipe", [*ends_of, None, None, None]))
    return Table("What each step gives, %", [*names, MERIT, "file", "seconds a task"], rows)
