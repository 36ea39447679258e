"""The processes of a pack file: its engine and its open workbenches."""

import os
import signal
from pathlib import Path

from packnet_core.engine import client
from packnet_core.packfile.paths import Paths
from tests.waiting import until


def end_engine(path) -> None:
    """Kill a file's engine, if it has one, and wait until it has ended."""
    if engine := client.connect(path):
        with engine:
            kill_engine(path, engine)


def kill_engine(path, engine: client.Engine) -> None:
    """End an engine with SIGKILL, as a machine that runs out of memory does."""
    os.kill(engine.status().pid, signal.SIGKILL)
    until(lambda: not Paths(path).is_locked(), "the engine to end")


def screens(path) -> list[int]:
    """Process ids of the workbenches open on a file."""
    return [
        pid
        for pid, arguments in _programs()
        if b"open" in arguments and str(path).encode() in arguments and any(b"python" in a for a in arguments[:1])
    ]


def screen(path) -> int:
    """Wait for the one workbench open on a file. Returns its process id."""
    (pid,) = until(lambda: screens(path), "a screen")
    return pid


def _programs() -> list[tuple[int, list[bytes]]]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.append((int(entry), Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")))
            except OSError:  # it has ended since
                continue
    return found
