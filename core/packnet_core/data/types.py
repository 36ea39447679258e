"""Labelled images, before they are tensors: a source, its two splits, and a summary of it. Needs no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from packnet_core.data.pixels import Pixels
from packnet_core.data.split import Ints
from packnet_core.schema.text import has_control_characters


class Summary(Struct, frozen=True, kw_only=True):
    """Summary of a source, for a screen. `train` and `test` count images per class, in the order of `classes`.

    Classes and counts are empty if they are not known yet (torchvision's data, until it is loaded), or if `problem`
    says why the data can't be used.
    """

    source: str  # as `resolve` gives it
    classes: tuple[str, ...] = ()
    train: tuple[int, ...] = ()
    test: tuple[int, ...] = ()
    images: str = ""  # size and colour, such as "28×28 grey"
    flip: bool = True  # whether training flips images left to right by default
    crop: bool = False  # whether training crops them at random by default
    extent: str = ""  # whether this is all of a known data set or a part of it; empty for other data
    left_out: str = ""  # what was found in a folder and is no image; empty if nothing was
    problem: str | None = None


@dataclass(frozen=True)
class Split:
    """The training or the test images, and the class index of each: `labels`, int64 N."""

    labels: Ints
    pixels: Pixels

    def counts(self, classes: int) -> Ints:
        """How many images each class has, int64; labels out of range are not counted."""
        valid = self.labels[(self.labels >= 0) & (self.labels < classes)]
        return np.bincount(valid, minlength=classes).astype(np.int64)


@dataclass(frozen=True)
class Source:
    """Opened data: its classes, its two splits, and whether training flips and crops its images by default."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    flip: bool
    crop: bool = False
    extent: str = ""  # whether this is all of a known data set or a part of it; empty for other data
    left_out: str = ""  # what was found in a folder and is no image; empty if nothing was

    def problem(self) -> str | None:
        """The first problem of the classes and labels, as one line; None if there is no problem."""
        return next(self._problems(), None)

    def _problems(self) -> Iterator[str]:
        classes = len(self.classes)
        if classes < 2:
            only = f": {self.classes[0]!r}" if classes else ""
            yield f"{self.name} has {classes} class{'' if classes == 1 else 'es'}{only}; a task needs two or more"
        for index, name in enumerate(self.classes):
            if name in self.classes[:index]:
                yield f"{self.name} has two classes called {name!r}; each needs its own name"
            if not name or has_control_characters(name):
                yield f"{self.name} has a class called {name!r}; a name must have visible characters only"
        for split, what in ((self.train, "train"), (self.test, "test")):
            if len(split.labels) != len(split.pixels):
                counts = f"{len(split.pixels)} {what} images and {len(split.labels)} labels"
                yield f"{self.name} has {counts}; each image needs one label"
            wrong = np.flatnonzero((split.labels < 0) | (split.labels >= classes))
            if len(wrong):
                yield (
                    f"{self.name}: {what} label {split.labels[wrong[0]]} at index {wrong[0]} is out of range; "
                    f"labels of {classes} classes go from 0 to {classes - 1}"
                )
            empty = np.flatnonzero(split.counts(classes) == 0)
            if len(empty):
                missing = listed([self.classes[index] for index in empty])
                yield f"{self.name} has no {what} images of {missing}; add some, or take the class out"


def flips_by_default(classes: Sequence[str]) -> bool:
    """Whether training flips images by default: not digits and single characters, whose meaning a flip changes."""
    return not classes or not all(len(name) == 1 or name.isdigit() for name in classes)


def listed(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(repr(name) for name in names[:3]) + more
