"""Numbers out of results: means over runs and orders, and how much of a gap is closed.

A number is a mean over runs ± its standard error; within a run it is the mean over the orders that tasks can be added
in. What has not been computed is None.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal

from packnet_core.paper.plan import Alone, Cell, First, Forgetting, Name, Packed, Plan, Way, key
from packnet_core.paper.runner import Results
from packnet_core.planning.gap import gap_closed


@dataclass(frozen=True)
class Mean:
    """A mean, its standard error (None for a single value), and how many values (mostly runs) it is of."""

    mean: float
    error: float | None
    count: int


def mean(values: Sequence[float | None]) -> Mean | None:
    """The mean of what is there."""
    found = [value for value in values if value is not None]
    if not found:
        return None
    error = statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else None
    return Mean(statistics.fmean(found), error, len(found))


def of(results: Results, cell: Cell, what: str = "error") -> Any:
    """One number of a cell's result; None where it has not been computed."""
    return results.get(key(cell), {}).get(what)


def top5(results: Results, cells: Sequence[Cell]) -> Mean | None:
    """The top-5 error at the end of each cell; the mean of what is there."""
    ends = [of(results, cell, "evaluated") for cell in cells]
    return mean([found[-1]["top5"] for found in ends if found])


def orders(plan: Plan) -> list[tuple[Name, ...]]:
    """All orders that the tasks can be added in."""
    return list(permutations(named.name for named in plan.tasks))


def given(results: Results) -> Mean | None:
    """The first task's error before anything was pruned."""
    return mean([of(results, First())])


def packed(
    plan: Plan, results: Results, way: Way, task: Name, runs: int, among: Sequence[tuple[Name, ...]] | None = None
) -> Mean | None:
    """A task's error as it was packed: in each run the mean over the orders, the task being at its place in each.

    The first task's is what it has after its own pruning: nothing that follows changes it. A run with an order missing
    does not count.
    """
    if task == plan.first.name:
        return mean([of(results, Packed(way=way, run=run, path=())) for run in range(runs)])
    paths = [order[: order.index(task) + 1] for order in among or orders(plan)]
    found: list[float | None] = []
    for run in range(runs):
        values = [of(results, Packed(way=way, run=run, path=path)) for path in paths]
        found.append(None if None in values else statistics.fmean(values))
    return mean(found)


def alone(
    results: Results, kind: Literal["classifier", "individual"], task: Name, runs: int,
    recipe: Literal["paper", "best"] = "paper",
) -> Mean | None:  # fmt: skip
    """The error of Classifier Only, or of an Individual Network."""
    return mean([of(results, Alone(kind=kind, task=task, run=run, recipe=recipe)) for run in range(runs)])


def individual(results: Results, task: Name, runs: int) -> Mean | None:
    """The better of both recipes: a weak yardstick would flatter what is measured by it."""
    found = (alone(results, "individual", task, runs, "paper"), alone(results, "individual", task, runs, "best"))
    return min((m for m in found if m is not None), key=lambda m: m.mean, default=None)


def lwf(plan: Plan, results: Results, task: Name, runs: int) -> Mean | None:
    """A task's error once all have been added by LwF: in each run the mean over the orders; one with an order missing
    does not count."""
    found: list[float | None] = []
    for run in range(runs):
        after = [of(results, Forgetting(method="lwf", order=order, run=run), "after") for order in orders(plan)]
        errors = [entry["top1"] for rounds in after if rounds for entry in rounds[-1] if entry["task"] == task]
        found.append(statistics.fmean(errors) if len(errors) == len(after) else None)
    return mean(found)


def gaps(plan: Plan, results: Results, found: Sequence[Mean | None], runs: int) -> list[float | None]:
    """The share of the gap that is closed (`gap_closed`, in percent) for each of the plan's tasks; last, their mean."""
    shares = []
    for named, error in zip(plan.tasks, found, strict=True):
        means = error, alone(results, "classifier", named.name, runs), individual(results, named.name, runs)
        shares.append(gap_closed(*(m.mean if m else None for m in means)))
    whole = [share for share in shares if share is not None]
    return [*shares, statistics.fmean(whole) if len(whole) == len(shares) else None]
