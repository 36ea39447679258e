"""Separate models of single tasks, and a cache of the masked weights that they use."""

import copy
import threading
from collections.abc import Iterable

import torch
from torch import Tensor, nn

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

    def get(self, task: int, size: int, computed: Weights) -> Weights:
        """A task's weights, `size` bytes in all, from the cache, or else `computed` and kept if the budget allows."""
        if size > self.budget:
            return computed
        with self._lock:
            cached = self._cached.pop(task, None)
            if cached is None:
                while (len(self._cached) + 1) * size > self.budget:
                    del self._cached[next(iter(self._cached))]
                cached = list(computed)
            self._cached[task] = cached
            return cached

    def forget(self, since: int = 0) -> None:
        """Remove the copies of this task and all later ones."""
        with self._lock:
            self._cached = {task: cached for task, cached in self._cached.items() if task < since}


@torch.inference_mode(mode=False)  # even if the caller is in inference mode: the model may later need gradients
def separate_model(
    model: nn.Module, tensors: Iterable[tuple[Tensor, Tensor]], head_name: str, head: nn.Linear
) -> nn.Module:
    """A copy of a model's modules with other tensors and another head, in evaluation mode.

    `tensors` are pairs: a tensor of the model, and the one to use in its place. Parameters share the memory of the
    given tensors; buffers are copied, since a module may change its buffers in `forward`.
    """
    memo: dict[int, object] = {}  # by the id of what is replaced; all else is copied
    for old, new in tensors:
        memo[id(old)] = nn.Parameter(new, requires_grad=False) if isinstance(old, nn.Parameter) else new.clone()
    memo |= {id(p): nn.Parameter(p.data, requires_grad=False) for p in head.parameters()}
    memo[id(model.get_submodule(head_name))] = copy.deepcopy(head, memo)
    for module in model.modules():  # activations that a module kept; torch copies no part of a graph
        memo |= {id(t): t.detach() for t in vars(module).values() if isinstance(t, Tensor) and not t.is_leaf}
    return copy.deepcopy(model, memo).eval()
