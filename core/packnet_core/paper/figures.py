"""The paper's figures as tables of numbers; `pictures` draws them."""

from collections.abc import Sequence
from typing import Any

from packnet_core.paper.numbers import Mean, mean, of, orders
from packnet_core.paper.plan import HALF, Cell, Chosen, Forgetting, Packed, Plan, Swept
from packnet_core.paper.runner import Results
from packnet_core.paper.tables import Table, Value, in_all_orders

RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95)  # of Figure 4
CHOICES = (("classifier",), ("fc",), ("conv",), ("all",))  # of Figure 5, for VGG
STAGES = (("classifier",), ("layer3*",), ("layer2*", "layer3*"), ("all",))  # for ResNets, which have no hidden fc


def figure2_cells(plan: Plan, runs: int) -> list[Cell]:
    order = orders(plan)[0]
    return [
        Forgetting(method="lwf", order=order, run=0),
        Forgetting(method="ewc", order=order, run=0),
        Packed(way=HALF, run=0, path=order),
    ]


def figure2(plan: Plan, results: Results, runs: int) -> Table:
    """Figure 2: the error of each task as more are added, in the order that they were given; by EWC too."""
    order = orders(plan)[0]
    none: list[list[dict[str, Any]]] = [[]] * len(order)
    lwf, ewc = (of(results, Forgetting(method=m, order=order, run=0), "after") or none for m in ("lwf", "ewc"))
    rows: list[tuple[str, Sequence[Value]]] = []
    for index, name in enumerate((plan.first.name, *order)):
        by_lwf, by_ewc = ([_one(_among(errors, name)) for errors in after] for after in (lwf, ewc))
        ours: list[Value] = []
        for k in range(1, len(order) + 1):
            cell = Packed(way=HALF, run=0, path=order[:k])
            newest = index == k
            error = of(results, cell) if newest else _among(of(results, cell, "older") or [], name)
            ours.append(_one(error))
        rows += [(f"LwF: {name}", by_lwf), (f"EWC: {name}", by_ewc), (f"PackNet: {name}", ours)]
    return Table("Figure 2: errors as tasks are added, %", [f"after {name}" for name in order], rows)


def figure3_cells(plan: Plan, runs: int) -> list[Cell]:
    return [cell for run in range(runs) for cell in in_all_orders(plan, HALF, run)]


def figure3(plan: Plan, results: Results, runs: int) -> Table:
    """Figure 3: a task's error by its place in the order; the mean over what comes before it, and over runs."""
    rows: list[tuple[str, Sequence[Value]]] = []
    for named in plan.tasks:
        errors: list[Value] = []
        for place in range(len(plan.tasks)):
            paths = sorted({order[: place + 1] for order in orders(plan) if order[place] == named.name})
            cells = [Packed(way=HALF, run=run, path=path) for run in range(runs) for path in paths]
            errors.append(mean([of(results, cell) for cell in cells]))
        rows.append((named.name, errors))
    places = [("first", "second", "third")[i] if i < 3 else f"{i + 1}th" for i in range(len(plan.tasks))]
    return Table("Figure 3: error by place in the order, %", places, rows)


def figure4_cells(plan: Plan, runs: int) -> list[Cell]:
    names = [plan.first.name, *(named.name for named in plan.tasks)]
    return [Swept(task=name, run=run, ratio=ratio) for run in range(runs) for name in names for ratio in RATIOS]


def figure4(plan: Plan, results: Results, runs: int) -> Table:
    """Figure 4: a task's error right after pruning at a ratio, and after retraining."""
    rows: list[tuple[str, Sequence[Value]]] = []
    for name in (plan.first.name, *(named.name for named in plan.tasks)):
        for what, title in (("at_once", "right after"), ("error", "retrained")):
            cells = [[Swept(task=name, run=run, ratio=ratio) for run in range(runs)] for ratio in RATIOS]
            rows.append((f"{name}, {title}", [mean([of(results, cell, what) for cell in some]) for some in cells]))
    return Table("Figure 4: error by pruning ratio, %", [f"{ratio:g}" for ratio in RATIOS], rows)


def figure5_cells(plan: Plan, runs: int) -> list[Cell]:
    names = [named.name for named in plan.tasks]
    return [Chosen(task=name, run=run, layers=row) for run in range(runs) for name in names for row in choices(plan)]


def figure5(plan: Plan, results: Results, runs: int) -> Table:
    """Figure 5: a task's error where some layers alone may train."""
    rows: list[tuple[str, Sequence[Value]]] = []
    for named in plan.tasks:
        cells = [[Chosen(task=named.name, run=run, layers=row) for run in range(runs)] for row in choices(plan)]
        rows.append((named.name, [mean([of(results, cell) for cell in some]) for some in cells]))
    titles = [" + ".join(layer.strip("*") for layer in row) for row in choices(plan)]
    return Table("Figure 5: error by the layers that train, %", titles, rows)


def choices(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """The rows of Figure 5: by kind of layer, or by stage where a network has one kind alone."""
    return STAGES if "resnet" in plan.arch else CHOICES


def _one(value: float | None) -> Mean | None:
    return None if value is None else Mean(value, None, 1)


def _among(entries: Sequence[dict[str, Any]], task: str) -> float | None:
    return next((entry["top1"] for entry in entries if entry["task"] == task), None)
