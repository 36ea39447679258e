"""Stored images, before they are tensors: decoded one by one, resized to squares, uint8. Needs no torch."""

import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from packnet_core.errors import RequestError

Bytes = NDArray[np.uint8]
Boxes = NDArray[np.float64]
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm"})
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"})
# raised by Pillow's readers for files that are empty, truncated, not images, or built to fill the memory
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
WORKERS = min(os.cpu_count() or 1, 16)


class Pixels(Protocol):
    """Images of any sizes, by index."""

    def __len__(self) -> int: ...

    def channels(self, indices: Iterable[int], wanted: int) -> int:
        """How many channels to decode: 1 if all these images are grey, else `wanted`, which the network takes.

        Raises RequestError, naming the image, if its number of channels is neither 1 nor `wanted`.
        """

    def decode(self, index: int, size: int, channels: int) -> Bytes:
        """One image, uint8 channels×size×size. Raises RequestError, naming the image, if it can't be read."""

    def check(self, index: int) -> None:
        """Raise RequestError, naming the image, if its header shows that it can't be read."""

    def describe(self) -> str:
        """Size and colour in a few words, from some of the images. Raises RequestError for an empty file."""


class ArrayPixels:
    """Images in one array, uint8 N×H×W or N×H×W×C; `name` is the array's name in errors."""

    def __init__(self, array: Bytes, name: str):
        self.array = array if array.ndim == 4 else array[..., None]
        self.name = name

    def __len__(self) -> int:
        return len(self.array)

    def channels(self, indices: Iterable[int], wanted: int) -> int:
        """The channels of the array: see `Pixels`."""
        have = int(self.array.shape[3])
        if have not in (1, wanted):
            raise _channels_differ(self.name, have, wanted)
        return have

    def decode(self, index: int, size: int, channels: int) -> Bytes:
        """One image of the array, resized; `channels` is what `channels` returned."""
        image = self.array[index]
        if image.shape[:2] != (size, size):
            if image.shape[2] == 3:
                image = resize(Image.fromarray(image), size)
            else:  # one channel at a time: Pillow would take a second or fourth channel for transparency
                image = np.stack([resize(Image.fromarray(c), size) for c in np.moveaxis(image, 2, 0)], axis=2)
        return np.moveaxis(image, 2, 0)

    def check(self, index: int) -> None:
        """Nothing to check: the pixels are in memory."""

    def describe(self) -> str:
        """Size and colour of the array's images."""
        return _describe([(self.array.shape[2], self.array.shape[1])], self.array.shape[3])


class FilePixels:
    """Images in files; with `boxes` (float64 N×4: left, upper, right, lower, in pixels), each is cropped to its box."""

    def __init__(self, paths: Sequence[str], boxes: Boxes | None = None):
        self.paths = paths
        self.boxes = boxes

    def __len__(self) -> int:
        return len(self.paths)

    def channels(self, indices: Iterable[int], wanted: int) -> int:
        """Read file headers until an image is not grey: see `Pixels`."""
        waiting = iter(indices)
        with ThreadPoolExecutor(WORKERS) as pool:
            while some := [self.paths[index] for index in islice(waiting, 256)]:
                for path, (mode, _) in zip(some, pool.map(read_header, some), strict=True):
                    if mode in GREY_MODES:
                        continue
                    if wanted != 3:
                        raise _channels_differ(path, 3, wanted)
                    return wanted  # no other image changes that: a million headers need not be read
        return 1

    def decode(self, index: int, size: int, channels: int) -> Bytes:
        """One image from its file, or its box, resized. Raises RequestError, naming the file, if it can't be read."""
        path = self.paths[index]
        try:
            with Image.open(path) as image:
                upright = self._draft(image, index, size)
                pixels = resize(
                    upright.convert("RGB") if channels == 3 and upright.mode not in GREY_MODES else _grey(upright), size
                )
        except UNREADABLE as error:
            raise _unreadable(path, error) from None
        return np.broadcast_to(
            np.moveaxis(pixels if pixels.ndim == 3 else pixels[..., None], 2, 0), (channels, size, size)
        )

    def _draft(self, image: Image.Image, index: int, size: int) -> Image.Image:
        """The image, upright, or its box.

        A large JPEG is decoded at a half, a quarter or an eighth of its size, but at no less than twice the size that
        is needed.
        """
        if self.boxes is None:
            image.draft(None, (2 * size, 2 * size))
            return ImageOps.exif_transpose(image)
        width, height = image.size
        left, upper, right, lower = self.boxes[index].clip(0, (width, height, width, height))  # in pixels as stored
        if right - left < 1 or lower - upper < 1:
            raise ValueError(f"its box {self.boxes[index].tolist()} is outside its {width}×{height} pixels")
        image.draft(None, (int(2 * size * width / (right - left)) + 1, int(2 * size * height / (lower - upper)) + 1))
        x, y = image.size[0] / width, image.size[1] / height
        return image.crop((round(left * x), round(upper * y), round(right * x), round(lower * y)))

    def check(self, index: int) -> None:
        """Check one file's header: see `Pixels`."""
        read_header(self.paths[index])

    def describe(self) -> str:
        """Size and colour, from the headers of up to 16 files. Raises RequestError for an empty file."""
        for path in self.paths:
            if os.stat(path).st_size == 0:
                raise _unreadable(path, EOFError())
        some = [read_header(path) for path in self.paths[:: max(len(self.paths) // 16, 1)][:16]]
        return _describe([size for _, size in some], 1 if all(mode in GREY_MODES for mode, _ in some) else 3)


def read_header(path: str) -> tuple[str, tuple[int, int]]:
    """Pillow's mode of an image file, and its width and height; no pixel is decoded.

    Raises RequestError, naming the file, if it can't be read as an image.
    """
    try:
        with Image.open(path) as image:
            return image.mode, image.size
    except UNREADABLE as error:
        raise _unreadable(path, error) from None


def resize(image: Image.Image, size: int) -> Bytes:
    """Resize to size×size, also from another aspect ratio: bilinear, antialiased if the image shrinks.

    Returns uint8 S×S×C, or S×S for one channel. Pillow computes in integers, so the result is the same on every
    machine.
    """
    return np.asarray(image if image.size == (size, size) else image.resize((size, size), Image.Resampling.BILINEAR))


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits: keep the upper eight; Pillow's own conversion would clip
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return image.convert("L")


def _describe(sizes: list[tuple[int, int]], channels: int) -> str:
    size = f"{sizes[0][0]}×{sizes[0][1]}" if len(set(sizes)) == 1 else "various sizes,"
    return f"{size} {({1: 'grey', 3: 'colour'}).get(channels, f'{channels} channels')}"


def _channels_differ(name: str, have: int, wanted: int) -> RequestError:
    return RequestError(
        f"{name} has {have} channels, and the network takes {wanted}; only grey images (1 channel) can be repeated to "
        f"more channels: convert the images, or use a network with {have} channels"
    )


def _unreadable(path: str, error: BaseException) -> RequestError:
    what = "is empty" if os.path.isfile(path) and os.path.getsize(path) == 0 else f"can't be read as an image ({error})"
    return RequestError(f"{path} {what}; replace it or take it out of the data")
