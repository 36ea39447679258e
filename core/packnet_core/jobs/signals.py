"""Signals while a job runs in this process: the first one stops the job after its step, so nothing is lost."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def signals_stop(
    stop: threading.Event, first: Callable[[], object], again: Callable[[int], object]
) -> Iterator[list[int]]:
    """Let SIGINT and SIGTERM set `stop` while the context lasts. Yields the list of the signals that came.

    `first` is called after the first signal, `again` with the number of each later one. Both run in a signal handler.
    In other threads than the main one, in which Python allows no handlers, this does nothing.
    """
    came: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if stop.is_set():
            again(number)
        else:
            stop.set()
            first()

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before: dict[int, Any] = {number: signal.signal(number, handle) for number in STOPPING}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
