"""Earlier tasks kept ready: the weights as they see them, for their next use, within a stated budget of memory."""

from collections.abc import Callable, Iterable

from torch import Tensor

Weights = Iterable[tuple[str, Tensor]]


class TaskViews:
    """Masked copies of weights by task. Those not used for longest go first; at a `budget` of 0 bytes none is kept.

    A sealed task's weights stay as they are, so a copy is good until its task is dropped or the network moved.
    """

    def __init__(self) -> None:
        self.budget = 0
        self._kept: dict[int, list[tuple[str, Tensor]]] = {}  # the one used last is the last

    def of(self, task: int, size: int, make: Callable[[], Weights]) -> Weights:
        """What `make` gives for a task, of `size` bytes: made now, or kept from before."""
        kept = self._kept.pop(task, None)
        if kept is None:
            if size > self.budget:
                return make()
            while (len(self._kept) + 1) * size > self.budget:
                del self._kept[next(iter(self._kept))]
            kept = list(make())
        self._kept[task] = kept
        return kept

    def forget(self, since: int = 0) -> None:
        """Let go of the tasks from this one on."""
        self._kept = {task: kept for task, kept in self._kept.items() if task < since}
