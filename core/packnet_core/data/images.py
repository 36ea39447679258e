"""Images: labelled images ready for a network, in batches; kept in memory, or decoded as they are asked for."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from packnet_core.data.pixels import WORKERS, Pixels
from packnet_core.data.split import allot, choose
from packnet_core.records import Input

AHEAD = 3  # batches decoded ahead of the one that is in use
CHUNK = 64  # images a thread decodes at a time where all are wanted: small ones take less than a switch of threads


class Images:
    """Images of one split, as a network with the given input takes them.

    `labels` are class indices, int64 on the CPU. `pixels` is uint8 N×C×R×R, C being 1 where all are grey, or `Decoded`
    to take them from; `rows` says which of those images these are. R is the network's S, or more: then S×S is cropped.
    `flip` says whether mirrored images mean the same.
    """

    def __init__(self, pixels: "Tensor | Decoded", rows: Tensor, labels: Tensor, input: Input, flip: bool = False):
        self.labels = labels
        self.flip = flip
        self._pixels = pixels
        self._rows = rows
        self._input = input

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def in_memory(self) -> bool:
        return isinstance(self._pixels, Tensor)

    def batches(
        self,
        size: int,
        device: torch.device | str,
        *,
        generator: torch.Generator | None = None,
        augment: bool = False,
        start: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of images and labels on `device`: float32 N×C×S×S, scaled to 0..1, then `(x - mean) / std`.

        `generator` shuffles; without one the order stays. `start` leaves that many batches of the same order out.
        With `augment` each image is mirrored or not, where that means the same, and cropped anywhere; without, it is
        cropped in the middle. The draws are from torch's global CPU generator, made when the batch is asked for. Raises
        RequestError, naming the file, where an image can't be decoded.
        """
        order = torch.arange(len(self)) if generator is None else torch.randperm(len(self), generator=generator)
        parts = torch.split(order, size)[start:] if len(order) else ()
        shape = (1, self._input.channels, 1, 1)
        mean = torch.tensor(self._input.mean, device=device).view(shape)
        std = torch.tensor(self._input.std, device=device).view(shape)
        for part, pixels in zip(parts, self._raw(parts), strict=True):
            if augment and self.flip:
                mirrored = torch.rand(len(part)) < 0.5
                pixels[mirrored] = pixels[mirrored].flip(3)
            pixels = cropped(pixels, self._input.size, augment)
            # grey images become as many channels as the network takes by broadcasting against its means
            images = pixels.to(device).float().div_(255).sub(mean).div_(std)
            yield images, self.labels[part].to(device)

    def sample(self, count: int, seed: int) -> "Images":
        """At most `count` of these images, with each class in proportion, drawn by `seed`; they keep their order."""
        labels = self.labels.numpy()
        shares = allot(np.bincount(labels).astype(np.int64), count)
        return self.where(torch.from_numpy(choose(labels, shares, seed)))

    def where(self, mask: Tensor) -> "Images":
        """Those of these images for which `mask` is true; pixels are shared."""
        return Images(self._pixels, self._rows[mask], self.labels[mask], self._input, self.flip)

    def _raw(self, parts: tuple[Tensor, ...]) -> Iterator[Tensor]:
        """The pixels of each part, uint8, in a tensor of its own."""
        rows = (self._rows[part] for part in parts)
        if isinstance(self._pixels, Tensor):
            return (self._pixels[part] for part in rows)
        return self._pixels.ahead(list(rows))


def cropped(pixels: Tensor, size: int, anywhere: bool) -> Tensor:
    """N×C×size×size out of larger images: each at a place of its own, or all in the middle."""
    room = pixels.shape[3] - size
    if not room:
        return pixels
    if not anywhere:
        return pixels[:, :, room // 2 : room // 2 + size, room // 2 : room // 2 + size]
    corners = torch.randint(room + 1, (len(pixels), 2)).tolist()
    return torch.stack([image[:, y : y + size, x : x + size] for image, (y, x) in zip(pixels, corners, strict=True)])


class Decoded:
    """Images too many to keep: decoded by threads, a few batches ahead. Pillow lets other threads run meanwhile."""

    def __init__(self, pixels: Pixels, size: int, channels: int):
        self.pixels = pixels
        self.size = size
        self.channels = channels

    def ahead(self, parts: list[Tensor]) -> Iterator[Tensor]:
        """The images of each part, uint8 N×C×S×S."""
        pool = ThreadPoolExecutor(WORKERS)
        try:
            waiting: deque[list[Future[Tensor]]] = deque()
            later = iter(parts)
            for part in islice(later, AHEAD):
                waiting.append(self._submit(pool, part))
            while waiting:
                yield torch.stack([future.result() for future in waiting.popleft()])
                for part in islice(later, 1):
                    waiting.append(self._submit(pool, part))
        finally:
            pool.shutdown(cancel_futures=True)

    def all(self, rows: Tensor) -> Tensor:
        """These images in one tensor, uint8 N×C×S×S, each decoded once."""
        out = np.empty((len(rows), self.channels, self.size, self.size), np.uint8)

        def fill(start: int) -> None:
            for index, row in enumerate(rows[start : start + CHUNK].tolist(), start):
                out[index] = self.pixels.decode(row, self.size, self.channels)

        with ThreadPoolExecutor(WORKERS) as pool:
            deque(pool.map(fill, range(0, len(rows), CHUNK)), maxlen=0)  # raises what a thread raised
        return torch.from_numpy(out)

    def _submit(self, pool: ThreadPoolExecutor, part: Tensor) -> list[Future[Tensor]]:
        return [pool.submit(self._one, row) for row in part.tolist()]

    def _one(self, row: int) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.pixels.decode(row, self.size, self.channels)))
