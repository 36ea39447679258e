"""Labelled images before they are tensors: a source and its two parts, and a preview of one. Needs no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from packnet_core.data.pixels import Pixels
from packnet_core.data.split import Ints
from packnet_core.schema.text import has_control_characters


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
            if not name or has_control_characters(name):
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


def mirrors_mean_the_same(classes: Sequence[str]) -> bool:
    """Whether flips are on by default: not where classes are digits or single characters (other signs, mirrored)."""
    return not classes or not all(len(name) == 1 or name.isdigit() for name in classes)


def listed(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(repr(name) for name in names[:3]) + more
