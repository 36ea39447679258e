"""The data sets of the paper's Table 1, read as their authors ship them: `cub200:FOLDER` and so on. Needs no torch.

The folder is what their archives were unpacked to. Birds and cars are cropped to their boxes; of the other photographs
the network sees random crops (§4).
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
from packnet_core.data.types import Part, Source
from packnet_core.errors import RequestError


@dataclass(frozen=True)
class Authored:
    """A data set: how it is read, and how many images and classes all of it has."""

    read: Callable[[Path], Source]
    train: int
    test: int
    classes: int
    crop: bool


def open_authored(source: str) -> Source:
    """Open `NAME:FOLDER`. Raises RequestError where files are missing, or more is there than the set has."""
    name, _, folder = source.partition(":")
    known, path = TABLE_1[name], Path(folder)
    if not path.is_dir():
        raise RequestError(f"there is no folder {path}; give the one that the archives of {name} were unpacked in")
    try:
        opened = known.read(path)
    except (OSError, ValueError, KeyError, IndexError) as error:  # of files that are missing, cut off or others
        raise RequestError(f"{path} is not {name} as its authors ship it: {error}; unpack its archives again") from None
    counts = [
        (len(opened.train.labels), known.train, "training images"),
        (len(opened.test.labels), known.test, "test images"),
        (len(opened.classes), known.classes, "classes"),
    ]
    for have, whole, what in counts:
        if have > whole:
            raise RequestError(f"{path} has {have:,} {what}, and {name} has {whole:,}; something else is among them")
    parts = [f"{have:,} of {whole:,} {what}" for have, whole, what in counts if have < whole]
    extent = f"a part of {name}: {', '.join(parts)}" if parts else f"all of {name}"
    return replace(opened, name=source, flip=True, crop=known.crop, extent=extent)


# -- Caltech-UCSD Birds 200-2011 [29] ------------------------------------------------------------------------------


def _cub200(path: Path) -> Source:
    root = _with(path, "images.txt", "CUB_200_2011")
    classes = _lines(root / "classes.txt")
    images, labels, boxes, trains = (
        _lines(root / name)
        for name in ("images.txt", "image_class_labels.txt", "bounding_boxes.txt", "train_test_split.txt")
    )
    files = [str(root / "images" / images[number]) for number in images]
    targets = _indices(int(labels[number]) - 1 for number in images)
    corners = np.array([[float(side) for side in boxes[number].split()] for number in images], np.float64)
    corners[:, 2:] += corners[:, :2]  # x, y, width, height
    first = np.array([trains[number] == "1" for number in images])
    return Source("", tuple(classes.values()), *_parts(files, targets, first, corners), flip=True)


def _lines(path: Path) -> dict[str, str]:
    """What stands behind the number that each line begins with."""
    with open(path, encoding="utf-8") as lines:
        pairs = (line.strip().partition(" ") for line in lines if line.strip())
        return {number: rest for number, _, rest in pairs}


# -- Stanford Cars [15] --------------------------------------------------------------------------------------------


def _cars(path: Path) -> Source:
    """Either of two releases: one folder of images and one list, or two of each."""
    if (path / "cars_annos.mat").is_file():
        lists = _mat(path / "cars_annos.mat")
        found = lists["annotations"]
        names = [str(path / name) for name in found["relative_im_path"]]
        test = np.array([bool(flag) for flag in found["test"]])
    else:
        devkit = path / "devkit"
        lists = _mat(devkit / "cars_meta.mat")
        labelled = "cars_test_annos_withlabels.mat"
        trains = _mat(devkit / "cars_train_annos.mat")["annotations"]
        tests = _mat((path if (path / labelled).is_file() else devkit) / labelled)["annotations"]
        found = np.concatenate([trains, tests])
        names = [str(path / "cars_train" / name) for name in trains["fname"]]
        names += [str(path / "cars_test" / name) for name in tests["fname"]]
        test = np.arange(len(found)) >= len(trains)
    targets = _indices(int(index) - 1 for index in found["class"])
    sides = [[float(side) for side in found[f"bbox_{name}"]] for name in ("x1", "y1", "x2", "y2")]
    corners = np.array(sides, np.float64).T
    corners[:, :2] -= 1  # pixels are counted from 1, the last ones included
    classes = tuple(str(name) for name in lists["class_names"])
    return Source("", classes, *_parts(names, targets, ~test, corners), flip=True)


# -- Oxford Flowers 102 [21] ---------------------------------------------------------------------------------------


def _flowers102(path: Path) -> Source:
    """Training and validation images train, as the paper counts them. The authors number the classes, no more."""
    root = _with(path, "imagelabels.mat", "flowers-102")
    labels = _mat(root / "imagelabels.mat")["labels"].astype(np.int64)
    sets = _mat(root / "setid.mat")
    numbers = np.concatenate([sets["trnid"], sets["valid"], sets["tstid"]]).astype(np.int64)
    first = np.arange(len(numbers)) < len(sets["trnid"]) + len(sets["valid"])
    files = [str(root / "jpg" / f"image_{number:05}.jpg") for number in numbers]
    classes = tuple(str(number) for number in range(1, int(labels.max()) + 1))
    return Source("", classes, *_parts(files, labels[numbers - 1] - 1, first), flip=True)


# -- Places365-Standard [30] ---------------------------------------------------------------------------------------


def _places365(path: Path) -> Source:
    """The lists with data_256 or data_large beside them, or the folders of the easy format."""
    if not (path / "categories_places365.txt").is_file():
        return folders.open_folder(_with(path, "train", "places365_standard"))
    lines = _pairs(path / "categories_places365.txt")
    classes = tuple(name.split("/", 2)[2] for name, _ in lines)  # "/a/abbey" is abbey, "/f/field/wild" field/wild
    train = _listed(path, "places365_train_standard.txt", "data")
    return Source("", classes, train, _listed(path, "places365_val.txt", "val"), flip=True)


def _listed(path: Path, listing: str, prefix: str) -> Part:
    names = (f"{prefix}_{size}{end}" for end in ("", "_standard") for size in ("256", "large"))
    folder = next((path / name for name in names if (path / name).is_dir()), None)
    if folder is None:
        raise RequestError(f"{path} has neither {prefix}_256 nor {prefix}_large; unpack the images there")
    pairs = _pairs(path / listing)
    return _part([f"{folder}/{name.lstrip('/')}" for name, _ in pairs], _indices(int(index) for _, index in pairs))


def _pairs(path: Path) -> list[tuple[str, str]]:
    """Two words a line."""
    with open(path, encoding="utf-8") as lines:
        pairs = [line.split() for line in lines if line.strip()]
    return [(name, number) for name, number in pairs]


# -- ImageNet, ILSVRC 2012 [25] ------------------------------------------------------------------------------------


def _imagenet(path: Path) -> Source:
    """train/WNID/, and val/ either so or as it comes, flat, with the development kit beside it.

    Classes are in the order of their WordNet ids, as in torchvision's weights.
    """
    train, val = path / "train", path / "val"
    if not train.is_dir() or not val.is_dir():
        raise RequestError(
            f"{path} needs the folders train and val; unpack ILSVRC2012_img_train.tar and _val.tar there"
        )
    classes = folders.class_folders(train)
    if not classes:
        raise RequestError(f"{train} has no class folders; unpack each n….tar into a folder of its name")
    if folders.class_folders(val):
        return folders.open_folder(path)
    kit = path / "ILSVRC2012_devkit_t12" / "data"
    synsets = _mat(kit / "meta.mat")["synsets"]
    ids = {int(number): str(wnid) for number, wnid in zip(synsets["ILSVRC2012_ID"], synsets["WNID"], strict=True)}
    truth = (kit / "ILSVRC2012_validation_ground_truth.txt").read_text().split()
    index = {wnid: position for position, wnid in enumerate(classes)}
    files = [str(val / f"ILSVRC2012_val_{number:08}.JPEG") for number in range(1, len(truth) + 1)]
    test = _part(files, _indices(index[ids[int(number)]] for number in truth))
    return Source("", classes, folders.read_folder(train, classes), test, flip=True)


# -- what they have in common --------------------------------------------------------------------------------------


def _with(path: Path, name: str, folder: str) -> Path:
    """The folder itself, or the one in it that the archive makes, whichever has that name in it."""
    return path if (path / name).exists() else path / folder


def _mat(path: Path) -> dict[str, Any]:
    """The variables of a MATLAB file, which is arrays and text: nothing in it is run."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise RequestError(f"{path} needs scipy to be read: pip install scipy") from None
    with open(path, "rb") as file:
        found = loadmat(file, squeeze_me=True)
    return {name: np.atleast_1d(value) for name, value in found.items() if not name.startswith("__")}


