"""How images are read for a job: what a damaged one means, and whether the job is asked to stop. Needs no torch."""

import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from packnet_core.errors import Stopped

T = TypeVar("T")
POLL = 0.1  # seconds between two looks whether the job is asked to stop
PATIENCE = 1.0  # seconds for a thread to end after it was interrupted


def _never() -> None:
    pass


@dataclass
class Reading:
    """How images are read.

    A damaged image raises RequestError; with `skip` it is left out, and its name is added to `damaged`. With `early`,
    damaged images are looked for before training. `check_stop` is called between images and batches; it raises
    Stopped if the job is asked to stop.
    """

    skip: bool = False
    early: bool = False
    check_stop: Callable[[], None] = _never
    damaged: dict[str, None] = field(default_factory=dict)  # what is wrong with each image that was left out

    def interruptible(self, read: Callable[[], T]) -> T:
        """Return `read()`, which may take long, and raise Stopped soon where the job is asked to stop meanwhile.

        It runs in a thread of its own, which is then interrupted. A call to the system that does not return, such as a
        read from a dead network, is left behind.
        """
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(read())
            except BaseException as error:
                future.set_exception(error)

        thread = threading.Thread(target=run, name="reading", daemon=True)
        thread.start()
        try:
            while True:
                thread.join(POLL)
                if future.done():
                    return future.result()
                self.check_stop()
        except BaseException:
            if not future.done():
                assert thread.ident is not None
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stopped))
                thread.join(PATIENCE)
            raise
