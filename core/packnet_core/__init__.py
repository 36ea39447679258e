"""PackNet: many tasks in one network, by iterative pruning (Mallya & Lazebnik, CVPR 2018).

import packnet_core as packnet

file = packnet.new("net.safetensors", "resnet18", weights="DEFAULT")
file.add("signs", "signs.npz", prune=0.75)

Importing this package is cheap: torch is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packnet_core.api import PackFile, new, open
    from packnet_core.errors import FileError, PacknetError, RequestError, WorkError
    from packnet_core.schema.document import Error, Task
    from packnet_core.schema.recipes import Recipe

__all__ = [
    "Error", "FileError", "PackFile", "PacknetError", "Recipe", "RequestError", "Task", "WorkError",
    "new", "open",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in ("errors", "schema.document", "schema.recipes", "api"):
            if hasattr(found := import_module(f"packnet_core.{module}"), name):
                return getattr(found, name)
    raise AttributeError(f"module 'packnet_core' has no attribute {name!r}")
