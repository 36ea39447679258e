"""A task's errors by baselines, in words. Needs neither Textual nor torch."""

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len

from packnet_tui.state.format import whole_percent
from packnet_tui.state.picture import TaskRow

ENDS = ("individual", "classifier")  # best and worst: a task's own error usually lies between
ORDER = (*ENDS, "lwf", "ewc", "joint", "filters")


def comparisons_in_words(task: TaskRow, without: Sequence[str] = ()) -> list[str]:
    """`individual 14.30`, `classifier 34.40`, …: errors in percent, and the share of the gap closed.

    Leaves out the baselines named in `without`.
    """
    parts = [f"{name} {task.compared[name]:.2f}" for name in ORDER if name in task.compared and name not in without]
    if task.closed is not None and not without:
        parts.insert(len(ENDS), f"closes {whole_percent(task.closed)} of the gap to its own network")
    return parts


def wrapped(parts: Sequence[str], width: int) -> list[str]:
    """Parts joined to lines of at most `width` cells; a part is broken only between words, if it has no room alone."""
    lines: list[str] = []
    for part in (piece for whole in parts for piece in textwrap.wrap(whole, max(1, width))):
        if lines and cell_len(f"{lines[-1]} · {part}") <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return lines
