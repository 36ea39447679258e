"""Labelled images of one split, in batches for a network: kept in memory, or decoded batch by batch."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from packnet_core.data.augment import draw_augmentation, preprocess
from packnet_core.data.pixels import WORKERS, Bytes, Pixels
from packnet_core.data.reading import Reading
from packnet_core.data.split import allot, choose
from packnet_core.errors import RequestError
from packnet_core.schema.document import Input

Stored = tuple[Tensor, Tensor | None]  # a batch's pixels, and which are good (bool N; None: all)
PREFETCH = 3  # batches decoded and sent ahead of the one in use
CHUNK_IMAGES = 64  # images per call of a thread: a small image takes less time to decode than a thread switch


class Images:
    """Images of one split, in the form that a network with the given input takes.

    `labels` are class indices, int64 on the CPU. `pixels` is uint8 N×C×R×R (C is 1 if all are grey), or a `Decoder` of
    them; `indices` are the positions of these images in it. R is the network's S, or larger: then S×S is cropped.
    `flip` says whether training may flip the images left to right. `of` is the number of images in the whole split, if
    these are a sample of it, else None.
    """

    def __init__(
        self,
        pixels: "Tensor | Decoder",
        indices: Tensor,
        labels: Tensor,
        input: Input,
        flip: bool = False,
        reading: Reading | None = None,
        of: int | None = None,
    ):
        self.labels = labels
        self._reading = reading or Reading()
        self.flip = flip
        self.of = of
        self._pixels = pixels
        self._indices = indices
        self._input = input

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def in_memory(self) -> bool:
        """Whether all pixels are in memory, resized."""
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
        """Yield batches on `device`: images, float32 N×C×S×S, scaled to 0..1, then `(x - mean) / std`; labels, int64 N.

        `generator` shuffles; without one the order stays. `start` skips that many batches of the same order. With
        `augment` each image is cropped at random, and flipped at random if `flip` allows it; without, it is cropped in
        the centre. Augmentation parameters are drawn from torch's global CPU generator when a batch is made. Raises
        RequestError, naming the file, if an image can't be decoded; if such images are skipped, a batch is smaller
        without them, or even empty. Raises Stopped if the job is asked to stop.
        """
        order = torch.arange(len(self)) if generator is None else torch.randperm(len(self), generator=generator)
        batches = torch.split(order, size)[start:] if len(order) else ()
        for batch, (pixels, good) in zip(batches, self._pixels_on(torch.device(device), batches), strict=True):
            self._reading.check_stop()
            if good is not None:
                batch, pixels = batch[good], pixels[good.to(pixels.device)]
            augmentation = draw_augmentation(len(batch), pixels.shape[3] - self._input.size, self.flip, augment)
            yield preprocess(pixels, augmentation, self._input), self.labels[batch].to(device)

    def sample(self, count: int, seed: int) -> "Images":
        """At most `count` of these images, each class in proportion, drawn by `seed`; their order stays."""
        labels = self.labels.numpy()
        shares = allot(np.bincount(labels).astype(np.int64), count)
        sample = self.subset(torch.from_numpy(choose(labels, shares, seed)))
        if len(sample) < len(self):
            sample.of = self.of or len(self)
        return sample

    def subset(self, mask: Tensor) -> "Images":
        """The images for which `mask` (bool, N) is true; pixels are shared."""
        chosen = self._indices[mask], self.labels[mask]
        return Images(self._pixels, *chosen, self._input, self.flip, self._reading, self.of)

    def _pixels_on(self, device: torch.device, batches: tuple[Tensor, ...]) -> Iterator[Stored]:
        """The stored pixels of each batch, uint8, on the device that preprocesses them.

        With pinned memory and a few batches ahead, a GPU and the decoding threads do not wait for each other.
        """
        stored = self._stored_pixels(batches)
        if device.type == "cpu":
            yield from stored
            return
        sent: deque[Stored] = deque()
        for pixels, good in stored:
            pinned = pixels.pin_memory() if device.type == "cuda" else pixels
            sent.append((pinned.to(device, non_blocking=True), good))
            if len(sent) == PREFETCH:
                yield sent.popleft()
        yield from sent

    def _stored_pixels(self, batches: tuple[Tensor, ...]) -> Iterator[Stored]:
        """The pixels of each batch, uint8, in a new tensor."""
        indices = (self._indices[batch] for batch in batches)
        if isinstance(self._pixels, Tensor):
            return ((self._pixels[batch], None) for batch in indices)
        return self._pixels.prefetch(list(indices))


class Decoder:
    """Decodes images with a pool of threads, to uint8 channels×size×size. Pillow releases the GIL.

    Every method raises RequestError, naming the file, if an image can't be decoded and such images are not skipped,
    and Stopped if the job is asked to stop.
    """

    def __init__(self, pixels: Pixels, size: int, channels: int, reading: Reading | None = None):
        self.reading = reading or Reading()
        self.pixels = pixels
        self.size = size
        self.channels = channels

    def prefetch(self, batches: list[Tensor]) -> Iterator[Stored]:
        """Yield the images of each batch of indices, uint8 N×C×S×S, decoded a few batches ahead.

        Raises RequestError, naming the file, if an image can't be decoded.
        """
        pool = ThreadPoolExecutor(WORKERS)
        try:
            waiting: deque[tuple[Bytes, list[Future[bool]]]] = deque()
            later = iter(batches)
            for batch in islice(later, PREFETCH):
                waiting.append(self._submit(pool, batch))
            while waiting:
                out, futures = waiting.popleft()
                good = [future.result() for future in futures]  # raises what a thread raised
                for batch in islice(later, 1):
                    waiting.append(self._submit(pool, batch))
                yield torch.from_numpy(out), None if all(good) else torch.tensor(good)
        finally:
            pool.shutdown(cancel_futures=True)

    def all(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The images at these indices in one tensor, uint8 N×C×S×S, and which of them are good, bool N."""
        out, wanted = self._empty(len(indices)), indices.tolist()
        return torch.from_numpy(out), self._each(lambda place: self._decode_into(out, wanted, place), len(wanted))

    def good(self, indices: Tensor, decoded: bool) -> Tensor:
        """Which of these images can be read, bool N: found from their headers, or, if `decoded`, for certain."""
        wanted = indices.tolist()

        def check(index: int) -> None:
            if decoded:
                self.pixels.decode(index, self.size, self.channels)
            else:
                self.pixels.check(index)

        return self._each(lambda place: self._is_good(check, wanted[place]), len(wanted))

    def _each(self, is_good: Callable[[int], bool], count: int) -> Tensor:
        """Call a function with 0, 1, … in the pool, in chunks. Returns its results, bool N."""

        def chunk(start: int) -> list[bool]:
            self.reading.check_stop()
            return [is_good(place) for place in range(start, min(start + CHUNK_IMAGES, count))]

        pool = ThreadPoolExecutor(WORKERS)
        try:
            chunks = pool.map(chunk, range(0, count, CHUNK_IMAGES))
            return torch.tensor([good for some in chunks for good in some], dtype=torch.bool)
        finally:
            pool.shutdown(cancel_futures=True)

    def _submit(self, pool: ThreadPoolExecutor, batch: Tensor) -> tuple[Bytes, list[Future[bool]]]:
        """An empty batch, and the futures that fill it, image by image.

        Uses no torch operation: torch's threads spin while they wait, and would keep the pool from the processor.
        """
        out, indices = self._empty(len(batch)), batch.tolist()
        return out, [pool.submit(self._decode_into, out, indices, place) for place in range(len(indices))]

    def _decode_into(self, out: Bytes, indices: list[int], place: int) -> bool:
        """Decode one image into its place. Returns whether it is good."""

        def decode(index: int) -> None:
            out[place] = self.pixels.decode(index, self.size, self.channels)

        return self._is_good(decode, indices[place])

    def _is_good(self, read: Callable[[int], object], index: int) -> bool:
        """Whether `read` can read the image at an index. Raises RequestError if it can't and must."""
        try:
            read(index)
        except RequestError as error:
            if not self.reading.skip:
                raise
            self.reading.damaged[str(error)] = None
            return False
        return True

    def _empty(self, count: int) -> Bytes:
        return np.empty((count, self.channels, self.size, self.size), np.uint8)
