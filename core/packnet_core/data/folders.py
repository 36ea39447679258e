"""Reads folders of images: train/CLASS/ and test/CLASS/ or val/CLASS/. Needs no torch."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from packnet_core.data.pixels import EXTENSIONS, FilePixels
from packnet_core.data.types import Source, Split, flips_by_default, listed
from packnet_core.errors import RequestError
from packnet_core.schema.text import printable

Identity = tuple[int, int]  # of a folder: device and inode
MOST_KINDS = 5  # of files that are no images, named in a line


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
    others: Counter[str] = Counter()
    training, testing = (read_folder(folder, classes, others) for folder in (train, test))
    return Source(str(path), classes, training, testing, flips_by_default(classes), left_out=_said(others))


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the folders in a folder, sorted, without hidden ones."""
    with os.scandir(folder) as entries:
        return tuple(sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(".")))


def read_folder(folder: Path, classes: tuple[str, ...], others: Counter[str] | None = None) -> Split:
    """All images in each class's folder and its subfolders, without hidden ones.

    Raises RequestError for a class without images. No folder is read twice, and none that contains it, wherever links
    lead. `others` counts the files that are no images, by kind.
    """
    paths: list[str] = []
    counts = []
    others = Counter() if others is None else others
    seen = {_identity(above) for above in (folder, *folder.resolve().parents)}
    seen |= {_identity(folder / name) for name in classes}
    for name in classes:
        found = sorted(_images_below(folder / name, seen, others))
        if not found:
            raise RequestError(
                f"{folder / name} has no images ({', '.join(sorted(EXTENSIONS))}); add some or remove it"
            )
        paths += found
        counts.append(len(found))
    return Split(np.repeat(np.arange(len(classes)), counts).astype(np.int64), FilePixels(paths))


def _images_below(folder: Path, seen: set[Identity], others: Counter[str]) -> Iterator[str]:
    """The paths of the images below a folder, except in folders that were `seen`."""
    below = [os.fspath(folder)]
    while below:
        with os.scandir(below.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    if (identity := _identity(entry.path)) not in seen:
                        seen.add(identity)
                        below.append(entry.path)
                    else:
                        others["links to folders that are read anyway"] += 1
                    continue
                extension = os.path.splitext(entry.name)[1].lower()
                if not entry.is_file():  # a FIFO, a socket, a link to nothing
                    others["pipes, sockets or broken links"] += 1
                elif extension in EXTENSIONS:
                    yield entry.path
                else:
                    others[printable(extension[:12]) or "without extension"] += 1


def _identity(folder: str | Path) -> Identity:
    stat = os.stat(folder)
    return stat.st_dev, stat.st_ino


def _said(others: Counter[str]) -> str:
    """A line that counts what is no image, by kind; empty if there is nothing."""
    ranked = sorted(others.items(), key=lambda item: (-item[1], item[0]))[:MOST_KINDS]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in ranked)
    more = ", …" if len(others) > MOST_KINDS else ""
    return f"left out, as they are no images: {kinds}{more}" if others else ""
