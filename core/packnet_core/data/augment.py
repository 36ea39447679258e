"""Pixels as they are kept made into what a network takes: mirrored, cropped, scaled to 0..1, then `(x - mean) / std`.

On a GPU a batch at once, in torch. On a CPU image by image in NumPy: what is worked on stays in the cache, and no
thread of torch's waits, spinning, for more work, while others are to decode the next images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from packnet_core.schema.document import Input

PIECE = 1 << 17  # numbers worked on at once on a CPU


@dataclass(frozen=True)
class Draw:
    """Which images of a batch are mirrored, and where each is cropped: y and x of its upper left corner."""

    mirrored: Sequence[bool]
    corners: Sequence[tuple[int, int]]

    def taken(self, pixels: Tensor, index: int, size: int) -> Tensor:
        """An image's square, not mirrored yet: a view."""
        y, x = self.corners[index]
        return pixels[index, :, y : y + size, x : x + size]


def drawn(count: int, room: int, flip: bool, augment: bool) -> Draw:
    """Draws from torch's global CPU generator: mirrored or not, if that means the same, then corners, if there is room.
    Without `augment` nothing is mirrored, and all are cropped in the middle."""
    mirrored = (torch.rand(count) < 0.5).tolist() if augment and flip else [False] * count
    corners = torch.randint(room + 1, (count, 2)).tolist() if augment and room else [(room // 2, room // 2)] * count
    return Draw(mirrored, corners)


def ready(pixels: Tensor, draw: Draw, input: Input) -> Tensor:
    """Float32 N×C×S×S out of uint8 N×c×R×R on the same device; grey images (c = 1) get the network's C channels."""
    return _on_cpu(pixels, draw, input) if pixels.device.type == "cpu" else _at_once(pixels, draw, input)


def _at_once(pixels: Tensor, draw: Draw, input: Input) -> Tensor:
    size, device = input.size, pixels.device
    mean, std = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (input.mean, input.std))
    taken = torch.stack([draw.taken(pixels, index, size) for index in range(len(pixels))])
    rows = torch.tensor(draw.mirrored).nonzero().flatten().to(device)
    taken[rows] = taken[rows].flip(3)
    return taken.float().div_(255).sub(mean).div_(std)


def _on_cpu(pixels: Tensor, draw: Draw, input: Input) -> Tensor:
    size = input.size
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (input.mean, input.std))
    out = np.empty((len(pixels), input.channels, size, size), np.float32)
    step = max(PIECE // (input.channels * size * size), 1)
    for start in range(0, len(out), step):
        piece = out[start : start + step]
        for index, image in enumerate(piece, start):
            taken = draw.taken(pixels, index, size).numpy()
            np.copyto(image, taken[:, :, ::-1] if draw.mirrored[index] else taken)
        piece /= np.float32(255)
        piece -= mean
        piece /= std
    return torch.from_numpy(out)
