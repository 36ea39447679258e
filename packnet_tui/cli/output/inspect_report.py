"""`packnet inspect`: what the header and the journal say of a file, as JSON for scripts and as tables for people.

Scripts call it in loops, so nothing here imports torch, numpy, typer or rich.
"""

import math
import mmap
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from packnet_core.packfile.header import Header, read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.document import Document
from packnet_core.schema.events import Compared, Entry, Evaluated, JobStarted
from packnet_tui.cli.output.text_tables import comparison_table, layer_table, summary_lines, task_table

REPORT_FORMAT = 1  # of the JSON below


def inspect(path: Path, json: bool = False) -> int:
    """Print what a pack file holds. Raises FileError where it can't be read."""
    header = read_header(path)
    journal = Paths(path).journal
    evaluations = last_evaluations(journal, header.document)
    comparisons = last_comparisons(journal, header.document)
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(facts(header, evaluations, comparisons)) + b"\n")
        return 0
    width = shutil.get_terminal_size((80, 24)).columns
    blocks = [summary_lines(path, header), layer_table(header.document, width)]
    if header.document.tasks:
        blocks.insert(1, task_table(header.document, evaluations, width))
    if comparisons:
        blocks.insert(2, comparison_table(header.document, comparisons, width))
    print("\n\n".join("\n".join(block) for block in blocks))
    return 0


def facts(header: Header, evaluations: dict[str, Entry], comparisons: dict[tuple[str, str], Entry]) -> dict[str, Any]:
    """The object that `packnet inspect --json` prints; errors are percentages, digests SHA-256."""
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
                "last_evaluation": _evaluation(evaluations.get(task.name)),
                "digest": task.digest,
                **({"own": list(task.own)} if task.own else {}),
                **({"layers": list(task.layers)} if task.layers else {}),
                **_comparisons(task.name, comparisons),
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
    }


def _evaluation(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    assert isinstance(entry.event, Evaluated)
    return {**msgspec.structs.asdict(entry.event.error), "loss": entry.event.loss, "when": _when(entry)}


def _comparisons(task: str, found: dict[tuple[str, str], Entry]) -> dict[str, Any]:
    """A task's errors by baselines, where it was compared with any."""
    known = {}
    for (name, baseline), entry in found.items():
        if name == task and isinstance(entry.event, Compared):
            known[baseline] = {**msgspec.structs.asdict(entry.event.error), "when": _when(entry)}
    return {"comparisons": known} if known else {}


def _when(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def last_evaluations(journal: Path, document: Document) -> dict[str, Entry]:
    """Each task's newest evaluation in the journal, by name; not those of a former file, of a dropped namesake, or on
    other data."""
    found: dict[str, Entry] = {}
    for entry in _newest_first(journal, b'"evaluated"', document):
        if isinstance(entry.event, Evaluated):
            found.setdefault(entry.event.task, entry)
        if len(found) == len(document.tasks):
            break
    return found


def last_comparisons(journal: Path, document: Document) -> dict[tuple[str, str], Entry]:
    """The newest error of each task by each baseline, likewise; the order is that of the baselines' names."""
    found: dict[tuple[str, str], Entry] = {}
    if len(document.tasks) > 1:  # else there is nothing to compare
        for entry in _newest_first(journal, b'"compared"', document):
            if isinstance(entry.event, Compared):
                found.setdefault((entry.event.task, entry.event.baseline), entry)
    return dict(sorted(found.items()))


def _newest_first(journal: Path, sign: bytes, document: Document) -> Iterator[Entry]:
    """Entries that have a sign, of tasks as they are in the file.

    A journal may hold days of steps, so it is searched from its end for the few lines that matter, and not decoded.
    """
    history = document.history
    begun = history[0].at if history else 0.0
    since = {
        task.name: max(
            [begun, *(step.at for step in history if step.task == task.name and step.what.startswith("drop"))]
        )
        for task in document.tasks
    }
    if not since:
        return
    with (
        suppress(OSError, ValueError),  # no journal, or an empty one
        open(journal, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
    ):
        end = len(text)
        while (hit := text.rfind(sign, 0, end)) >= 0:
            end = text.rfind(b"\n", 0, hit) + 1
            entry = _decoded(text[end : text.find(b"\n", hit)])
            if entry and entry.at < min(since.values()):
                break
            if entry and entry.at >= since.get(getattr(entry.event, "task", ""), math.inf):
                begun_at = text.rfind(b"\n", 0, max(text.rfind(b'"job-started"', 0, end), 0)) + 1
                if not _elsewhere(_decoded(text[begun_at : text.find(b"\n", begun_at)])):
                    yield entry


def _elsewhere(started: Entry | None) -> bool:
    """Whether a job measures on other data than the tasks were made with: that says nothing of how they are now."""
    command = started.event.command if started and isinstance(started.event, JobStarted) else None
    return isinstance(command, Evaluate) and command.elsewhere


def _decoded(line: bytes) -> Entry | None:
    try:
        return msgspec.json.decode(line, type=Entry)
    except msgspec.DecodeError:  # torn, or from a newer version
        return None
