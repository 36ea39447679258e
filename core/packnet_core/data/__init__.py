"""Data of a task: where images come from, how they are split, and batches of them.

What is exported here needs no torch: a look at a source. `loading` makes tensors of one.
"""

from packnet_core.data.sources import Summary, look, resolve

__all__ = ["Summary", "look", "resolve"]
