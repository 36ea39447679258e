"""A real engine in a process of its own that meets a fault, and a client that uses it meanwhile."""

import os
import pickle
import signal
import socketserver
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from packnet_core.engine import client
from packnet_core.engine.server import serve
from packnet_core.errors import PacknetError
from packnet_core.jobs import journal
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.events import Entry, JobFinished
from tests.faults.disks import World
from tests.faults.inject import KILLED, Boundary, Call, Fault
from tests.faults.operations import fingerprint
from tests.waiting import until

IDLE = 0.2  # seconds until an engine leaves
PATIENCE = 60.0  # seconds for all that one engine does


class Life(NamedTuple):
    """What became of an engine: its exit status, its calls, whether it met the fault, its error, what it printed."""

    status: int
    calls: list[Call]
    met: bool
    error: str
    printed: str


def live(world: World, at: Call | None = None, fault: Fault | None = None) -> tuple[Life, str]:
    """Let an engine start, do a job for a client, and leave. Returns its life, and what its client was told."""
    told = world.root / "told"
    told.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _serve(world, at, fault)
    answer = _use(world, child)
    _, status = os.waitpid(child, 0) if _alive(child) else (0, 0)
    code = os.waitstatus_to_exitcode(_ended.pop(child, status))
    calls, met, error = pickle.loads(told.read_bytes()) if told.exists() else ([], True, "")
    return Life(code, calls, met, error, (world.root / "printed").read_text()), answer


_ended: dict[int, int] = {}


def _alive(child: int) -> bool:
    """Whether a child runs; the status of one that ended is kept."""
    if child not in _ended:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            _ended[child] = status
    return child not in _ended


def _serve(world: World, at: Call | None, fault: Fault | None) -> None:
    """The child: an engine that looks often whether it may leave, and writes down how it ended."""
    signal.alarm(int(PATIENCE))
    error, code = "", 0
    output = os.open(world.root / "printed", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    socketserver.BaseServer.serve_forever.__defaults__ = (0.02,)
    with Boundary(*world.disks, at=at, fault=fault) as boundary:
        try:
            serve(str(world.path), IDLE)
        except PacknetError as refused:
            error = str(refused)
        except KeyboardInterrupt:
            pass
        except BaseException:
            traceback.print_exc()
            code = 3
    (world.root / "told").write_bytes(pickle.dumps((boundary.calls, boundary.met, error)))
    os._exit(code)


def _use(world: World, child: int) -> str:
    """Connect, have a job done, and go. Returns the error where that can't be."""
    deadline = time.monotonic() + PATIENCE
    engine = None
    while engine is None and _alive(child) and time.monotonic() < deadline:
        engine = client.connect(world.path)
        time.sleep(0.005)
    if engine is None:
        return "no engine"
    try:
        with engine:
            job = engine.submit(Evaluate())
            while job == (status := engine.status()).job or job in status.waiting:
                time.sleep(0.01)
            end = _finished(world, job)
            return status.warning if end is None else (end.message if end.outcome != "done" else "")
    except PacknetError as error:
        return str(error)


def _finished(world: World, job: int) -> JobFinished | None:
    def ended(entry: Entry) -> bool:
        return entry.job == job and isinstance(entry.event, JobFinished)

    return next((e.event for e in journal.read(Paths(world.path).journal) if ended(e)), None)  # type: ignore[return-value]


def check(world: World, life: Life, answer: str, before: object) -> str:
    """What is wrong after an engine's life; empty where all is well, also with the next engine."""
    if life.status not in (0, KILLED):
        return f"it ended with status {life.status}: {life.printed}"
    if "Traceback" in life.printed:
        return f"a traceback: {life.printed}"
    for words in (life.error, answer):
        if "\n" in words or "unexpected" in words or "defect" in words:
            return f"no clear line: {words}"
    if fingerprint(world.path) != before:
        return "the file changed"
    following, answer = live(world)
    if following.status or following.error or answer or "Traceback" in following.printed:
        return f"the next engine: {following.status} {following.error} {answer} {following.printed}"
    left = [*world.leftovers(), *map(str, world.disk.rglob("engine.json"))]
    return f"left behind: {left}" if left else ""


@contextmanager
def running(world: World) -> Iterator[Callable[[], str]]:
    """An engine without faults while the context lasts. Yields a client's use of it, which returns its error."""
    child = os.fork()
    if not child:
        _serve(world, None, None)

    def used() -> str:
        engine = client.connect(world.path)
        try:
            if engine is None:
                return "no engine"
            with engine:
                engine.status()
            return ""
        except PacknetError as error:
            return str(error)

    try:
        with until(lambda: client.connect(world.path), "the engine"):  # while one is connected, it stays
            yield used
    finally:
        os.waitpid(child, 0)
