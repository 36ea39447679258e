"""`packnet new`, `verify` and `export`: their work, and what they print."""

import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from packnet_core.errors import RequestError
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import Entry, Saved
from packnet_core.schema.text import printable
from packnet_tui.cli.output.progress import Display
from packnet_tui.cli.shell import complain, quoted
from packnet_tui.state.format import file_size


def make_file(file: Path, arch: str, **choices: Any) -> int:
    """Make a pack file, and show its progress like a job's. Returns the exit status."""
    if file.exists():  # before torch is imported
        raise RequestError(f"{file} exists already; choose another name, or remove it first")
    from packnet_core.packfile.create import new

    with Display() as display:
        for event in new(file, arch, **choices):
            if not isinstance(event, Saved):
                display.show(Entry(at=time.time(), job=0, event=event))
    header = read_header(file)
    what = f"task {choices['task']!r}" if choices.get("task") else "no task yet"
    print(
        f"made {printable(str(file))}: {header.document.weights:,} weights in {len(header.document.layers)} layers, "
        f"{what}, {file_size(header.file_bytes)}"
    )
    if not header.document.tasks:
        print(f"add the first one with: packnet add {quoted(file)} TASK --data DATA")
    return 0


def verify_file(file: Path, json: bool) -> int:
    """Recompute what the header says, and print each check. Returns the exit status, 2 if something is wrong."""
    read_header(file)  # before torch is imported
    from packnet_core.packfile.verify import verify

    checks = []
    for checked in verify(file):
        checks.append(checked)
        if not json:
            print("ok   " if checked.ok else "WRONG", f"{checked.what}: {checked.detail}", flush=True)
    wrong = [checked.what for checked in checks if not checked.ok]
    if json:
        sys.stdout.buffer.write(msgspec.json.encode({"format": 1, "ok": not wrong, "checks": checks}) + b"\n")
    if wrong:
        complain(f"{file.name} is damaged: {', '.join(wrong)}; restore it from a copy")
    return 2 if wrong else 0


def export_task(file: Path, task: str, out: Path) -> int:
    """Write one task as a plain state dict. Returns the exit status."""
    read_header(file).document.index(task)  # before torch is imported
    if Paths(out).file == Paths(file).file:
        raise RequestError("OUT is the pack file itself; choose another name")
    from packnet_core.packfile.export import check_suffix, export

    check_suffix(out)
    size = export(file, task, out)
    print(f"wrote {printable(str(out))}, {file_size(size)}: task {task!r}, dense, for load_state_dict")
    return 0
