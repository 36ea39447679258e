"""torchvision's data sets, downloaded to a cache folder by torchvision's own code. `find` needs no torch.

Data sets that torchvision unpickles are left out; CIFAR's are read from their authors' binary files instead.
"""

import difflib
import fcntl
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from packnet_core.data import cifar
from packnet_core.data.pixels import ArrayPixels, FilePixels
from packnet_core.data.types import Source, Split
from packnet_core.errors import RequestError

DIGITS = tuple("0123456789")
# raised by urllib, archives and torchvision's own checks when a download fails or is damaged
DOWNLOAD_ERRORS = (OSError, RuntimeError, ValueError, HTTPException, EOFError, tarfile.TarError, zipfile.BadZipFile)


@dataclass(frozen=True)
class TorchvisionData:
    """A data set of torchvision's; `train` and `test` are the arguments of its class for each split."""

    name: str
    images: str  # size and colour
    layout: str = ""  # of the array of images; "" if each image is a file
    train: tuple[dict[str, Any], ...] = ({"split": "train"},)
    test: dict[str, Any] = field(default_factory=lambda: {"split": "test"})
    flip: bool = True
    crop: bool = False
    classes: tuple[str, ...] = ()  # given if torchvision does not name them


_TRAIN_AND_VAL = ({"split": "train"}, {"split": "val"})  # both for training (§4), and split again for validation
_PHOTOS = "photographs of various sizes, colour"
DATASETS = {
    spec.name: spec
    for spec in (
        TorchvisionData("MNIST", "28×28 grey", "NHW", ({"train": True},), {"train": False}, flip=False),
        TorchvisionData("FashionMNIST", "28×28 grey", "NHW", ({"train": True},), {"train": False}),
        TorchvisionData("KMNIST", "28×28 grey", "NHW", ({"train": True},), {"train": False}, flip=False),
        TorchvisionData("USPS", "16×16 grey", "NHW", ({"train": True},), {"train": False}, flip=False, classes=DIGITS),
        TorchvisionData("SVHN", "32×32 colour", "NCHW", flip=False, classes=DIGITS),
        TorchvisionData("STL10", "96×96 colour", "NCHW"),
        TorchvisionData("CIFAR10", "32×32 colour"),
        TorchvisionData("CIFAR100", "32×32 colour"),
        TorchvisionData("Flowers102", _PHOTOS, train=_TRAIN_AND_VAL, crop=True),
        TorchvisionData("Food101", _PHOTOS),
        TorchvisionData("DTD", _PHOTOS, train=_TRAIN_AND_VAL),
        TorchvisionData("FGVCAircraft", _PHOTOS, train=({"split": "trainval"},)),
        TorchvisionData("StanfordCars", _PHOTOS),
        TorchvisionData("Country211", _PHOTOS),
        TorchvisionData("Imagenette", _PHOTOS, test={"split": "val"}),
    )
}


def find(source: str) -> TorchvisionData:
    """The data set of `torchvision:NAME`. Raises RequestError for an unknown name, with the closest known one."""
    name = source.removeprefix("torchvision:")
    if name in DATASETS:
        return DATASETS[name]
    close = difflib.get_close_matches(name.lower(), {k.lower(): k for k in DATASETS}, 1)
    meant = next((k for k in DATASETS if close and k.lower() == close[0]), None)
    hint = f"did you mean torchvision:{meant}? " if meant else ""
    raise RequestError(
        f"torchvision:{name} is not a data set that packnet reads; {hint}It reads {', '.join(DATASETS)}; other data "
        "can be given as a folder or an .npz file"
    )


def open_torchvision(source: str) -> Source:
    """Open `torchvision:NAME`; download it unless the cache has it.

    Raises RequestError for an unknown name, or if the download fails.
    """
    spec = find(source)
    cache = user_cache_path("packnet") / "data" / spec.name
    read = _cifar if spec.name in cifar.ARCHIVES else _torchvision
    try:
        if not cache.exists():  # whole or not at all: torchvision takes a part of an archive for all of it
            with _unfinished(cache) as new:
                read(new, spec)
                with suppress(OSError):  # another process was faster
                    new.rename(cache)
        train, test, classes = read(cache, spec)
    except ImportError as error:
        raise RequestError(f"{source} needs a package that is missing: {error}; pip install scipy") from None
    except DOWNLOAD_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RequestError(f"{source} could not be downloaded to {cache}: {reason}") from None
    return Source(source, classes, train, test, spec.flip, spec.crop)


@contextmanager
def _unfinished(cache: Path) -> Iterator[Path]:
    """A new folder for a download to `cache`, removed at the end; those that killed processes left are removed too."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    for old in cache.parent.glob(f".{cache.name}.*"):
        with suppress(OSError), _held(old):
            shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix=f".{cache.name}.", dir=cache.parent) as folder, _held(Path(folder)):
        new = Path(folder) / cache.name
        new.mkdir()
        yield new


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder while its process lives. Raises OSError where another process holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _torchvision(cache: Path, spec: TorchvisionData) -> tuple[Split, Split, tuple[str, ...]]:
    from torchvision import datasets

    make = getattr(datasets, spec.name)
    # this loader returns the path instead of a decoded image
    loader: dict[str, Any] = {} if spec.layout else {"loader": lambda path: path}
    trains = [make(cache, download=True, **loader, **part) for part in spec.train]
    test = make(cache, download=True, **loader, **spec.test)
    named = spec.classes or tuple(name if isinstance(name, str) else name[0] for name in test.classes)
    return _split(trains, spec), _split([test], spec), named


def _split(datasets: list[Any], spec: TorchvisionData) -> Split:
    if not spec.layout:
        pairs = [dataset[index] for dataset in datasets for index in range(len(dataset))]
        files = FilePixels([os.fspath(path) for path, _ in pairs])
        return Split(np.array([label for _, label in pairs], np.int64), files)
    (dataset,) = datasets
    images = np.asarray(dataset.data)
    labels = np.asarray(dataset.targets if hasattr(dataset, "targets") else dataset.labels)
    pixels = ArrayPixels(np.moveaxis(images, 1, 3) if spec.layout == "NCHW" else images, f"torchvision:{spec.name}")
    return Split(labels.astype(np.int64), pixels)


def _cifar(cache: Path, spec: TorchvisionData) -> tuple[Split, Split, tuple[str, ...]]:
    name, archive = spec.name, cifar.ARCHIVES[spec.name]
    folder = cache / archive.folder
    if not all((folder / file).is_file() for file in (*archive.train, *archive.test, archive.names)):
        from torchvision.datasets.utils import download_and_extract_archive

        download_and_extract_archive(archive.url, str(cache), md5=archive.md5)
    train, test = (cifar.read(folder, files, archive.label_bytes) for files in (archive.train, archive.test))
    splits = [Split(labels, ArrayPixels(images, f"torchvision:{name}")) for images, labels in (train, test)]
    return splits[0], splits[1], cifar.class_names(folder, archive)
