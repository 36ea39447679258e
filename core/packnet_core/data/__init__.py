"""Data of a task: where images come from, how they are split, and batches of them.

`look`, `resolve` and `Summary` need no torch; what does is imported when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

from packnet_core.data.sources import Summary, look, resolve

if TYPE_CHECKING:
    from packnet_core.data.images import Images
    from packnet_core.data.loading import TaskData, load, load_test
else:

    def __getattr__(name: str) -> Any:
        if name == "Images":
            from packnet_core.data.images import Images

            return Images
        if name in {"TaskData", "load", "load_test"}:
            from packnet_core.data import loading

            return getattr(loading, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Images", "Summary", "TaskData", "load", "load_test", "look", "resolve"]
