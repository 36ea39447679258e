"""The kinds of data that `--data` takes: the one list for the opener, completion, forms and help.

Needs neither torch nor NumPy, so that the screen opens without them.
"""

import os
from pathlib import Path

AUTHORED = ("cub200:", "cars:", "flowers102:", "places365:", "imagenet:")  # a folder follows; Table 1, see `authors`
NAMED = ("sklearn:digits", "torchvision:")  # data that has a name and no path
KINDS = (
    "a folder with train/CLASS/ and test/CLASS/ or val/CLASS/, FILE.npz, torchvision:NAME, sklearn:digits, or "
    f"{', '.join(AUTHORED)} and a folder (the paper's data, as shipped)"
)


def resolve(source: str) -> str:
    """The source as a pack file keeps it: paths made absolute, others unchanged."""
    if source.startswith(("torchvision:", "sklearn:")):
        return source
    if source.startswith(AUTHORED):
        name, _, folder = source.partition(":")
        return f"{name}:{resolve(folder)}"
    return str(Path(os.path.expanduser(source)).absolute())  # ~nobody stays as it is, as in a shell
