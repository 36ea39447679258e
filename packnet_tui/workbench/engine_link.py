"""The workbench's link to the engine: a thread that starts the engine, holds the connection and sends requests.

The engine takes seconds to start and may be slow to answer; the screen never waits for it.
"""

import queue
import threading
from collections.abc import Callable
from pathlib import Path

from packnet_core.engine import client
from packnet_core.errors import PacknetError, WorkError
from packnet_core.schema.commands import Command

POLL = 2.0  # seconds between two questions whether the engine can write its journal


class EngineLink:
    """Sends requests to the engine; every method returns at once. Its thread calls `say` with error messages."""

    def __init__(self, path: Path, say: Callable[[str], None]):
        self._path, self._say = path, say
        self._requests: queue.Queue[Callable[[client.Engine], object] | None] = queue.Queue()
        # a daemon: an engine that is slow to start must not keep the screen's process alive
        self._thread = threading.Thread(target=self._serve, name="engine link", daemon=True)

    def start(self) -> None:
        """Start the engine, or connect to the one that runs."""
        self._thread.start()

    def submit(self, command: Command) -> None:
        self._requests.put(lambda engine: engine.submit(command))

    def stop(self, job: int) -> None:
        self._requests.put(lambda engine: engine.stop(job))

    def close(self) -> None:
        """Close the connection; the engine keeps running while it has work."""
        self._requests.put(None)

    def _serve(self) -> None:
        engine, warned = self._connected(None), ""
        while True:
            try:
                request = self._requests.get(timeout=POLL)
            except queue.Empty:
                warning = _warning(engine) if engine else ""
                if warning and not warned:  # the journal, which all else comes from, can't say it
                    self._say(warning)
                warned = warning
                continue
            if request is None:
                break
            engine = self._ask(engine, request)
        if engine:
            engine.close()

    def _ask(self, engine: client.Engine | None, request: Callable[[client.Engine], object]) -> client.Engine | None:
        """Send one request; start the engine again if it is gone. Returns the engine, or None if none starts."""
        for last in (False, True):
            engine = self._connected(engine)
            if engine is None:
                return None
            try:
                request(engine)
                return engine
            except WorkError as error:  # it does not answer
                engine.close()
                engine = None
                if last:
                    self._say(str(error))
            except PacknetError as error:
                self._say(str(error))
                return engine
        return None

    def _connected(self, engine: client.Engine | None) -> client.Engine | None:
        try:
            return engine or client.start(self._path)
        except (PacknetError, OSError) as error:
            self._say(str(error))
            return None


def _warning(engine: client.Engine) -> str:
    """Why the engine can't write its journal; empty where it can, or does not answer, which the next request says."""
    try:
        return engine.status().warning
    except PacknetError:
        return ""
