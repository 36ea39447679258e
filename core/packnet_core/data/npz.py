"""Reads .npz files of images, without unpickling anything. Needs no torch."""

import lzma
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packnet_core.data.pixels import Bytes
from packnet_core.data.split import Ints
from packnet_core.errors import RequestError
from packnet_core.schema.text import printable

KEYS = ("train_images", "train_labels", "test_images", "test_labels", "classes")
MIXED_KEYS = ("images", "labels", "tasks")


@dataclass(frozen=True)
class Arrays:
    """Arrays of a task's file: images uint8 N×H×W or N×H×W×C, labels int64 N, class names."""

    train_images: Bytes
    train_labels: Ints
    test_images: Bytes
    test_labels: Ints
    classes: tuple[str, ...]


def read(path: Path, pixels: bool = True) -> Arrays:
    """Read a task's file. Without `pixels`, only the headers of image arrays are read, and all pixels are 0.

    Raises RequestError, naming the array, if one is missing or has the wrong type or shape.
    """
    arrays = _read_arrays(path, KEYS, pixels)
    return Arrays(
        _images(arrays["train_images"], f"train_images in {path}"),
        _labels(arrays["train_labels"], f"train_labels in {path}"),
        _images(arrays["test_images"], f"test_images in {path}"),
        _labels(arrays["test_labels"], f"test_labels in {path}"),
        _classes(arrays["classes"], f"classes in {path}"),
    )


@dataclass(frozen=True)
class Mixture:
    """Mixed images of several tasks: uint8 N×H×W or N×H×W×C; per image, its label (int64 N) and its task's name (N)."""

    images: Bytes
    labels: Ints
    tasks: tuple[str, ...]


def read_mixed(path: Path) -> Mixture:
    """Read a mixed data set. Raises RequestError as `read` does, and if the arrays differ in length."""
    arrays = _read_arrays(path, MIXED_KEYS)
    found = Mixture(
        _images(arrays["images"], f"images in {path}"),
        _labels(arrays["labels"], f"labels in {path}"),
        tuple(map(printable, _classes(arrays["tasks"], f"tasks in {path}"))),  # as a pack file has them
    )
    if not len(found.images) == len(found.labels) == len(found.tasks):
        counts = f"{len(found.images)} images, {len(found.labels)} labels and {len(found.tasks)} tasks"
        raise RequestError(f"{path} has {counts}; each image needs a label and a task")
    return found


def _read_arrays(path: Path, keys: Sequence[str], pixels: bool = True) -> dict[str, NDArray[np.generic]]:
    if not zipfile.is_zipfile(path):
        raise RequestError(f"{path} is not an .npz file; write one with numpy.savez, with {', '.join(keys)}")
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := [key for key in keys if key not in file.files]:
                raise RequestError(f"{path} has no {', '.join(missing)}; it needs {', '.join(keys)}")
            return {key: _read_array(file, key, path, pixels or not key.endswith("images")) for key in keys}
    except (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, MemoryError, RuntimeError) as error:
        raise RequestError(f"{path} can't be read: {error}; write it again with numpy.savez") from None


def _read_array(file: "np.lib.npyio.NpzFile", key: str, path: Path, values: bool) -> NDArray[np.generic]:
    try:
        array = file[key] if values else _zeros_alike(path, key)
    except ValueError as error:  # what NumPy raises for arrays of objects and for malformed headers
        raise RequestError(
            f"{key} in {path} can't be read: {error}; arrays of objects would have to be unpickled, which is never done"
        ) from None
    if not isinstance(array, np.ndarray):  # a member without an .npy header is read as raw bytes
        raise RequestError(f"{key} in {path} is not a NumPy array; write it again with numpy.savez")
    return array


def _zeros_alike(path: Path, key: str) -> NDArray[np.generic]:
    """Zeros of the shape and type that an array's header states; they take no memory."""
    with zipfile.ZipFile(path) as file, file.open(f"{key}.npy") as member:
        version = np.lib.format.read_magic(member)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(member)
    if dtype.hasobject:
        raise ValueError("it is an array of objects")
    return np.broadcast_to(np.zeros((), dtype), shape)


def _images(array: NDArray[np.generic], name: str) -> Bytes:
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or 0 in array.shape[1:]:
        raise RequestError(f"{name} is {_type_and_shape(array)}; images are uint8, N×H×W or N×H×W×C")
    return array.astype(np.uint8, copy=False)


def _labels(array: NDArray[np.generic], name: str) -> Ints:
    if not np.issubdtype(array.dtype, np.integer) or array.ndim != 1:
        raise RequestError(f"{name} is {_type_and_shape(array)}; labels are whole numbers, one per image")
    return array.astype(np.int64)


def _classes(array: NDArray[np.generic], name: str) -> tuple[str, ...]:
    if array.ndim != 1 or array.dtype.kind not in "USiu":
        raise RequestError(f"{name} is {_type_and_shape(array)}; it must be a list of names")
    if array.dtype.kind == "S":
        return tuple(item.decode("utf-8", "replace") for item in array.tolist())
    return tuple(str(item) for item in array.tolist())


def _type_and_shape(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {'×'.join(map(str, array.shape)) or 'none'}"
