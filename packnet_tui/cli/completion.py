"""What `--data` may go on with: folders, .npz files, and data that has a name. Needs neither Textual nor torch."""

import os
from collections.abc import Iterator
from contextlib import suppress

NAMED = ("sklearn:digits", "torchvision:")
AUTHORED = ("cub200:", "cars:", "flowers102:", "places365:", "imagenet:")  # and a folder


def completions(text: str) -> list[str]:
    """All that begins as typed and is longer: named data, then folders (with a / behind) and .npz files by name, then
    the names of the paper's data, behind which their folder comes.

    `~` and relative paths stay as they are typed; hidden names come only where their dot is. What can't be read has
    none.
    """
    found = [name for name in NAMED if name.startswith(text) and name != text]
    if text.startswith("torchvision:"):
        from packnet_core.data.downloads import DATASETS  # numpy comes with it

        names = (f"torchvision:{name}" for name in DATASETS)
        found += [name for name in names if name.lower().startswith(text.lower()) and len(name) > len(text)]
    name, colon, folder = text.partition(":")
    if name + colon in AUTHORED:
        with suppress(OSError):
            found = [name + colon + path for path in sorted(_paths(folder)) if path.endswith("/")]
        return found
    with suppress(OSError):
        found += sorted(_paths(text))
    return found + [name for name in AUTHORED if name.startswith(text) and text]


def _paths(text: str) -> Iterator[str]:
    folder, start = os.path.split(text)
    if start in ("~", ".."):
        yield f"{text}/"
    if start == "~" and not folder:
        return
    with os.scandir(os.path.expanduser(folder) or ".") as entries:
        for entry in entries:
            name = entry.name
            if not name.startswith(start) or (name.startswith(".") and not start):
                continue
            if entry.is_dir():
                yield os.path.join(folder, name) + "/"
            elif name.endswith(".npz") and name != start:
                yield os.path.join(folder, name)
