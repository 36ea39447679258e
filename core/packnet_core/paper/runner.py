"""Computes cells in parallel processes and writes each result once, when its cell is done.

DIR/plan.json has the settings of all results, DIR/cells/KEY.json the result of one cell, DIR/work/ the pack files.
"""

import multiprocessing
import os
import platform
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from fnmatch import fnmatchcase
from multiprocessing import connection
from pathlib import Path
from typing import Any

import msgspec

from packnet_core.errors import FileError, PacknetError, RequestError, WorkError, disk_errors
from packnet_core.files.atomic import replace_file
from packnet_core.paper.plan import Cell, Plan, key, parent, with_parents
from packnet_core.schema.text import UNREADABLE, from_json

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class CellDone:
    """Cell `name` was computed in `seconds`. `done` of `cells` cells are done; the others may take `seconds_left`."""

    name: str
    seconds: float
    done: int
    cells: int
    seconds_left: float


@disk_errors()
def prepare(plan: Plan, out: Path) -> None:
    """Create the folder with its plan. Raises RequestError, naming the settings, if its plan differs."""
    (out / "cells").mkdir(parents=True, exist_ok=True)
    (out / "work").mkdir(exist_ok=True)
    path = out / "plan.json"
    if not path.exists():
        _write(path, plan)
        return
    before, now = _read(path), from_json(msgspec.json.encode(plan), dict[str, Any])
    if odd := [name for name in now if before.get(name) != now[name]]:
        raise RequestError(
            f"{out} has results that were made with another {', '.join(odd)}; give another --out or the same settings"
        )


@disk_errors()
def read_results(out: Path) -> Results:
    """All results in a folder, by the names of their cells."""
    return {path.stem: _read(path) for path in sorted((out / "cells").glob("*.json"))}


def _read(path: Path) -> dict[str, Any]:
    """A JSON object that was written before. Raises FileError if it is not one."""
    try:
        return from_json(path.read_bytes(), dict[str, Any])
    except UNREADABLE as error:
        raise FileError(f"{path} can't be read ({error}); remove it, so that it is made again") from None


def run_cells(
    plan: Plan, cells: list[Cell], out: Path, *, jobs: int = 1, device: str | None = None, only: str = "*"
) -> Iterator[CellDone]:
    """Compute the missing cells, `jobs` at a time; yield a CellDone after each.

    `only` is a pattern: only cells whose names match it, and the cells that they start from, are computed. A run that
    was stopped can be resumed: cells that are done are not computed again. Raises RequestError if no name matches, and
    WorkError if no process can be started, or if a cell failed, after the cells under way have ended.
    """
    wanted = with_parents([cell for cell in with_parents(cells, plan) if fnmatchcase(key(cell), only)], plan)
    if not wanted:
        raise RequestError(f"no cell's name matches {only!r}; names are like {key(cells[-1])!r}")
    done = {key(cell) for cell in wanted if (out / "cells" / f"{key(cell)}.json").exists()}
    waiting = [cell for cell in wanted if key(cell) not in done]
    total, took, begun = len(wanted), [], time.monotonic()
    threads = int(os.environ.get("OMP_NUM_THREADS") or max((os.cpu_count() or 1) // jobs, 1))
    os.environ["PYTHONSAFEPATH"] = "1"  # the new processes take no code from this folder
    context = multiprocessing.get_context("spawn")
    try:
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(threads,))
    except (OSError, ImportError) as error:  # ImportError: no semaphores at all
        raise WorkError(
            f"no worker process can be started ({error}); they need a /dev/shm that can be written to"
        ) from None
    with pool:
        running: dict[Future[float], Cell] = {}
        while waiting or running:
            for cell in list(waiting):
                above = parent(cell, plan)
                if len(running) < jobs and (above is None or key(above) in done):
                    waiting.remove(cell)
                    running[pool.submit(_compute, plan, cell, out, device)] = cell
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                cell = running.pop(future)
                try:
                    took.append(future.result())
                except PacknetError:
                    pool.shutdown(cancel_futures=True)
                    raise
                except BrokenProcessPool:
                    raise WorkError(
                        f"a process that computed {key(cell)} was killed, perhaps for lack of memory; the same command "
                        "computes what is missing, with --jobs 1 in less memory"
                    ) from None
                done.add(key(cell))
                left = (time.monotonic() - begun) / len(took) * (len(waiting) + len(running))
                yield CellDone(key(cell), took[-1], len(done), total, left)


def _start_worker(threads: int) -> None:
    """Set up a new process before its first cell. The process exits when its parent ends, even by a crash."""
    import torch

    parent = multiprocessing.parent_process()
    assert parent is not None

    def exit_with_parent() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()
    torch.set_num_threads(threads)


@disk_errors()
def _compute(plan: Plan, cell: Cell, out: Path, device: str | None) -> float:
    """Compute one cell and write its result. Returns the seconds it took."""
    import torch

    from packnet_core.paper.compute import compute

    begun = time.monotonic()
    numbers = compute(plan, cell, out / "work", device)
    seconds = time.monotonic() - begun
    found = {
        "cell": cell,
        **numbers,
        "seconds": round(seconds, 1),
        "when": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "machine": machine(device),
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
    }
    _write(out / "cells" / f"{key(cell)}.json", found)
    return seconds


def machine(device: str | None) -> str:
    """The name of the GPU, or the processor's architecture and cores, as stated in results."""
    import torch

    if torch.cuda.is_available() and device != "cpu":
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {os.cpu_count()} cores"


def _write(path: Path, content: Any) -> None:
    """Write JSON, atomically."""
    encoded = msgspec.json.format(msgspec.json.encode(content))
    replace_file(path, lambda file: file.write(encoded + b"\n"))
