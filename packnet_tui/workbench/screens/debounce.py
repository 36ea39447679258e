"""Debounced calls of a slow function while the user types, in other threads; only the newest call counts."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Generic, TypeVar

Answer = TypeVar("Answer")
THREADS = 3  # at the same time: a call that hangs on a dead disk leaves room for others


class Debounced(Generic[Answer]):
    """A function of a text, called only for texts that no newer one replaced within `patience` seconds.

    It has its own daemon threads: a call that hangs delays neither other work of the screen nor its exit.
    """

    def __init__(self, function: Callable[[str], Answer], patience: float):
        self._function, self._patience = function, patience
        self._asked = 0
        self._free = asyncio.Semaphore(THREADS)

    async def ask(self, question: str) -> Answer | None:
        """Return the function's result for a text; None if a newer text came meanwhile. Raises as the function does."""
        self._asked += 1
        mine = self._asked
        await asyncio.sleep(self._patience)
        if mine != self._asked:
            return None
        await self._free.acquire()
        if mine != self._asked:
            self._free.release()
            return None
        answer = await self._in_thread(question)
        return answer if mine == self._asked else None

    def _in_thread(self, question: str) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()

        def settle(answer: Answer | None, error: Exception | None) -> None:
            self._free.release()
            if future.cancelled():
                return
            if error:
                future.set_exception(error)
            else:
                future.set_result(answer)  # type: ignore[arg-type]

        def answer() -> None:
            found, failed = None, None
            try:
                found = self._function(question)
            except Exception as error:
                failed = error
            with suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(settle, found, failed)

        Thread(target=answer, daemon=True).start()
        return future
