"""The kinds of data that `--data` takes, for opening, completion, forms and help.

Needs neither torch nor NumPy, so that the screen opens without them.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from packnet_core.errors import RequestError
from packnet_core.schema.arguments import check_path
from packnet_core.schema.text import printable

PAPER_DATA = ("cub200:", "cars:", "flowers102:", "places365:", "imagenet:")  # Table 1, see `authors`; a folder follows
NAMED = ("sklearn:digits", "torchvision:")  # data with a name and no path
KINDS = (
    "a folder with train/CLASS/ and test/CLASS/ or val/CLASS/, FILE.npz, torchvision:NAME, sklearn:digits, or "
    f"{', '.join(PAPER_DATA)} and a folder (the paper's data, as shipped)"
)


def resolve(source: str) -> str:
    """The source as a pack file stores it: paths are made absolute, names are unchanged.

    Raises RequestError for a path that no file can have.
    """
    if source.startswith(("torchvision:", "sklearn:")):
        return source
    if source.startswith(PAPER_DATA):
        name, _, folder = source.partition(":")
        return f"{name}:{resolve(folder)}"
    check_path(source)
    return str(Path(os.path.expanduser(source)).absolute())  # an unknown ~user stays as it is, as in a shell


def named_sources(texts: Iterable[str]) -> dict[str, str]:
    """`NAME=DATA` texts as sources by name, resolved. Raises RequestError, naming the text that is something else."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, source = text.partition("=")
        if not name or not source:
            raise RequestError(f"give NAME=DATA, a name and where its images are; {text!r} is not that")
        if name in found:
            raise RequestError(f"{name!r} is there twice")
        found[printable(name)] = resolve(source)
    return found
