"""Images: labelled images ready for a network, in batches; kept in memory, or decoded as they are asked for."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from packnet_core.data.augment import drawn, ready
from packnet_core.data.pixels import WORKERS, Bytes, Pixels
from packnet_core.data.split import allot, choose
from packnet_core.schema.document import Input

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
        for part, pixels in zip(parts, self._sent(parts, torch.device(device)), strict=True):
            draw = drawn(len(part), pixels.shape[3] - self._input.size, self.flip, augment)
            yield ready(pixels, draw, self._input), self.labels[part].to(device)

    def sample(self, count: int, seed: int) -> "Images":
        """At most `count` of these images, with each class in proportion, drawn by `seed`; they keep their order."""
        labels = self.labels.numpy()
        shares = allot(np.bincount(labels).astype(np.int64), count)
        return self.where(torch.from_numpy(choose(labels, shares, seed)))

    def where(self, mask: Tensor) -> "Images":
        """Those of these images for which `mask` is true; pixels are shared."""
        return Images(self._pixels, self._rows[mask], self.labels[mask], self._input, self.flip)

    def _sent(self, parts: tuple[Tensor, ...], device: torch.device) -> Iterator[Tensor]:
        """The pixels of each part on the device, where they are mirrored, cropped and scaled. To a GPU they go as bytes
        out of pinned memory, a few batches ahead, so that neither waits for the other."""
        raw = self._raw(parts)
        if device.type == "cpu":
            yield from raw
            return
        sent: deque[Tensor] = deque()
        for pixels in raw:
            pinned = pixels.pin_memory() if device.type == "cuda" else pixels
            sent.append(pinned.to(device, non_blocking=True))
            if len(sent) == AHEAD:
                yield sent.popleft()
        yield from sent

    def _raw(self, parts: tuple[Tensor, ...]) -> Iterator[Tensor]:
        """The pixels of each part, uint8, in a tensor of its own."""
        rows = (self._rows[part] for part in parts)
        if isinstance(self._pixels, Tensor):
            return (self._pixels[part] for part in rows)
        return self._pixels.ahead(list(rows))


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
            waiting: deque[tuple[Bytes, list[Future[None]]]] = deque()
            later = iter(parts)
            for part in islice(later, AHEAD):
                waiting.append(self._begin(pool, part))
            while waiting:
                out, futures = waiting.popleft()
                for future in futures:
                    future.result()  # raises what a thread raised
                for part in islice(later, 1):
                    waiting.append(self._begin(pool, part))
                yield torch.from_numpy(out)
        finally:
            pool.shutdown(cancel_futures=True)

    def all(self, rows: Tensor) -> Tensor:
        """These images in one tensor, uint8 N×C×S×S, each decoded once."""
        out = self._room(len(rows))
        starts = range(0, len(rows), CHUNK)
        with ThreadPoolExecutor(WORKERS) as pool:
            fill = partial(self._fill, out, rows.tolist(), CHUNK)
            deque(pool.map(fill, starts), maxlen=0)  # raises what a thread raised
        return torch.from_numpy(out)

    def _begin(self, pool: ThreadPoolExecutor, part: Tensor) -> tuple[Bytes, list[Future[None]]]:
        """Room for a part, and what fills it, image by image: torch's own threads have no part in it, whose waiting
        would keep these from the processor."""
        out, rows = self._room(len(part)), part.tolist()
        return out, [pool.submit(self._fill, out, rows, 1, index) for index in range(len(rows))]

    def _fill(self, out: Bytes, rows: list[int], count: int, start: int) -> None:
        for index, row in enumerate(rows[start : start + count], start):
            out[index] = self.pixels.decode(row, self.size, self.channels)

    def _room(self, count: int) -> Bytes:
        return np.empty((count, self.channels, self.size, self.size), np.uint8)
