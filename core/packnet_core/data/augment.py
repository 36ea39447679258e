"""Preprocessing of a batch of stored pixels: crop, flip, scale to 0..1, then `(x - mean) / std`.

On a GPU, torch does a whole batch at once. On a CPU, NumPy does image by image: the values stay in the cache, and no
torch thread spins while it waits for work and keeps the processor from the threads that decode the next images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from packnet_core.schema.document import Input

CHUNK_VALUES = 1 << 17  # values processed at once on a CPU


@dataclass(frozen=True)
class Augmentation:
    """Augmentation parameters of a batch, per image."""

    flipped: Sequence[bool]
    corners: Sequence[tuple[int, int]]  # y and x of the crop's upper left corner, in pixels

    def crop(self, pixels: Tensor, index: int, size: int) -> Tensor:
        """The crop of one image, C×S×S, not flipped yet: a view."""
        y, x = self.corners[index]
        return pixels[index, :, y : y + size, x : x + size]


def draw_augmentation(count: int, margin: int, flip: bool, augment: bool) -> Augmentation:
    """Draw the augmentation parameters of `count` images from torch's global CPU generator.

    Flips are drawn first, if `flip` allows them; then corners, if images are `margin` > 0 pixels larger than the crop.
    Without `augment` nothing is drawn: no image is flipped, and all are cropped in the centre.
    """
    flipped = (torch.rand(count) < 0.5).tolist() if augment and flip else [False] * count
    centre = (margin // 2, margin // 2)
    corners = torch.randint(margin + 1, (count, 2)).tolist() if augment and margin else [centre] * count
    return Augmentation(flipped, corners)


def preprocess(pixels: Tensor, augmentation: Augmentation, input: Input) -> Tensor:
    """Turn uint8 N×c×R×R into float32 N×C×S×S on the same device.

    Grey images (c = 1) are repeated to the network's C channels.
    """
    run = _preprocess_by_image if pixels.device.type == "cpu" else _preprocess_batch
    return run(pixels, augmentation, input)


def _preprocess_batch(pixels: Tensor, augmentation: Augmentation, input: Input) -> Tensor:
    size, device = input.size, pixels.device
    mean, std = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (input.mean, input.std))
    crops = torch.stack([augmentation.crop(pixels, index, size) for index in range(len(pixels))])
    flipped = torch.tensor(augmentation.flipped).nonzero().flatten().to(device)
    crops[flipped] = crops[flipped].flip(3)
    return crops.float().div_(255).sub(mean).div_(std)


def _preprocess_by_image(pixels: Tensor, augmentation: Augmentation, input: Input) -> Tensor:
    size = input.size
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (input.mean, input.std))
    out = np.empty((len(pixels), input.channels, size, size), np.float32)
    step = max(CHUNK_VALUES // (input.channels * size * size), 1)
    for start in range(0, len(out), step):
        chunk = out[start : start + step]
        for index, image in enumerate(chunk, start):
            crop = augmentation.crop(pixels, index, size).numpy()
            np.copyto(image, crop[:, :, ::-1] if augmentation.flipped[index] else crop)
        chunk /= np.float32(255)
        chunk -= mean
        chunk /= std
    return torch.from_numpy(out)
