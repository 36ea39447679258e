"""The paper's figures as tables of numbers; `pictures` draws them."""

from collections.abc import Sequence
from typing import Any

from packnet_core.paper.numbers import mean_of, orders, result_of, single
from packnet_core.paper.plan import HALF, Cell, LayersCell, PackedCell, Plan, SequentialCell, SweepCell
from packnet_core.paper.runner import Results
from packnet_core.paper.tables import Table, Value, packed_cells

SWEEP_RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95)  # of Figure 4
CHOICES = (("classifier",), ("fc",), ("conv",), ("all",))  # of Figure 5, for VGG
STAGES = (("classifier",), ("layer3*",), ("layer2*", "layer3*"), ("all",))  # for ResNets, without hidden linear layers


def figure2_cells(plan: Plan, runs: int) -> list[Cell]:
    """One order, by LwF, EWC and PackNet."""
    order = orders(plan)[0]
    return [
        SequentialCell(method="lwf", order=order, run=0),
        SequentialCell(method="ewc", order=order, run=0),
        PackedCell(way=HALF, run=0, path=order),
    ]


def figure2(plan: Plan, results: Results, runs: int) -> Table:
    """Figure 2: the error of each task as more are added, by LwF, PackNet and (beyond the paper) EWC."""
    order = orders(plan)[0]
    none: list[list[dict[str, Any]]] = [[]] * len(order)
    lwf, ewc = (SequentialCell(method=m, order=order, run=0) for m in ("lwf", "ewc"))
    lwf_after, ewc_after = (result_of(results, cell, "after") or none for cell in (lwf, ewc))
    rows: list[tuple[str, Sequence[Value]]] = []
    for index, name in enumerate((plan.first.name, *order)):
        by_lwf, by_ewc = ([single(_error_of(name, found)) for found in after] for after in (lwf_after, ewc_after))
        by_packnet: list[Value] = []
        for k in range(1, len(order) + 1):
            cell = PackedCell(way=HALF, run=0, path=order[:k])
            older = result_of(results, cell, "older") or []
            by_packnet.append(single(result_of(results, cell) if index == k else _error_of(name, older)))
        rows += [(f"LwF: {name}", by_lwf), (f"EWC: {name}", by_ewc), (f"PackNet: {name}", by_packnet)]
    return Table("Figure 2: errors as tasks are added, %", [f"after {name}" for name in order], rows)


def figure3_cells(plan: Plan, runs: int) -> list[Cell]:
    """PackNet in all orders."""
    return [cell for run in range(runs) for cell in packed_cells(plan, HALF, run)]


def figure3(plan: Plan, results: Results, runs: int) -> Table:
    """Figure 3: a task's error by its place in the order; the mean over orders of earlier tasks and over runs."""
    rows: list[tuple[str, Sequence[Value]]] = []
    for task in plan.tasks:
        errors: list[Value] = []
        for place in range(len(plan.tasks)):
            paths = sorted({order[: place + 1] for order in orders(plan) if order[place] == task.name})
            cells = [PackedCell(way=HALF, run=run, path=path) for run in range(runs) for path in paths]
            errors.append(mean_of(results, cells))
        rows.append((task.name, errors))
    places = [("first", "second", "third")[i] if i < 3 else f"{i + 1}th" for i in range(len(plan.tasks))]
    return Table("Figure 3: error by place in the order, %", places, rows)


def figure4_cells(plan: Plan, runs: int) -> list[Cell]:
    """Every task at every ratio."""
    names = [plan.first.name, *(task.name for task in plan.tasks)]
    return [
        SweepCell(task=name, run=run, ratio=ratio) for run in range(runs) for name in names for ratio in SWEEP_RATIOS
    ]


def figure4(plan: Plan, results: Results, runs: int) -> Table:
    """Figure 4: a task's error right after pruning at a ratio, and after retraining."""
    rows: list[tuple[str, Sequence[Value]]] = []
    for name in (plan.first.name, *(task.name for task in plan.tasks)):
        cells = [[SweepCell(task=name, run=run, ratio=ratio) for run in range(runs)] for ratio in SWEEP_RATIOS]
        for field, title in (("at_once", "right after"), ("error", "retrained")):
            rows.append((f"{name}, {title}", [mean_of(results, column, field) for column in cells]))
    return Table("Figure 4: error by pruning ratio, %", [f"{ratio:g}" for ratio in SWEEP_RATIOS], rows)


def figure5_cells(plan: Plan, runs: int) -> list[Cell]:
    """Every task with every choice of layers."""
    names, choices = [task.name for task in plan.tasks], layer_choices(plan)
    return [LayersCell(task=name, run=run, layers=row) for run in range(runs) for name in names for row in choices]


def figure5(plan: Plan, results: Results, runs: int) -> Table:
    """Figure 5: a task's error if only some layers train."""
    choices = layer_choices(plan)
    rows: list[tuple[str, Sequence[Value]]] = []
    for task in plan.tasks:
        cells = [[LayersCell(task=task.name, run=run, layers=row) for run in range(runs)] for row in choices]
        rows.append((task.name, [mean_of(results, column) for column in cells]))
    titles = [" + ".join(layer.strip("*") for layer in row) for row in choices]
    return Table("Figure 5: error by the layers that train, %", titles, rows)


def layer_choices(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """The layers that train in each column of Figure 5: by kind of layer, or by stage in a ResNet."""
    return STAGES if "resnet" in plan.arch else CHOICES


def _error_of(task: str, entries: Sequence[dict[str, Any]]) -> float | None:
    return next((entry["top1"] for entry in entries if entry["task"] == task), None)
