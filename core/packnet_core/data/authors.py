"""Reads the data sets of the paper's Table 1 as their authors ship them: `cub200:FOLDER` and so on. Needs no torch.

FOLDER has the unpacked archives. Birds and cars are cropped to their boxes; training crops the other photographs at
random (§4).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from packnet_core.data import folders
from packnet_core.data.pixels import Boxes, FilePixels
from packnet_core.data.split import Ints
from packnet_core.data.types import Source, Split
from packnet_core.errors import RequestError


@dataclass(frozen=True)
class PaperData:
    """A data set of Table 1: the function that reads it, its numbers of images and classes."""

    read: Callable[[Path], Source]
    train: int
    test: int
    classes: int
    crop: bool  # whether training crops images at random


def open_paper_data(source: str) -> Source:
    """Open `NAME:FOLDER`, NAME being one of `TABLE_1`.

    Raises RequestError if files are missing or damaged, or the folder has more images or classes than the data set.
    """
    name, _, folder = source.partition(":")
    whole, path = TABLE_1[name], Path(folder)
    if not path.is_dir():
        raise RequestError(f"there is no folder {path}; give the folder with the unpacked archives of {name}")
    try:
        opened = whole.read(path)
    except (OSError, ValueError, KeyError, IndexError) as error:  # from missing, truncated or different files
        raise RequestError(f"{path} is not {name} as its authors ship it: {error}; unpack its archives again") from None
    counts = [
        (len(opened.train.labels), whole.train, "training images"),
        (len(opened.test.labels), whole.test, "test images"),
        (len(opened.classes), whole.classes, "classes"),
    ]
    for have, all_of, what in counts:
        if have > all_of:
            raise RequestError(f"{path} has {have:,} {what}, and {name} has {all_of:,}; remove the others")
    parts = [f"{have:,} of {all_of:,} {what}" for have, all_of, what in counts if have < all_of]
    extent = f"a part of {name}: {', '.join(parts)}" if parts else f"all of {name}"
    return replace(opened, name=source, flip=True, crop=whole.crop, extent=extent)


# -- Caltech-UCSD Birds 200-2011 [29] ------------------------------------------------------------------------------


def _cub200(path: Path) -> Source:
    root = _root(path, "images.txt", "CUB_200_2011")
    classes = _read_numbered(root / "classes.txt")
    images, labels, boxes, is_train = (
        _read_numbered(root / name)
        for name in ("images.txt", "image_class_labels.txt", "bounding_boxes.txt", "train_test_split.txt")
    )
    files = [str(root / "images" / images[number]) for number in images]
    targets = _indices(int(labels[number]) - 1 for number in images)
    corners = np.array([[float(side) for side in boxes[number].split()] for number in images], np.float64)
    corners[:, 2:] += corners[:, :2]  # the file has x, y, width, height
    train = np.array([is_train[number] == "1" for number in images])
    return Source("", tuple(classes.values()), *_splits(files, targets, train, corners), flip=True)


def _read_numbered(path: Path) -> dict[str, str]:
    """Lines of a number and a text: the texts by number."""
    with open(path, encoding="utf-8") as lines:
        pairs = (line.strip().partition(" ") for line in lines if line.strip())
        return {number: rest for number, _, rest in pairs}


# -- Stanford Cars [15] --------------------------------------------------------------------------------------------


def _cars(path: Path) -> Source:
    """Read either release: one folder of images and one list, or two folders and two lists."""
    if (path / "cars_annos.mat").is_file():
        lists = _read_mat(path / "cars_annos.mat")
        found = lists["annotations"]
        names = [str(path / name) for name in found["relative_im_path"]]
        test = np.array([bool(flag) for flag in found["test"]])
    else:
        devkit = path / "devkit"
        lists = _read_mat(devkit / "cars_meta.mat")
        labelled = "cars_test_annos_withlabels.mat"
        trains = _read_mat(devkit / "cars_train_annos.mat")["annotations"]
        tests = _read_mat((path if (path / labelled).is_file() else devkit) / labelled)["annotations"]
        found = np.concatenate([trains, tests])
        names = [str(path / "cars_train" / name) for name in trains["fname"]]
        names += [str(path / "cars_test" / name) for name in tests["fname"]]
        test = np.arange(len(found)) >= len(trains)
    targets = _indices(int(index) - 1 for index in found["class"])
    sides = [[float(side) for side in found[f"bbox_{name}"]] for name in ("x1", "y1", "x2", "y2")]
    corners = np.array(sides, np.float64).T
    corners[:, :2] -= 1  # pixels are counted from 1, and the last ones are inside
    classes = tuple(str(name) for name in lists["class_names"])
    return Source("", classes, *_splits(names, targets, ~test, corners), flip=True)


# -- Oxford Flowers 102 [21] ---------------------------------------------------------------------------------------


def _flowers102(path: Path) -> Source:
    """Read the authors' training and validation images as training images, as the paper does.

    Classes have no names, only numbers.
    """
    root = _root(path, "imagelabels.mat", "flowers-102")
    labels = _read_mat(root / "imagelabels.mat")["labels"].astype(np.int64)
    sets = _read_mat(root / "setid.mat")
    numbers = np.concatenate([sets["trnid"], sets["valid"], sets["tstid"]]).astype(np.int64)
    train = np.arange(len(numbers)) < len(sets["trnid"]) + len(sets["valid"])
    files = [str(root / "jpg" / f"image_{number:05}.jpg") for number in numbers]
    classes = tuple(str(number) for number in range(1, int(labels.max()) + 1))
    return Source("", classes, *_splits(files, labels[numbers - 1] - 1, train), flip=True)


# -- Places365-Standard [30] ---------------------------------------------------------------------------------------


def _places365(path: Path) -> Source:
    """Read the lists, with data_256 or data_large beside them, or the folders of the easy format."""
    if not (path / "categories_places365.txt").is_file():
        return folders.open_folder(_root(path, "train", "places365_standard"))
    lines = _read_pairs(path / "categories_places365.txt")
    classes = tuple(name.split("/", 2)[2] for name, _ in lines)  # "/a/abbey" is abbey, "/f/field/wild" field/wild
    train = _read_listing(path, "places365_train_standard.txt", "data")
    return Source("", classes, train, _read_listing(path, "places365_val.txt", "val"), flip=True)


def _read_listing(path: Path, listing: str, prefix: str) -> Split:
    names = (f"{prefix}_{size}{end}" for end in ("", "_standard") for size in ("256", "large"))
    folder = next((path / name for name in names if (path / name).is_dir()), None)
    if folder is None:
        raise RequestError(f"{path} has neither {prefix}_256 nor {prefix}_large; unpack the images there")
    pairs = _read_pairs(path / listing)
    return _split([f"{folder}/{name.lstrip('/')}" for name, _ in pairs], _indices(int(index) for _, index in pairs))


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    """Lines of two words."""
    with open(path, encoding="utf-8") as lines:
        pairs = [line.split() for line in lines if line.strip()]
    return [(name, number) for name, number in pairs]


# -- ImageNet, ILSVRC 2012 [25] ------------------------------------------------------------------------------------


def _imagenet(path: Path) -> Source:
    """Read train/WNID/, and val/ with the same folders, or val/ flat, as shipped, with the development kit beside it.

    Classes are in the order of their WordNet ids, as in torchvision's weights.
    """
    train, val = path / "train", path / "val"
    if not train.is_dir() or not val.is_dir():
        raise RequestError(
            f"{path} needs the folders train and val; unpack ILSVRC2012_img_train.tar and _val.tar there"
        )
    classes = folders.class_folders(train)
    if not classes:
        raise RequestError(f"{train} has no class folders; unpack each n….tar into a folder of that name")
    if folders.class_folders(val):
        return folders.open_folder(path)
    kit = path / "ILSVRC2012_devkit_t12" / "data"
    synsets = _read_mat(kit / "meta.mat")["synsets"]
    ids = {int(number): str(wnid) for number, wnid in zip(synsets["ILSVRC2012_ID"], synsets["WNID"], strict=True)}
    truth = (kit / "ILSVRC2012_validation_ground_truth.txt").read_text().split()
    index = {wnid: position for position, wnid in enumerate(classes)}
    files = [str(val / f"ILSVRC2012_val_{number:08}.JPEG") for number in range(1, len(truth) + 1)]
    test = _split(files, _indices(index[ids[int(number)]] for number in truth))
    return Source("", classes, folders.read_folder(train, classes), test, flip=True)


# -- shared by all -------------------------------------------------------------------------------------------------


def _root(path: Path, name: str, folder: str) -> Path:
    """`path` if it has an entry `name`, else the folder in it that the archive unpacks to."""
    return path if (path / name).exists() else path / folder


def _read_mat(path: Path) -> dict[str, Any]:
    """The variables of a MATLAB file, as arrays of at least one dimension. Nothing in the file is run."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise RequestError(f"reading {path} needs scipy: pip install scipy") from None
    with open(path, "rb") as file:
        found = loadmat(file, squeeze_me=True)
    return {name: np.atleast_1d(value) for name, value in found.items() if not name.startswith("__")}


