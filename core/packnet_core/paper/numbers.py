"""Numbers from results: mean errors over runs and orders, and the share of the error gap that is closed.

A number is a mean over runs ± its standard error. Within a run it is the mean over the orders in which tasks can be
added. Errors are in percent; values that have not been computed are None.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal

from packnet_core.paper.plan import (
    Cell,
    FirstCell,
    Name,
    PackedCell,
    PackingVariant,
    Plan,
    SequentialCell,
    SingleTaskCell,
    key,
)
from packnet_core.paper.runner import Results
from packnet_core.planning.gap import gap_closed


@dataclass(frozen=True)
class Mean:
    """A mean, its standard error (None for a single value), and the number of values, mostly one per run."""

    mean: float
    standard_error: float | None
    count: int


def mean(values: Sequence[float | None]) -> Mean | None:
    """The mean of the values that are not None; None if all are."""
    found = [value for value in values if value is not None]
    if not found:
        return None
    standard_error = statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else None
    return Mean(statistics.fmean(found), standard_error, len(found))


def result_of(results: Results, cell: Cell, name: str = "error") -> Any:
    """One value of a cell's result; None if it has not been computed."""
    return results.get(key(cell), {}).get(name)


def mean_of(results: Results, cells: Sequence[Cell], name: str = "error") -> Mean | None:
    """The mean of one value over the cells that have been computed."""
    return mean([result_of(results, cell, name) for cell in cells])


def single(value: float | None) -> Mean | None:
    """A single number as a Mean."""
    return None if value is None else Mean(value, None, 1)


def top5_error(results: Results, cells: Sequence[Cell]) -> Mean | None:
    """The mean of the cells' last top-5 errors."""
    evaluated = [result_of(results, cell, "evaluated") for cell in cells]
    return mean([found[-1]["top5"] for found in evaluated if found])


def orders(plan: Plan) -> list[tuple[Name, ...]]:
    """All orders in which the tasks can be added."""
    return list(permutations(task.name for task in plan.tasks))


def first_error(results: Results) -> Mean | None:
    """The first task's error before pruning."""
    return mean_of(results, [FirstCell()])


def packed_error(
    plan: Plan,
    results: Results,
    variant: PackingVariant,
    task: Name,
    runs: int,
    among: Sequence[tuple[Name, ...]] | None = None,
) -> Mean | None:
    """A packed task's error: in each run the mean over the orders (all of them, or those in `among`).

    The first task's error is that after its own pruning, since no later task changes it. A run in which an order is
    missing does not count.
    """
    if task == plan.first.name:
        return mean_of(results, [PackedCell(way=variant, run=run, path=()) for run in range(runs)])
    paths = [order[: order.index(task) + 1] for order in among or orders(plan)]
    found: list[float | None] = []
    for run in range(runs):
        values = [result_of(results, PackedCell(way=variant, run=run, path=path)) for path in paths]
        found.append(None if None in values else statistics.fmean(values))
    return mean(found)


def single_task_error(
    results: Results, kind: Literal["classifier", "individual"], task: Name, runs: int,
    recipe: Literal["paper", "best"] = "paper",
) -> Mean | None:  # fmt: skip
    """A task's error by Classifier Only, or by an Individual Network."""
    cells = [SingleTaskCell(kind=kind, task=task, run=run, recipe=recipe) for run in range(runs)]
    return mean_of(results, cells)


def individual_error(results: Results, task: Name, runs: int) -> Mean | None:
    """The error of an Individual Network by the paper's or by the best recipe, whichever mean is lower."""
    found = (single_task_error(results, "individual", task, runs, recipe) for recipe in ("paper", "best"))
    return min((m for m in found if m is not None), key=lambda m: m.mean, default=None)


def lwf_error(plan: Plan, results: Results, task: Name, runs: int) -> Mean | None:
    """A task's error after all tasks were added by LwF: in each run the mean over the orders.

    A run in which an order is missing does not count.
    """
    found: list[float | None] = []
    for run in range(runs):
        cells = [SequentialCell(method="lwf", order=order, run=run) for order in orders(plan)]
        after = [result_of(results, cell, "after") for cell in cells]
        errors = [entry["top1"] for rounds in after if rounds for entry in rounds[-1] if entry["task"] == task]
        found.append(statistics.fmean(errors) if len(errors) == len(after) else None)
    return mean(found)


def mean_gap_closed(plan: Plan, results: Results, errors: Sequence[Mean | None], runs: int) -> float | None:
    """The mean, over the plan's tasks with these `errors`, of the share of the gap that is closed, in percent."""
    shares: list[float] = []
    for task, error in zip(plan.tasks, errors, strict=True):
        classifier = single_task_error(results, "classifier", task.name, runs)
        means = error, classifier, individual_error(results, task.name, runs)
        share = gap_closed(*(mean.mean if mean else None for mean in means))
        if share is None:
            return None
        shares.append(share)
    return statistics.fmean(shares)