def _indices(numbers: Iterator[int]) -> Ints:
    return np.fromiter(numbers, np.int64)


def _parts(files: list[str], labels: Ints, first: Any, boxes: Boxes | None = None) -> tuple[Part, Part]:
    """Training and test images; `first` says which are the former."""
    train, test = (
        _part([files[row] for row in rows], labels[rows], None if boxes is None else boxes[rows])
        for rows in (np.flatnonzero(first), np.flatnonzero(~first))
    )
    return train, test


def _part(files: Sequence[str], labels: Ints, boxes: Boxes | None = None) -> Part:
    """Images that a list names. Raises RequestError where one of them is not there."""
    there: dict[str, set[str]] = {}
    for file in files:
        folder, name = os.path.split(file)
        if folder not in there:
            there[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in there[folder]:
            raise RequestError(f"{file} is listed but not there; unpack the images again")
    return Part(labels, FilePixels(files, boxes))


TABLE_1 = {
    "cub200": Authored(_cub200, 5_994, 5_794, 200, crop=False),
    "cars": Authored(_cars, 8_144, 8_041, 196, crop=False),
    "flowers102": Authored(_flowers102, 2_040, 6_149, 102, crop=True),
    "places365": Authored(_places365, 1_803_460, 36_500, 365, crop=True),
    "imagenet": Authored(_imagenet, 1_281_167, 50_000, 1_000, crop=True),  # of the archive; Table 1 has 23 fewer
}
