"""Completions of `--data`: folders, .npz files, and data sets by name. Needs neither Textual nor torch."""

import os
from collections.abc import Iterator
from contextlib import suppress

from packnet_core.data.kinds import NAMED, PAPER_DATA
from packnet_core.schema.text import printable


def completions(text: str) -> list[str]:
    """All completions of a text that are longer than it.

    First named data, then folders (with a / at the end) and .npz files, then the names of the paper's data, which need
    a folder. `~` and relative paths stay as they are typed; hidden files are found only after their dot, and names that
    could steer a terminal never. A folder that can't be read has no completions.
    """
    found = [name for name in NAMED if name.startswith(text) and name != text]
    if text.startswith("torchvision:"):
        from packnet_core.data.downloads import DATASETS  # numpy comes with it

        names = (f"torchvision:{name}" for name in DATASETS)
        found += [name for name in names if name.lower().startswith(text.lower()) and len(name) > len(text)]
    name, colon, folder = text.partition(":")
    if name + colon in PAPER_DATA:
        with suppress(OSError):
            found = [name + colon + path for path in sorted(_paths(folder)) if path.endswith("/")]
        return found
    with suppress(OSError):
        found += sorted(_paths(text))
    return found + [name for name in PAPER_DATA if name.startswith(text) and text]


def is_whole(text: str) -> bool:
    """Whether a text names data by itself, although longer names may begin with it."""
    if text.startswith("torchvision:"):
        from packnet_core.data.downloads import DATASETS

        return text.partition(":")[2] in DATASETS
    return text == "sklearn:digits" or os.path.isfile(os.path.expanduser(text))


def _paths(text: str) -> Iterator[str]:
    folder, start = os.path.split(text)
    if start in ("~", ".."):
        yield f"{text}/"
    if start == "~" and not folder:
        return
    with os.scandir(os.path.expanduser(folder) or ".") as entries:
        for entry in entries:
            name = entry.name
            if not name.startswith(start) or (name.startswith(".") and not start) or printable(name) != name:
                continue
            if entry.is_dir():
                yield os.path.join(folder, name) + "/"
            elif name.endswith(".npz") and name != start:
                yield os.path.join(folder, name)
