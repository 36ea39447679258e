"""Cells computed, several at a time, each in a process; each result written when it is there, and never twice.

DIR/plan.json says what the results were made with; DIR/cells/KEY.json has one cell's; DIR/work/ the files between.
"""

import multiprocessing
import os
import platform
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from fnmatch import fnmatchcase
from multiprocessing import connection
from pathlib import Path
from typing import Any

import msgspec

from packnet_core.errors import PacknetError, RequestError
from packnet_core.paper.plan import Cell, Plan, key, parent, with_parents

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Tick:
    """A cell is done, or was already; how many are, of how many, and the seconds that the rest may take."""

    cell: str
    seconds: float
    done: int
    cells: int
    seconds_left: float


def settle(plan: Plan, out: Path) -> None:
    """Make the folder, or see that what is in it was made with the same plan. Raises RequestError where it was not."""
    (out / "cells").mkdir(parents=True, exist_ok=True)
    (out / "work").mkdir(exist_ok=True)
    path, encoded = out / "plan.json", msgspec.json.format(msgspec.json.encode(plan))
    if not path.exists():
        _write(path, encoded)
        return
    before = msgspec.json.decode(path.read_bytes())
    now = msgspec.json.decode(encoded)
    if odd := [name for name in now if before.get(name) != now[name]]:
        raise RequestError(
            f"{out} has results that were made with another {', '.join(odd)}; give another --out, or the same settings"
        )


def read(out: Path) -> Results:
    """All results in a folder, by their cells' names."""
    return {path.stem: msgspec.json.decode(path.read_bytes()) for path in sorted((out / "cells").glob("*.json"))}


def run(
    plan: Plan, cells: list[Cell], out: Path, *, jobs: int = 1, device: str | None = None, only: str = "*"
) -> Iterator[Tick]:
    """Compute the cells that are missing (those whose name fits `only`), and all that they begin with.

    Stopped, it leaves what is done; the next run goes on with the rest. Raises WorkError where a cell failed, after
    those that were under way have ended.
    """
    wanted = with_parents([cell for cell in with_parents(cells, plan) if fnmatchcase(key(cell), only)], plan)
    if not wanted:
        raise RequestError(f"no cell's name fits {only!r}; they are like {key(cells[-1])!r}")
    done = {key(cell) for cell in wanted if (out / "cells" / f"{key(cell)}.json").exists()}
    waiting = [cell for cell in wanted if key(cell) not in done]
    total, took, begun = len(wanted), [], time.monotonic()
    threads = int(os.environ.get("OMP_NUM_THREADS") or max((os.cpu_count() or 1) // jobs, 1))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(threads,)) as pool:
        running: dict[Future[float], Cell] = {}
        while waiting or running:
            for cell in list(waiting):
                above = parent(cell, plan)
                if len(running) < jobs and (above is None or key(above) in done):
                    waiting.remove(cell)
                    running[pool.submit(_do, plan, cell, out, device)] = cell
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                cell = running.pop(future)
                try:
                    took.append(future.result())
                except PacknetError:
                    pool.shutdown(cancel_futures=True)
                    raise
                done.add(key(cell))
                left = (time.monotonic() - begun) / len(took) * (len(waiting) + len(running))
                yield Tick(key(cell), took[-1], len(done), total, left)


def _begin(threads: int) -> None:
    """In a new process, before its first cell. It ends with the process that began it, however that ends."""
    import torch

    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    torch.set_num_threads(threads)


def _do(plan: Plan, cell: Cell, out: Path, device: str | None) -> float:
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
    _write(out / "cells" / f"{key(cell)}.json", msgspec.json.format(msgspec.json.encode(found)))
    return seconds


def machine(device: str | None) -> str:
    """The device's name, as the results state it."""
    import torch

    if torch.cuda.is_available() and device != "cpu":
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {os.cpu_count()} cores"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content + b"\n")
    os.replace(beside, path)
