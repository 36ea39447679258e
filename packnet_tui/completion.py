"""What `--data` may go on with: folders, .npz files, and data that has a name. Needs neither Textual nor torch."""

import os
from collections.abc import Iterator
from contextlib import suppress

NAMED = ("sklearn:digits", "torchvision:")


def completions(text: str) -> list[str]:
    """All that begins as typed and is longer: named data, then folders (with a / behind) and .npz files by name.

    `~` and relative paths stay as they are typed; hidden names come only where their dot is. What can't be read has
    none.
    """
    found = [name for name in NAMED if name.startswith(text) and name != text]
    if text.startswith("torchvision:"):
        from packnet_core.data.downloads import KNOWN  # numpy comes with it

        names = (f"torchvision:{name}" for name in KNOWN)
        found += [name for name in names if name.lower().startswith(text.lower()) and len(name) > len(text)]
    with suppress(OSError):
        found += sorted(_paths(text))
    return found


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
