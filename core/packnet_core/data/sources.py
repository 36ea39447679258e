"""What `--data` takes, opened: folders, .npz files, and what has a name in front. Needs no torch.

source = open_source("pictures")        # raises RequestError where that can't be data
source.problem()                        # the first thing wrong with its classes or labels, or None
look("pictures")                        # the same, and counts, for a screen
"""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from packnet_core.data import npz
from packnet_core.data.pixels import ArrayPixels, Pixels
from packnet_core.data.split import Ints, allot, choose
from packnet_core.errors import RequestError

AUTHORED = ("cub200:", "cars:", "flowers102:", "places365:", "imagenet:")  # and a folder; Table 1, see `authors`
KINDS = f"a folder, FILE.npz, torchvision:NAME, sklearn:digits, or one of {', '.join(AUTHORED)} and a folder"


class Summary(Struct, frozen=True, kw_only=True):
    """What a look at data shows. `train` and `test` count images by class, in the order of `classes`.

    Classes and counts are empty where they can't be known yet (torchvision's data, until it is loaded), or where
    `problem` says why this can't be used.
    """

    source: str  # as `resolve` gives it
    classes: tuple[str, ...] = ()
    train: tuple[int, ...] = ()
    test: tuple[int, ...] = ()
    images: str = ""  # size and colour, such as "28×28 grey"
    flip: bool = True  # whether training flips images left to right unless told otherwise
    crop: bool = False  # whether it crops them anywhere
    extent: str = ""  # whether this is all of a data set or a part, where that is known
    problem: str | None = None


@dataclass(frozen=True)
class Part:
    """The training or the test images, with a class index for each."""

    labels: Ints
    pixels: Pixels

    def counts(self, classes: int) -> Ints:
        """Images by class; labels out of range are not counted."""
        fine = self.labels[(self.labels >= 0) & (self.labels < classes)]
        return np.bincount(fine, minlength=classes).astype(np.int64)


@dataclass(frozen=True)
class Source:
    """Data opened: its classes, its two parts, and whether its images may be mirrored and are cropped."""

    name: str
    classes: tuple[str, ...]
    train: Part
    test: Part
    flip: bool
    crop: bool = False
    extent: str = ""  # whether this is all of a data set or a part, where that is known

    def problem(self) -> str | None:
        """The first thing wrong with the classes and labels, as a line that names it; None where all is well."""
        return next(self._problems(), None)

    def _problems(self) -> Iterator[str]:
        classes = len(self.classes)
        if classes < 2:
            only = f": {self.classes[0]!r}" if classes else ""
            yield f"{self.name} has {classes} class{'' if classes == 1 else 'es'}{only}; a task needs two or more"
        for index, name in enumerate(self.classes):
            if name in self.classes[:index]:
                yield f"{self.name} has two classes called {name!r}; each needs a name of its own"
            if not name or not printable(name):
                yield f"{self.name} has a class called {name!r}; a name needs visible characters alone"
        for part, what in ((self.train, "train"), (self.test, "test")):
            if len(part.labels) != len(part.pixels):
                yield f"{self.name} has {len(part.pixels)} {what} images and {len(part.labels)} labels; each needs one"
            wrong = np.flatnonzero((part.labels < 0) | (part.labels >= classes))
            if len(wrong):
                yield (
                    f"{self.name}: {what} label {part.labels[wrong[0]]} at index {wrong[0]} is out of range; "
                    f"labels of {classes} classes go from 0 to {classes - 1}"
                )
            empty = np.flatnonzero(part.counts(classes) == 0)
            if len(empty):
                missing = listed([self.classes[index] for index in empty])
                yield f"{self.name} has no {what} images of {missing}; add some, or take the class out"


