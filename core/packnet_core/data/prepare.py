"""Images of a user, in whatever form they are, prepared as evaluation prepares those of a data set."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from packnet_core.data.augment import draw_augmentation, preprocess
from packnet_core.data.loading import RESIZE_FACTOR
from packnet_core.data.pixels import ArrayPixels, Bytes, FilePixels
from packnet_core.errors import RequestError
from packnet_core.schema.document import Input

FORMS = "uint8 arrays N×H×W or N×H×W×C, floats in 0..1 of that shape, PIL images, paths, or a list of these"


def prepare(images: Any, input: Input, crop: bool, device: torch.device | str = "cpu") -> Tensor:
    """Images as a network with this `input` takes them: float32 N×C×S×S on `device`, resized and normalised.

    `images` is an array of uint8, or of floats in 0..1, N×H×W or N×H×W×C, a PIL image, a path, or a list of these; one
    image is taken as N = 1. With `crop` images are resized to 8/7 of S and cropped in the centre (§4).

    Raises RequestError for anything else, and for channels that are neither 1 nor the network's.
    """
    side = round(RESIZE_FACTOR * input.size) if crop else input.size
    found = [_decoded(image, input.channels, side) for image in _each(images, input.channels)]
    if not found:
        return torch.empty(0, input.channels, input.size, input.size, device=device)
    pixels = torch.from_numpy(np.stack([np.broadcast_to(each, (input.channels, side, side)) for each in found]))
    draw = draw_augmentation(len(pixels), side - input.size, flip=False, augment=False)
    return preprocess(pixels, draw, input).to(device)


def _each(images: Any, channels: int) -> Iterable[Any]:
    """The images one by one; one image alone is a list of one."""
    if isinstance(images, Tensor):
        if images.ndim == 3 and images.shape[0] in (3, 4) and images.shape[2] > 4:  # as torchvision has one image
            raise RequestError(
                f"{'×'.join(map(str, images.shape))} is one image with its channels first, or several grey ones; give "
                "one as H×W×C (tensor.permute(1, 2, 0)), and grey ones as N×H×W×1"
            )
        images = _array(images)
    if isinstance(images, np.ndarray) and images.ndim:
        one = images.ndim == 2 or (images.ndim == 3 and images.shape[2] in (1, 3, 4, channels) and images.shape[1] > 4)
        return [images] if one else images
    if isinstance(images, str | os.PathLike | Image.Image):
        return [images]
    if isinstance(images, Sequence) and not isinstance(images, bytes):
        return images
    raise RequestError(f"images are {FORMS}, and this is a {type(images).__name__}")


def _decoded(image: Any, channels: int, side: int) -> Bytes:
    """One image, uint8 c×side×side, c being 1 or `channels`."""
    if isinstance(image, str | os.PathLike):
        files = FilePixels([os.fspath(image)])
        return files.decode(0, side, files.channels([0], channels))
    if isinstance(image, Image.Image):
        upright = ImageOps.exif_transpose(image)
        image = np.asarray(upright if upright.mode in ("L", "RGB") else upright.convert("RGB"))
    pixels = ArrayPixels(_bytes(image)[None], "an image")
    return pixels.decode(0, side, pixels.channels([0], channels))


def _array(tensor: Tensor) -> Any:
    """A tensor as an array. Raises RequestError if it has no plain values."""
    try:
        return (tensor.detach().cpu().float() if tensor.is_floating_point() else tensor.cpu()).numpy()
    except (TypeError, RuntimeError) as error:
        raise RequestError(f"images are {FORMS}, and this tensor is none: {str(error).splitlines()[0]}") from None


def _bytes(image: Any) -> Bytes:
    """An array of one image as uint8 H×W or H×W×C."""
    try:
        array = _array(image) if isinstance(image, Tensor) else np.asarray(image)
    except Exception:  # whatever a strange object raises
        raise RequestError(f"images are {FORMS}, and one is a {type(image).__name__}") from None
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise RequestError(
            f"images are {FORMS}, and one is an array of shape {'×'.join(map(str, array.shape)) or 'none'}"
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "f" and np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1:
        scaled: Bytes = np.rint(array * 255).astype(np.uint8)
        return scaled
    raise RequestError(f"images are {FORMS}, and one is {array.dtype} from {array.min()} to {array.max()}")
