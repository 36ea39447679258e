"""Wait for other processes: check every few milliseconds, fail after a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from packnet_core.jobs.journal import Reader
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import Entry

T = TypeVar("T")
DEADLINE = 60.0  # seconds; generous, because test machines are busy


def until(condition: Callable[[], T | None], what: str) -> T:
    """Wait until `condition` returns a true value. Returns it."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {DEADLINE:.0f} s for {what}")


def until_event(path, kind: type, job: int | None = None, count: int = 1, after: float = 0) -> Entry:
    """Wait for the count-th journal entry of a kind (of one job, later than `after`). Returns it."""
    reader, found = Reader(Paths(path).journal), []

    def look() -> Entry | None:
        for entry in reader.poll():
            if isinstance(entry.event, kind) and job in (None, entry.job) and entry.at > after:
                found.append(entry)
        return found[count - 1] if len(found) >= count else None

    return until(look, f"{kind.__name__} number {count} of job {job}")
