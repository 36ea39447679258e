"""The tables of `packnet inspect`: aligned plain text, the same in a pipe and on a terminal."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from rich.cells import cell_len

from packnet_core.jobs.history import History
from packnet_core.packfile.header import Header
from packnet_core.planning.gap import gap_closed
from packnet_core.schema.commands import Baseline
from packnet_core.schema.document import Document
from packnet_core.schema.text import printable
from packnet_tui.state.format import (
    MISSING,
    cut_middle,
    file_size,
    images,
    long,
    share,
    top1,
    two_digits,
    whole_percent,
)

GAP = "  "
NARROWEST_NAME = 8


def summary_lines(path: Path, header: Header) -> list[str]:
    """The file in three lines: name and network, free weights, size."""
    document, sizes = header.document, header.bytes_by_kind()
    given, tasks = document.input, len(document.tasks)
    parts = ", ".join(f"{kind} {file_size(sizes[kind])}" for kind in ("network", "owners", "heads", "rest"))
    return [
        printable(
            f"{path.name}: {document.architecture.name}, input {given.channels}×{given.size}×{given.size}, "
            f"{tasks} {'task' if tasks == 1 else 'tasks'}"
        ),
        f"{document.weights:,} weights, {document.free:,} free ({share(document.free, document.weights)} %)",
        f"{file_size(sizes['file'])}: {parts}",
    ]


def task_table(document: Document, history: History, width: int) -> list[str]:
    """One line per task. Errors are in percent on the test set: when the task was last changed, and `now`."""
    headings = ["#", "task", "state", "classes", "owns", "prune", "error", "top-5", "now", "digest"]
    rows = []
    for index, (task, owned) in enumerate(zip(document.tasks, document.owned, strict=True), 1):
        now = history.evaluations.get(task.name)
        rows.append(
            [
                str(index),
                task.name,
                task.phase,
                str(len(task.classes)),
                long(owned),
                two_digits(task.prune_ratio),
                two_digits(task.error.top1 if task.error else None),
                two_digits(task.error.top5 if task.error else None),
                two_digits(now.error.top1 if now else None),
                task.digest.removeprefix("sha256:")[:7],
            ]
        )
    shown = [
        i for i, name in enumerate(headings) if name not in ("top-5", "now") or any(row[i] != MISSING for row in rows)
    ]
    table = [[row[i] for i in shown] for row in (headings, *rows)]
    return aligned(table, width, left={"task", "state", "digest"}, flexible=1) + _samples(document, history)


def _samples(document: Document, history: History) -> list[str]:
    """One line per task whose newest evaluation was on some of the test images only."""
    found = ((task.name, history.samples[task.name]) for task in document.tasks if task.name in history.samples)
    return [
        f"{name} now: test error {top1(result.error, result.of)} on {images(result.error.images, result.of)}"
        for name, result in found
    ]


def comparison_table(document: Document, history: History, width: int) -> list[str]:
    """One line per task that was compared: its error, the baselines' errors, and the share of the gap it closes."""
    compared = [task for task in document.tasks if task.name in history.comparisons]
    used = [name for name in get_args(Baseline) if any(name in history.comparisons[task.name] for task in compared)]
    rows = []
    for task in compared:
        found = {name: result.error.top1 for name, result in history.comparisons[task.name].items()}
        own = task.error.top1 if task.error else None
        closes = gap_closed(own, found.get("classifier"), found.get("individual"))
        rows.append([task.name, *map(two_digits, (own, *map(found.get, used))), whole_percent(closes)])
    return aligned([["task", "error", *used, "gap closed"], *rows], width, left={"task"}, flexible=0)


def layer_table(document: Document, width: int) -> list[str]:
    """One line per layer: the share that is free and the share that each task owns, in percent, one column per task.

    If there is no room for all tasks, the oldest share a column.
    """
    tasks = len(document.tasks)
    rows = [
        (
            layer.name.removesuffix(".weight"),
            "×".join(map(str, layer.shape)),
            layer.weights,
            layer.free,
            layer.owned,
        )
        for layer in document.layers
    ]
    rows.append(("total", "", document.weights, document.free, tuple(document.owned)))
    taken = 16 + sum(len(GAP) + n for n in (max(len(r[1]) for r in rows), len(f"{document.weights:,}"), len("free %")))
    room = max(1, (width - taken) // len(GAP + "100.0"))
    merged = max(0, tasks - room) and tasks - room + 1  # the oldest tasks that share the first column
    headings = [f"1–{merged}"] if merged else []
    headings += [str(index) for index in range(merged + 1, tasks + 1)]
    table = [["layer", "shape", "weights", "free %", *headings]]
    for name, shape, weights, free, owned in rows:
        counts = [sum(owned[:merged])] if merged else []
        counts += owned[merged:]
        table.append([name, shape, f"{weights:,}", *(share(count, weights) for count in (free, *counts))])
    return aligned(table, width, left={"layer", "shape"}, flexible=0)


def aligned(table: Sequence[Sequence[str]], width: int, left: Iterable[str], flexible: int) -> list[str]:
    """Rows as lines; the first row has the headings.

    Columns whose heading is in `left` are flush left; the column of index `flexible` is cut so that lines fit `width`.
    """
    widths = [max(cell_len(row[i]) for row in table) for i in range(len(table[0]))]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    if excess > 0:
        widths[flexible] = max(NARROWEST_NAME, widths[flexible] - excess)
    flush_left = [heading in left for heading in table[0]]
    return [
        GAP.join(_cell(text, w, at_left) for text, w, at_left in zip(row, widths, flush_left, strict=True)).rstrip()
        for row in table
    ]


def _cell(text: str, width: int, at_left: bool) -> str:
    text = cut_middle(text, width)
    space = " " * (width - cell_len(text))
    return text + space if at_left else space + text
