"""Opens what `--data` takes: folders, .npz files and named data sets. Needs no torch.

source = open_source("pictures")    # raises RequestError for a folder without images
source.problem()                    # the first problem of its classes or labels, or None
summarise("pictures")               # the same, and counts, for a screen
"""

import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packnet_core.data import npz
from packnet_core.data.kinds import KINDS, PAPER_DATA, resolve
from packnet_core.data.pixels import ArrayPixels
from packnet_core.data.split import Ints, allot, choose
from packnet_core.data.types import Source, Split, Summary, flips_by_default
from packnet_core.errors import RequestError
from packnet_core.schema.text import printable


def summarise(source: str) -> Summary:
    """Summarise a source: images per class, and the first problem. Quick: it decodes no image.

    Raises nothing: the reason why a source can't be opened is the summary's `problem`.
    """
    if source.startswith("torchvision:"):
        from packnet_core.data import downloads

        try:
            spec = downloads.find(source)
        except RequestError as error:
            return Summary(source=source, problem=str(error))
        return Summary(source=source, images=spec.images, flip=spec.flip, crop=spec.crop)
    try:
        opened = open_source(source, pixels=False)
    except (RequestError, OSError) as error:  # an OSError names the file: no permission, deleted meanwhile
        return Summary(source=source, problem=str(error))
    classes = len(opened.classes)
    images, problem = "", opened.problem()
    try:
        opened.test.pixels.describe()
        images = opened.train.pixels.describe()
    except (RequestError, OSError) as error:
        problem = problem or str(error)
    return Summary(
        source=resolve(source),
        classes=tuple(map(printable, opened.classes)),
        train=tuple(opened.train.counts(classes).tolist()),
        test=tuple(opened.test.counts(classes).tolist()),
        images=images,
        flip=opened.flip,
        crop=opened.crop,
        extent=opened.extent,
        left_out=opened.left_out,
        problem=problem,
    )


def open_source(source: str, pixels: bool = True) -> Source:
    """Open a source as `--data` takes it.

    Image files are only listed. Without `pixels`, the images of an .npz file are zeros (see `npz.read`). torchvision's
    data is downloaded unless the cache has it. Raises RequestError, naming what is wrong, for an unusable source.
    """
    if printable(source) != source:
        raise RequestError(f"the data source {source!r} has control characters; rename it")
    if source.startswith("torchvision:"):
        from packnet_core.data import downloads

        return downloads.open_torchvision(source)
    if source.startswith("sklearn:"):
        return _open_digits(source)
    if source.startswith(PAPER_DATA):
        from packnet_core.data import authors

        return authors.open_paper_data(resolve(source))
    path = Path(resolve(source))
    if path.is_dir():
        from packnet_core.data import folders

        try:
            return folders.open_folder(path)
        except OSError as error:
            raise RequestError(f"{error.filename or path} can't be read: {error.strerror or error}") from None
    if path.is_file():
        return _open_npz(path, pixels)
    if re.match(r"[a-z0-9]+:", source):
        raise RequestError(f"{source!r} is not a kind of data that packnet knows; give {KINDS}")
    raise RequestError(f"there is no {path}; give {KINDS}")


# -- arrays -----------------------------------------------------------------------------------------------------


def _open_npz(path: Path, pixels: bool) -> Source:
    arrays = npz.read(path, pixels)
    classes = arrays.classes
    train = Split(arrays.train_labels, ArrayPixels(arrays.train_images, f"train_images in {path}"))
    test = Split(arrays.test_labels, ArrayPixels(arrays.test_images, f"test_images in {path}"))
    return Source(str(path), classes, train, test, flips_by_default(classes))


def _open_digits(source: str) -> Source:
    """scikit-learn's handwritten digits, 8×8 grey; a stratified fifth of them is the test set."""
    first, last = _digit_range(source)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="joblib")  # without a /dev/shm, which nothing here needs
            from sklearn.datasets import load_digits
    except ImportError:
        raise RequestError(f'{source} needs scikit-learn: pip install "packnet-tui[demo]"') from None
    digits = load_digits()
    wanted = (digits.target >= first) & (digits.target <= last)
    images: NDArray[np.uint8] = np.rint(digits.images[wanted] * (255 / 16)).astype(np.uint8)
    labels: Ints = digits.target[wanted].astype(np.int64) - first
    counts = np.bincount(labels).astype(np.int64)
    test = choose(labels, allot(counts, round(0.2 * len(labels))), seed=0)
    splits = [Split(labels[mask], ArrayPixels(images[mask], source)) for mask in (~test, test)]
    return Source(source, tuple(str(digit) for digit in range(first, last + 1)), splits[0], splits[1], flip=False)


def _digit_range(source: str) -> tuple[int, int]:
    match source.split(":")[1:]:
        case ["digits"]:
            return 0, 9
        case ["digits", text]:
            first, _, last = text.partition("-")
            if len(first) == len(last) == 1 and (first + last).isdecimal() and first < last:
                return int(first), int(last)
    raise RequestError(
        f"{source!r} is not data that packnet knows; give sklearn:digits, or some of its digits as sklearn:digits:0-3"
    )
