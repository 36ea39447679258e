"""`packnet inspect`: what the header and the journal say of a file, as JSON for scripts and as tables for people.

Scripts call it in loops, so nothing here imports torch, numpy, typer or rich.
"""

import mmap
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from packnet_core.engine.places import Places
from packnet_core.events import Entry, Evaluated
from packnet_core.packfile.header import Header, read_header
from packnet_core.records import Document
from packnet_tui.tables import layer_table, summary_lines, task_table

REPORT_FORMAT = 1  # of the JSON below


def inspect(path: Path, json: bool = False) -> int:
    """Print what a pack file holds. Raises FileError where it can't be read."""
    header = read_header(path)
    evaluations = last_evaluations(Places(path).journal, header.document)
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(facts(header, evaluations)) + b"\n")
        return 0
    width = shutil.get_terminal_size((80, 24)).columns
    blocks = [summary_lines(path, header), layer_table(header.document, width)]
    if header.document.tasks:
        blocks.insert(1, task_table(header.document, evaluations, width))
    print("\n\n".join("\n".join(block) for block in blocks))
    return 0


def facts(header: Header, evaluations: dict[str, Entry]) -> dict[str, Any]:
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
    when = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {**msgspec.structs.asdict(entry.event.error), "loss": entry.event.loss, "when": when}


def last_evaluations(journal: Path, document: Document) -> dict[str, Entry]:
    """Each task's newest evaluation in the journal, by name; those of a former file or a dropped namesake are left out.

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
    found: dict[str, Entry] = {}
    try:
        with open(journal, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            end = len(text)
            while len(found) < len(document.tasks) and (hit := text.rfind(b'"evaluated"', 0, end)) >= 0:
                end = text.rfind(b"\n", 0, hit) + 1
                entry = _decoded(text[end : text.find(b"\n", hit)])
                if entry and isinstance(entry.event, Evaluated):
                    name = entry.event.task
                    if name not in found and any(name == task.name for task in document.tasks):
                        found[name] = entry
    except (OSError, ValueError):  # no journal, or an empty one
        pass
    return {name: entry for name, entry in found.items() if entry.at >= since[name]}


def _decoded(line: bytes) -> Entry | None:
    try:
        return msgspec.json.decode(line, type=Entry)
    except msgspec.DecodeError:  # torn, or from a newer version
        return None
