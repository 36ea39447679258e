"""A task's errors by baselines, in words. Needs neither Textual nor torch."""

from collections.abc import Sequence

from packnet_tui.state.format import fitting, whole_percent
from packnet_tui.state.picture import TaskRow

ENDS = ("individual", "classifier")  # best and worst: a task's own error usually lies between
ORDER = (*ENDS, "lwf", "ewc", "joint", "filters")
GAP_CLOSED = "closes {} of the gap to its own network", "gap closed {}"


def comparisons_in_words(task: TaskRow, without: Sequence[str] = (), width: int = 80) -> list[str]:
    """`individual 14.30`, `classifier 34.40`, …: errors in percent, and the share of the gap closed.

    Leaves out the baselines named in `without`. No part is wider than `width`, if that can be.
    """
    parts = [f"{name} {task.compared[name]:.2f}" for name in ORDER if name in task.compared and name not in without]
    if task.closed is not None and not without:
        closed = [text.format(whole_percent(task.closed)) for text in GAP_CLOSED]
        parts.insert(len(ENDS), fitting(width, *closed))
    return parts
