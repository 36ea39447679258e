"""Reads folders of images: train/CLASS/ and test/CLASS/ or val/CLASS/. Needs no torch."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from packnet_core.data.pixels import EXTENSIONS, FilePixels
from packnet_core.data.types import Source, Split, flips_by_default, listed
from packnet_core.errors import RequestError


def open_folder(path: Path) -> Source:
    """Open a folder with train/CLASS/ and test/CLASS/ or val/CLASS/. Of test and val, test is preferred.

    Raises RequestError for a folder with another layout.
    """
    train, test = path / "train", path / "test"
    if not train.is_dir():
        raise RequestError(
            f"{path} has no folder train; images belong in train/CLASS/ and in test/CLASS/ or val/CLASS/"
        )
    if not test.is_dir():
        test = path / "val"
    if not test.is_dir():
        raise RequestError(f"{path} has no folder test or val; put the images to measure errors with in test/CLASS/")
    classes = class_folders(train)
    if not classes:
        raise RequestError(f"{train} has no class folders; put the images of each class in {train.name}/CLASS/")
    for ours, theirs, a, b in (
        (classes, class_folders(test), train, test),
        (class_folders(test), classes, test, train),
    ):
        if missing := sorted(set(ours) - set(theirs)):
            raise RequestError(f"{listed(missing)} in {a} but not in {b}; both need the same class folders")
    return Source(
        str(path), classes, read_folder(train, classes), read_folder(test, classes), flips_by_default(classes)
    )


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the folders in a folder, sorted, without hidden ones."""
    with os.scandir(folder) as entries:
        return tuple(sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(".")))


def read_folder(folder: Path, classes: tuple[str, ...]) -> Split:
    """All images in each class's folder and its subfolders, without hidden ones.

    Raises RequestError for a class without images.
    """
    paths: list[str] = []
    counts = []
    for name in classes:
        found = sorted(_images_below(folder / name))
        if not found:
            raise RequestError(
                f"{folder / name} has no images ({', '.join(sorted(EXTENSIONS))}); add some or remove it"
            )
        paths += found
        counts.append(len(found))
    return Split(np.repeat(np.arange(len(classes)), counts).astype(np.int64), FilePixels(paths))


def _images_below(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS:
                yield os.path.join(parent, name)