def look(source: str) -> Summary:
    """Counts of what `--data` would take, and the first problem found. Quick; reads no pixels, raises nothing."""
    if source.startswith("torchvision:"):
        from packnet_core.data import downloads

        try:
            known = downloads.find(source)
        except RequestError as error:
            return Summary(source=source, problem=str(error))
        return Summary(source=source, images=known.images, flip=known.flip, crop=known.crop)
    try:
        opened = open_source(source, pixels=False)
    except (RequestError, OSError) as error:  # what the system refuses it names itself: no permission, gone meanwhile
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
        classes=opened.classes,
        train=tuple(opened.train.counts(classes).tolist()),
        test=tuple(opened.test.counts(classes).tolist()),
        images=images,
        flip=opened.flip,
        crop=opened.crop,
        extent=opened.extent,
        problem=problem,
    )


def resolve(source: str) -> str:
    """The source as a pack file keeps it: paths made absolute, others unchanged."""
    if source.startswith(("torchvision:", "sklearn:")):
        return source
    if source.startswith(AUTHORED):
        name, _, folder = source.partition(":")
        return f"{name}:{resolve(folder)}"
    return str(Path(os.path.expanduser(source)).absolute())  # ~nobody stays as it is, as in a shell


def open_source(source: str, pixels: bool = True) -> Source:
    """Open data; files are only listed, and without `pixels` the images of an .npz file are left out (see `npz.read`).

    Raises RequestError, naming what is wrong, where the source can't be data.
    """
    if not printable(source):
        raise RequestError(f"the data source {source!r} has characters that can't be shown; rename it")
    if source.startswith("torchvision:"):
        from packnet_core.data import downloads

        return downloads.open_torchvision(source)
    if source.startswith("sklearn:"):
        return _open_digits(source)
    if source.startswith(AUTHORED):
        from packnet_core.data import authors

        return authors.open_authored(resolve(source))
    path = Path(resolve(source))
    if path.is_dir():
        from packnet_core.data import folders

        return folders.open_folder(path)
    if path.is_file():
        return _open_npz(path, pixels)
    if re.match(r"[a-z0-9]+:", source):
        raise RequestError(f"{source!r} is no kind of data packnet knows; give {KINDS}")
    raise RequestError(f"there is no {path}; give {KINDS}")


def mirrors_mean_the_same(classes: Sequence[str]) -> bool:
    """Whether flips are on by default: not where classes are digits or single characters (other signs, mirrored)."""
    return not classes or not all(len(name) == 1 or name.isdigit() for name in classes)


def printable(text: str) -> bool:
    return not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text)


def listed(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(repr(name) for name in names[:3]) + more


# -- arrays -----------------------------------------------------------------------------------------------------


def _open_npz(path: Path, pixels: bool) -> Source:
    arrays = npz.read(path, pixels)
    classes = arrays.classes
    train = Part(arrays.train_labels, ArrayPixels(arrays.train_images, f"train_images in {path}"))
    test = Part(arrays.test_labels, ArrayPixels(arrays.test_images, f"test_images in {path}"))
    return Source(str(path), classes, train, test, mirrors_mean_the_same(classes))


def _open_digits(source: str) -> Source:
    """scikit-learn's handwritten digits, 8×8 grey; a fifth of them, stratified, is the test set."""
    first, last = _digit_range(source)
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise RequestError(f'{source} needs scikit-learn: pip install "packnet-tui[demo]"') from None
    digits = load_digits()
    wanted = (digits.target >= first) & (digits.target <= last)
    images: NDArray[np.uint8] = np.rint(digits.images[wanted] * (255 / 16)).astype(np.uint8)
    labels: Ints = digits.target[wanted].astype(np.int64) - first
    counts = np.bincount(labels).astype(np.int64)
    test = choose(labels, allot(counts, round(0.2 * len(labels))), seed=0)
    parts = [Part(labels[mask], ArrayPixels(images[mask], source)) for mask in (~test, test)]
    return Source(source, tuple(str(digit) for digit in range(first, last + 1)), parts[0], parts[1], flip=False)


def _digit_range(source: str) -> tuple[int, int]:
    match source.split(":")[1:]:
        case ["digits"]:
            return 0, 9
        case ["digits", text]:
            first, _, last = text.partition("-")
            if len(first) == len(last) == 1 and (first + last).isdecimal() and first < last:
                return int(first), int(last)
    raise RequestError(
        f"{source!r} is not data packnet knows; give sklearn:digits, or some of them as sklearn:digits:0-3"
    )