def _indices(numbers: Iterator[int]) -> Ints:
    return np.fromiter(numbers, np.int64)


def _splits(files: list[str], labels: Ints, train: Any, boxes: Boxes | None = None) -> tuple[Split, Split]:
    """The training images, those for which `train` (bool, N) is true, and the test images."""
    first, second = (
        _split([files[index] for index in indices], labels[indices], None if boxes is None else boxes[indices])
        for indices in (np.flatnonzero(train), np.flatnonzero(~train))
    )
    return first, second


def _split(files: Sequence[str], labels: Ints, boxes: Boxes | None = None) -> Split:
    """The images of a list. Raises RequestError if one of them is missing."""
    entries: dict[str, set[str]] = {}  # of each folder
    for file in files:
        folder, name = os.path.split(file)
        if folder not in entries:
            entries[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in entries[folder]:
            raise RequestError(f"{file} is listed but missing; unpack the images again")
    return Split(labels, FilePixels(files, boxes))


TABLE_1 = {
    "cub200": PaperData(_cub200, 5_994, 5_794, 200, crop=False),
    "cars": PaperData(_cars, 8_144, 8_041, 196, crop=False),
    "flowers102": PaperData(_flowers102, 2_040, 6_149, 102, crop=True),
    "places365": PaperData(_places365, 1_803_460, 36_500, 365, crop=True),
    "imagenet": PaperData(_imagenet, 1_281_167, 50_000, 1_000, crop=True),  # as in the archive; Table 1 has 23 fewer
}
