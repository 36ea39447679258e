"""torchvision's data sets, downloaded to a cache folder by torchvision's own code. `find` needs no torch.

Those that torchvision reads by unpickling are left out; CIFAR's are read from their authors' binary files instead.
"""

import difflib
import os
import tarfile
import zipfile
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from packnet_core.data import cifar
from packnet_core.data.pixels import ArrayPixels, FilePixels
from packnet_core.data.types import Part, Source
from packnet_core.errors import RequestError

DIGITS = tuple("0123456789")
# what urllib, archives and torchvision's own checks raise where a download fails or comes out wrong
FAILED = (OSError, RuntimeError, ValueError, HTTPException, EOFError, tarfile.TarError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Known:
    """A data set and how torchvision is asked for its parts. `classes` where torchvision does not name them.

    `layout` is that of its array of images; "" where each image is a file.
    """

    name: str
    images: str
    layout: str = ""
    train: tuple[dict[str, Any], ...] = ({"split": "train"},)
    test: dict[str, Any] = field(default_factory=lambda: {"split": "test"})
    flip: bool = True
    crop: bool = False
    classes: tuple[str, ...] = ()


_TRAIN_AND_VAL = ({"split": "train"}, {"split": "val"})  # as the paper counts them (§4); we split our own off
_PHOTOS = "photographs of various sizes, colour"
KNOWN = {
    known.name: known
    for known in (
        Known("MNIST", "28×28 grey", "NHW", ({"train": True},), {"train": False}, flip=False),
        Known("FashionMNIST", "28×28 grey", "NHW", ({"train": True},), {"train": False}),
        Known("KMNIST", "28×28 grey", "NHW", ({"train": True},), {"train": False}, flip=False),
        Known("USPS", "16×16 grey", "NHW", ({"train": True},), {"train": False}, flip=False, classes=DIGITS),
        Known("SVHN", "32×32 colour", "NCHW", flip=False, classes=DIGITS),
        Known("STL10", "96×96 colour", "NCHW"),
        Known("CIFAR10", "32×32 colour"),
        Known("CIFAR100", "32×32 colour"),
        Known("Flowers102", _PHOTOS, train=_TRAIN_AND_VAL, crop=True),
        Known("Food101", _PHOTOS),
        Known("DTD", _PHOTOS, train=_TRAIN_AND_VAL),
        Known("FGVCAircraft", _PHOTOS, train=({"split": "trainval"},)),
        Known("StanfordCars", _PHOTOS),
        Known("Country211", _PHOTOS),
        Known("Imagenette", _PHOTOS, test={"split": "val"}),
    )
}


def find(source: str) -> Known:
    """The data set that `torchvision:NAME` means. Raises RequestError, with names close to it, for others."""
    name = source.removeprefix("torchvision:")
    if name in KNOWN:
        return KNOWN[name]
    close = difflib.get_close_matches(name.lower(), {k.lower(): k for k in KNOWN}, 1)
    meant = next((k for k in KNOWN if close and k.lower() == close[0]), None)
    hint = f"did you mean torchvision:{meant}? " if meant else ""
    raise RequestError(
        f"torchvision:{name} is not data that packnet reads; {hint}It reads {', '.join(KNOWN)}; anything else as a "
        "folder or an .npz file"
    )


def open_torchvision(source: str) -> Source:
    """Download a data set unless the cache has it, and open it. Raises RequestError where that fails."""
    known = find(source)
    cache = user_cache_path("packnet") / "data" / known.name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        train, test, classes = _cifar(cache, known.name) if known.name in cifar.ARCHIVES else _torchvision(cache, known)
    except ImportError as error:
        raise RequestError(f"{source} needs a package that is missing: {error}; pip install scipy") from None
    except FAILED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RequestError(f"{source} could not be downloaded to {cache}: {reason}") from None
    return Source(source, classes, train, test, known.flip, known.crop)


def _torchvision(cache: Path, known: Known) -> tuple[Part, Part, tuple[str, ...]]:
    from torchvision import datasets

    make = getattr(datasets, known.name)
    # a loader that gives the path back tells where the files are without decoding them
    loader: dict[str, Any] = {} if known.layout else {"loader": lambda path: path}
    trains = [make(cache, download=True, **loader, **part) for part in known.train]
    test = make(cache, download=True, **loader, **known.test)
    named = known.classes or tuple(name if isinstance(name, str) else name[0] for name in test.classes)
    return _part(trains, known), _part([test], known), named


def _part(datasets: list[Any], known: Known) -> Part:
    if not known.layout:
        pairs = [dataset[index] for dataset in datasets for index in range(len(dataset))]
        files = FilePixels([os.fspath(path) for path, _ in pairs])
        return Part(np.array([label for _, label in pairs], np.int64), files)
    (dataset,) = datasets
    images = np.asarray(dataset.data)
    labels = np.asarray(dataset.targets if hasattr(dataset, "targets") else dataset.labels)
    pixels = ArrayPixels(np.moveaxis(images, 1, 3) if known.layout == "NCHW" else images, f"torchvision:{known.name}")
    return Part(labels.astype(np.int64), pixels)


def _cifar(cache: Path, name: str) -> tuple[Part, Part, tuple[str, ...]]:
    archive = cifar.ARCHIVES[name]
    folder = cache / archive.folder
    if not all((folder / file).is_file() for file in (*archive.train, *archive.test, archive.names)):
        from torchvision.datasets.utils import download_and_extract_archive

        download_and_extract_archive(archive.url, str(cache), md5=archive.md5)
    train, test = (cifar.read(folder, files, archive.label_bytes) for files in (archive.train, archive.test))
    parts = [Part(labels, ArrayPixels(images, f"torchvision:{name}")) for images, labels in (train, test)]
    return parts[0], parts[1], cifar.class_names(folder, archive)
