"""A cache of the masked weights of earlier tasks, so that they need not be made again for every use."""

import threading
from collections.abc import Callable, Iterable

from torch import Tensor

Weights = Iterable[tuple[str, Tensor]]


class TaskViews:
    """A cache of masked copies of the weights, by task, for any number of threads.

    `budget` is its size in bytes; the least recently used copies are removed first. A sealed task's weights never
    change, so its copies stay valid until the task is dropped or the network is moved to another device.
    """

    def __init__(self) -> None:
        self.budget = 0
        self._lock = threading.Lock()
        self._cached: dict[int, list[tuple[str, Tensor]]] = {}  # the most recently used is the last

    def get(self, task: int, size: int, make: Callable[[], Weights]) -> Weights:
        """A task's weights, `size` bytes in all, from the cache or from `make`; kept if the budget allows."""
        if size > self.budget:
            return make()
        with self._lock:
            cached = self._cached.pop(task, None)
            if cached is None:
                while (len(self._cached) + 1) * size > self.budget:
                    del self._cached[next(iter(self._cached))]
                cached = list(make())
            self._cached[task] = cached
            return cached

    def forget(self, since: int = 0) -> None:
        """Remove the copies of this task and all later ones."""
        with self._lock:
            self._cached = {task: cached for task, cached in self._cached.items() if task < since}
