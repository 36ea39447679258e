"""Questions that may take long, answered off the screen's thread; only the newest one counts."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Generic, TypeVar

Answer = TypeVar("Answer")
THREADS = 3  # for one kind of question; those of them that hang on a dead disk leave room for others


class Debounced(Generic[Answer]):
    """Answers of a function to texts that are being typed.

    Its threads are its own, and daemons: one that hangs holds up neither the rest of the screen nor the end of it.
    """

    def __init__(self, function: Callable[[str], Answer], patience: float):
        self._function, self._patience = function, patience  # seconds without a newer question before one is answered
        self._asked = 0
        self._free = asyncio.Semaphore(THREADS)

    async def ask(self, question: str) -> Answer | None:
        """The answer; None where a newer question came meanwhile."""
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
            with suppress(RuntimeError):  # the screen's loop is closed: nobody asks any more
                loop.call_soon_threadsafe(settle, found, failed)

        Thread(target=answer, daemon=True).start()
        return future
