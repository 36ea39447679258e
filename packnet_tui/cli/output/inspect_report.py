"""`packnet inspect`: what header and journal say about a file, as JSON or as tables.

Scripts call it in loops, so nothing here imports torch, numpy, Textual or Typer; of rich only `rich.cells`, for the
width of characters (2 ms).
"""

import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from packnet_core.jobs.history import History, Result, read_history
from packnet_core.jobs.unfinished import ways_out
from packnet_core.packfile.checkpoint_header import Checkpoint, find
from packnet_core.packfile.header import Header, read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import summary
from packnet_core.schema.text import printable
from packnet_tui.cli.output.text_tables import comparison_table, layer_table, summary_lines, task_table
from packnet_tui.cli.shell import quoted
from packnet_tui.state.format import MISSING, moment
from packnet_tui.state.job_words import where

REPORT_FORMAT = 1  # of the JSON below


def print_inspection(path: Path, json: bool = False) -> int:
    """Print the content of a pack file. Returns the exit status. Raises FileError if the file can't be read."""
    header, paths = read_header(path), Paths(path)
    document = header.document
    history = History(document)
    with suppress(OSError):  # if the journal can't be read, there are no later results
        history = read_history(paths.journal, document)
    running = next(iter(history.jobs.values()), None) if paths.is_locked() else None
    interrupted = find(paths.checkpoint, document) if running is None else None  # else it is the running job's
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(facts(header, history, interrupted)) + b"\n")
        return 0
    width = shutil.get_terminal_size((80, 24)).columns
    blocks = [summary_lines(path, header)]
    if interrupted:
        what = f"{summary(interrupted.command)} ({where(interrupted)})"
        blocks[0].append(printable(f"interrupted: {what}; {ways_out(path)}"))
    if running:
        blocks[0].append(printable(f"running: {summary(running)}; watch it: packnet watch {quoted(path)}"))
    if document.tasks:
        blocks.append(task_table(document, history, width))
    if any(task.name in history.comparisons for task in document.tasks):
        blocks.append(comparison_table(document, history, width))
    blocks.append(layer_table(document, width))
    print("\n\n".join("\n".join(block) for block in blocks))
    return 0


def facts(header: Header, history: History, interrupted: Checkpoint | None = None) -> dict[str, Any]:
    """The object that `packnet inspect --json` prints; errors are in percent, digests are SHA-256."""
    stopped = None
    if interrupted:
        stopped = {"what": summary(interrupted.command), "phase": interrupted.phase, "epoch": interrupted.epoch}
    document = header.document
    owned = document.owned
    return {
        "format": REPORT_FORMAT,
        "architecture": document.architecture,
        "input": document.input,
        "tasks": [
            {
                "name": task.name,
                "index": index,
                "phase": task.phase,
                "classes": len(task.classes),
                "weights": owned[index - 1],
                "prune_ratio": task.prune_ratio,
                "error": task.error,
                "last_evaluation": _evaluation(history.evaluations.get(task.name)),
                **_sample(history.samples.get(task.name)),
                "digest": task.digest,
                **({"own": list(task.own)} if task.own else {}),
                **({"layers": list(task.layers)} if task.layers else {}),
                **_comparisons(task.name, history),
            }
            for index, task in enumerate(document.tasks, 1)
        ],
        "layers": [
            {
                "name": layer.name,
                "shape": layer.shape,
                "weights": layer.weights,
                "free": layer.free,
                "owned": layer.owned,
            }
            for layer in document.layers
        ],
        "totals": {"weights": document.weights, "free": document.free, "owned": owned},
        "bytes": header.bytes_by_kind(),
        **({"interrupted": stopped} if stopped else {}),
    }


def _evaluation(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {**msgspec.structs.asdict(result.error), "loss": result.loss, "when": _when(result)}


def _sample(result: Result | None) -> dict[str, Any]:
    """The newest evaluation of a task if it was on some of the test images only: it says nothing about drift."""
    found = _evaluation(result)
    return {"limited_evaluation": {**found, "of": result.of}} if result and found else {}


def _comparisons(task: str, history: History) -> dict[str, Any]:
    """A task's errors by baselines, if it was compared with any."""
    found = sorted(history.comparisons.get(task, {}).items())
    known = {name: {**msgspec.structs.asdict(result.error), "when": _when(result)} for name, result in found}
    return {"comparisons": known} if known else {}


def _when(result: Result) -> str | None:
    """When a result was measured, in UTC; None for a time that no calendar has."""
    text = moment(result.at, "%Y-%m-%dT%H:%M:%SZ", utc=True)
    return None if text == MISSING else text
