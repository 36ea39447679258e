"""Images before they are tensors: decoded one by one, resized to squares, uint8. Needs no torch."""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from packnet_core.errors import RequestError

Bytes = NDArray[np.uint8]
Boxes = NDArray[np.float64]
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm"})
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"})
# what Pillow's readers raise for files that are empty, truncated, not images, or built to fill the memory
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
        """How many channels to decode: 1 where all these images are grey, else `wanted`, the network's.

        Raises RequestError, naming the image, where its number of channels is neither 1 nor `wanted`.
        """

    def decode(self, index: int, size: int, channels: int) -> Bytes:
        """One image, uint8 channels×size×size. Raises RequestError, naming the image, where it can't be read."""

    def describe(self) -> str:
        """Size and colour in a few words, from some of the images. Raises RequestError for an empty file."""


class ArrayPixels:
    """Images in one array, uint8 N×H×W or N×H×W×C. Errors name it `name`."""

    def __init__(self, array: Bytes, name: str):
        self.array = array if array.ndim == 4 else array[..., None]
        self.name = name

    def __len__(self) -> int:
        return len(self.array)

    def channels(self, indices: Iterable[int], wanted: int) -> int:
        have = int(self.array.shape[3])
        if have not in (1, wanted):
            raise _channels_differ(self.name, have, wanted)
        return have

    def decode(self, index: int, size: int, channels: int) -> Bytes:
        image = self.array[index]
        if image.shape[:2] != (size, size):
            if image.shape[2] == 3:
                image = resize(Image.fromarray(image), size)
            else:  # one channel at a time: Pillow would take a second or fourth channel for transparency
                image = np.stack([resize(Image.fromarray(c), size) for c in np.moveaxis(image, 2, 0)], axis=2)
        return np.moveaxis(image, 2, 0)

    def describe(self) -> str:
        return _describe([(self.array.shape[2], self.array.shape[1])], self.array.shape[3])


def checked(images: NDArray[Any], name: str) -> Bytes:
    """An array of images as it is. Raises RequestError unless it is uint8, N×H×W or N×H×W×C, with pixels."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        shape = "×".join(map(str, images.shape)) or "none"
        raise RequestError(f"{name} is {images.dtype} of shape {shape}; images are uint8, N×H×W or N×H×W×C")
    return images


def as_arrays(images: Any) -> Iterator[Bytes]:
    """A Pillow image, or a list of Pillow images and arrays, as arrays of one image each. Raises RequestError else."""
    given = [images] if isinstance(images, Image.Image) else images
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise RequestError(f"images are an array, a Pillow image or a list of them, not a {type(images).__name__}")
    count = 0
    for count, image in enumerate(given, 1):
        if isinstance(image, Image.Image):
            image = image if image.mode in ("L", "RGB") else image.convert("RGB")
        try:
            array = np.asarray(image)
        except (ValueError, TypeError, RuntimeError) as error:  # rows of different lengths, a tensor on a GPU
            raise RequestError(f"image {count} is no array: {error}") from None
        yield checked(array[None], f"image {count}")
    if not count:
        raise RequestError("there are no images in the list")


class FilePixels:
    """Images in files. With `boxes` (float64 N×4: left, upper, right, lower, in pixels) they are cropped to them."""

    def __init__(self, paths: Sequence[str], boxes: Boxes | None = None):
        self.paths = paths
        self.boxes = boxes

    def __len__(self) -> int:
        return len(self.paths)

    def channels(self, indices: Iterable[int], wanted: int) -> int:
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
        """The image, upright, or its box. A large JPEG is decoded at a half, a quarter or an eighth of its size, but at
        no less than twice the size that is needed."""
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

    def describe(self) -> str:
        for path in self.paths:
            if os.stat(path).st_size == 0:
                raise _unreadable(path, EOFError())
        some = [read_header(path) for path in self.paths[:: max(len(self.paths) // 16, 1)][:16]]
        return _describe([size for _, size in some], 1 if all(mode in GREY_MODES for mode, _ in some) else 3)


def read_header(path: str) -> tuple[str, tuple[int, int]]:
    """Pillow's mode of an image file, and its width and height; no pixel is decoded.

    Raises RequestError, naming the file, where it can't be read as an image.
    """
    try:
        with Image.open(path) as image:
            return image.mode, image.size
    except UNREADABLE as error:
        raise _unreadable(path, error) from None


def resize(image: Image.Image, size: int) -> Bytes:
    """Resize to size×size, whatever the aspect ratio: bilinear, antialiased where the image shrinks. Returns uint8
    S×S×C, or S×S for one channel. Pillow computes in integers, so the result is the same on every machine."""
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
