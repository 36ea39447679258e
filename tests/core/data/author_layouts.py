"""The data sets of Table 1 in the layouts their authors ship: small generated folders."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

savemat = pytest.importorskip("scipy.io").savemat
GREEN, RED = (0, 200, 0), (200, 0, 0)


def image(path: Path, box: tuple[int, int, int, int] | None = None, size: tuple[int, int] = (40, 30)) -> None:
    """A green image whose box (left, upper, right, lower) is red."""
    picture = Image.new("RGB", size, GREEN)
    if box:
        picture.paste(RED, box)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "PNG" if box else "JPEG")  # Pillow reads by content; edges stay sharp in a PNG


def cub200(root: Path, classes: int = 2, train: int = 3, test: int = 2) -> Path:
    """As CUB_200_2011.tgz, with `train` and `test` images of each class. All images are links to one file."""
    folder = root / "CUB_200_2011"
    image(folder / "one.png", (10, 5, 30, 20))
    names = [f"{index + 1:03}.Bird_{index}" for index in range(classes)]
    images, labels, split = [], [], []
    for label, name in enumerate(names, 1):
        (folder / "images" / name).mkdir(parents=True)
        for index in range(train + test):
            os.link(folder / "one.png", folder / "images" / name / f"{index}.jpg")
            images.append(f"{name}/{index}.jpg")
            labels.append(label)
            split.append(int(index < train))
    lists = {
        "classes.txt": names,
        "images.txt": images,
        "image_class_labels.txt": labels,
        "train_test_split.txt": split,
        "bounding_boxes.txt": ["10.0 5.0 20.0 15.0"] * len(images),
    }
    for name, values in lists.items():
        (folder / name).write_text("".join(f"{i} {value}\n" for i, value in enumerate(values, 1)))
    return root


def records(**columns: list) -> np.ndarray:
    """An array of MATLAB structs."""
    count = len(next(iter(columns.values())))
    made = np.zeros((1, count), dtype=[(name, object) for name in columns])
    for name, values in columns.items():
        for index, value in enumerate(values):
            made[name][0, index] = value
    return made


def boxes(count: int) -> dict[str, list]:
    """The box of the red part, counted from 1 as in MATLAB."""
    return {f"bbox_{name}": [value] * count for name, value in (("x1", 11), ("y1", 6), ("x2", 30), ("y2", 20))}


def cars(root: Path) -> Path:
    """As cars_train.tgz, cars_test.tgz and car_devkit.tgz, and the labels of the test images."""
    (root / "devkit").mkdir(parents=True)
    names = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)
    savemat(root / "devkit" / "cars_meta.mat", {"class_names": names})
    for part, file in (("train", "cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        files = [f"{index + 1:05}.jpg" for index in range(4)]
        for name in files:
            image(root / f"cars_{part}" / name, (10, 5, 30, 20))
        rows = records(**boxes(4), **{"class": [1, 2, 2, 1]}, fname=files)
        savemat(root / "devkit" / file, {"annotations": rows})
    return root


def cars_in_one(root: Path) -> Path:
    """As car_ims.tgz and cars_annos.mat."""
    files = [f"car_ims/{index:06}.jpg" for index in range(8)]
    for name in files:
        image(root / name, (10, 5, 30, 20))
    names = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)
    labels, test = [1, 2, 2, 1] * 2, [0] * 4 + [1] * 4
    rows = records(relative_im_path=files, **boxes(8), **{"class": labels}, test=test)
    savemat(root / "cars_annos.mat", {"annotations": rows, "class_names": names})
    return root


def flowers102(root: Path) -> Path:
    """As 102flowers.tgz, imagelabels.mat and setid.mat."""
    for number in range(1, 13):
        image(root / "jpg" / f"image_{number:05}.jpg")
    savemat(root / "imagelabels.mat", {"labels": np.array([[1, 2, 3] * 4], np.uint8)})
    ids = {"trnid": [[4, 5, 6]], "valid": [[1, 2, 3]], "tstid": [[7, 8, 9, 10, 11, 12]]}
    savemat(root / "setid.mat", {name: np.array(numbers, np.uint16) for name, numbers in ids.items()})
    return root


def places365(root: Path) -> Path:
    """As filelist_places365-standard.tar, train_256_places365standard.tar and val_256.tar."""
    classes = ["/a/abbey", "/f/field/wild"]
    trains = [(f"{name}/{index:08}.jpg", label) for label, name in enumerate(classes) for index in range(1, 4)]
    tests = [(f"Places365_val_{index + 1:08}.jpg", index % 2) for index in range(4)]
    for name, _ in trains:
        image(root / "data_256" / name[1:])
    for name, _ in tests:
        image(root / "val_256" / name)
    pairs = {
        "categories_places365.txt": [(name, label) for label, name in enumerate(classes)],
        "places365_train_standard.txt": trains,
        "places365_val.txt": tests,
    }
    for file, lines in pairs.items():
        (root / file).write_text("".join(f"{name} {label}\n" for name, label in lines))
    return root


def places365_easy(root: Path) -> Path:
    """As places365standard_easyformat.tar."""
    for part, count in (("train", 3), ("val", 2)):
        for name in ("abbey", "field-wild"):
            for index in range(count):
                image(root / "places365_standard" / part / name / f"{index:08}.jpg")
    return root


def imagenet(root: Path) -> Path:
    """As ILSVRC2012_img_train.tar (and the archives in it), ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz."""
    wnids = ["n02119789", "n01440764"]  # in the kit's order, which is not alphabetical
    for wnid in wnids:
        for index in range(3):
            image(root / "train" / wnid / f"{wnid}_{index}.JPEG")
    for index in range(4):
        image(root / "val" / f"ILSVRC2012_val_{index + 1:08}.JPEG")
    kit = root / "ILSVRC2012_devkit_t12" / "data"
    kit.mkdir(parents=True)
    savemat(kit / "meta.mat", {"synsets": records(ILSVRC2012_ID=[1, 2], WNID=wnids)})
    (kit / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n2\n2\n1\n")
    return root


def imagenet_in_folders(root: Path) -> Path:
    for part in ("train", "val"):
        for wnid in ("n01440764", "n02119789"):
            for index in range(3):
                image(root / part / wnid / f"{wnid}_{index}.JPEG")
    return root


# name, layout, training and test images of each class, classes
LAYOUTS = [
    ("cub200", cub200, (3, 3), (2, 2), ("001.Bird_0", "002.Bird_1")),
    ("cars", cars, (2, 2), (2, 2), ("AM General Hummer SUV 2000", "Acura RL Sedan 2012")),
    ("cars", cars_in_one, (2, 2), (2, 2), ("AM General Hummer SUV 2000", "Acura RL Sedan 2012")),
    ("flowers102", flowers102, (2, 2, 2), (2, 2, 2), ("1", "2", "3")),
    ("places365", places365, (3, 3), (2, 2), ("abbey", "field/wild")),
    ("places365", places365_easy, (3, 3), (2, 2), ("abbey", "field-wild")),
    ("imagenet", imagenet, (3, 3), (2, 2), ("n01440764", "n02119789")),
    ("imagenet", imagenet_in_folders, (3, 3), (3, 3), ("n01440764", "n02119789")),
]
