"""Waiting for what happens elsewhere: a deadline, and a look every few milliseconds."""

import time
from collections.abc import Callable
from typing import TypeVar

from packnet_core.jobs.journal import Reader
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import Entry

T = TypeVar("T")
DEADLINE = 60.0  # seconds; generous, for these machines are busy


def until(condition: Callable[[], T | None], what: str) -> T:
    """The first true value that `condition` gives."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {DEADLINE:.0f} s for {what}")


def until_event(path, kind: type, job: int | None = None, count: int = 1, after: float = 0) -> Entry:
    """The count-th journal entry of a kind (of one job, later than `after`)."""
    reader, found = Reader(Paths(path).journal), []

    def look() -> Entry | None:
        for entry in reader.poll():
            if isinstance(entry.event, kind) and job in (None, entry.job) and entry.at > after:
                found.append(entry)
        return found[count - 1] if len(found) >= count else None

    return until(look, f"{kind.__name__} number {count} of job {job}")
