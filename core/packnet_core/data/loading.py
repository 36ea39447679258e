"""Loads a task's data for training: opened, checked, split, and kept in memory if it fits there."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packnet_core.data import npz
from packnet_core.data.images import Decoder, Images
from packnet_core.data.kinds import resolve
from packnet_core.data.open import open_source
from packnet_core.data.pixels import ArrayPixels
from packnet_core.data.reading import Reading
from packnet_core.data.split import Ints, allot, choose
from packnet_core.data.types import Source, Split, listed
from packnet_core.errors import RequestError
from packnet_core.schema.document import Data, Input
from packnet_core.schema.text import printable

MEMORY = 1 << 30  # bytes of resized images that are kept in memory; larger data is decoded batch by batch
RESIZE_FACTOR = 8 / 7  # of images to be cropped: the paper resizes to 256 and crops to 224 (§4)
VALIDATION = 0.1  # share of the training data, for model selection; the test set is for the reported error only
SAMPLE_SEED = 0  # of the test images that an evaluation on some of them takes


@dataclass(frozen=True)
class TaskData:
    """One task's images in three splits, and `record`: how they were loaded, for the pack file.

    `chance` is the error in percent of always answering the test set's largest class.
    """

    classes: tuple[str, ...]
    train: Images
    validation: Images
    test: Images
    record: Data
    chance: float
    extent: str = ""  # whether this is all of a known data set or a part of it; empty for other data
    left_out: str = ""  # what was found in a folder and is no image; empty if nothing was
    reading: Reading = field(default_factory=Reading)  # which images were damaged and skipped so far


def load(
    source: str,
    input: Input,
    *,
    flip: bool | None = None,
    crop: bool | None = None,
    limit: int | None = None,
    seed: int = 0,
    classes: tuple[str, ...] | None = None,
    reading: Reading | None = None,
) -> TaskData:
    """Load a source, as `--data` takes it, for a network with this input.

    At most `limit` training images are used, and 10 % of them are for validation; both choices are stratified and drawn
    by `seed`, the same on every machine. `flip` and `crop` say whether training flips and crops at random; None is the
    data's default. With `classes`, the data must have exactly these, in this order. `reading` says what a damaged
    image means.

    Raises RequestError, naming what is wrong and what to do, for data that can't be used.

        data = load("birds/", document.input, limit=2000)
        images, labels = next(data.train.batches(32, "cuda", augment=True))    # float32 32×C×S×S, int64 32
    """
    reading = reading or Reading()
    opened = _open(source, classes, reading)
    flip = opened.flip if flip is None else flip
    crop = opened.crop if crop is None else crop
    used, held_out = _choose(opened, limit, seed)
    train, validation, test = _load_splits(opened, _Form(input, flip, crop, reading), used, held_out)
    for images, what in ((train, "training"), (test, "test")):
        counts = np.bincount(images.labels, minlength=len(opened.classes))
        if not counts.all():
            name = opened.classes[int(counts.argmin())]
            raise RequestError(f"{opened.name} has no {what} image of {name!r} that can be read; add some")
    record = Data(
        source=resolve(source),
        flip=flip,
        crop=crop,
        limit=limit,
        train=len(train),
        validation=len(validation),
        test=len(test),
    )
    chance = 100 * (1 - int(counts.max()) / int(counts.sum()))
    return TaskData(opened.classes, train, validation, test, record, chance, opened.extent, opened.left_out, reading)


def load_test(
    source: str,
    input: Input,
    classes: tuple[str, ...],
    crop: bool = False,
    limit: int | None = None,
    reading: Reading | None = None,
) -> Images:
    """Load only the test images, for a task with these classes: no training image is decoded. Raises as `load` does.

    With `limit`, at most that many, each class in proportion and the same ones each time; no other image is decoded.
    """
    reading = reading or Reading()
    test = _open(source, classes, reading).test
    form = _Form(input, flip=False, crop=crop, reading=reading)
    indices = np.arange(len(test.labels))
    if limit is not None and limit < len(indices):
        indices = np.flatnonzero(choose(test.labels, allot(test.counts(len(classes)), limit), SAMPLE_SEED))
    channels = test.pixels.channels(indices, input.channels)
    keep = len(indices) * channels * form.side**2 <= MEMORY
    images, good = _load_split(test, indices, form, channels, keep, np.zeros(len(indices), np.bool_))
    images.of = len(test.labels) if len(indices) < len(test.labels) else None
    return images.subset(good)


def load_mixed(
    source: str,
    input: Input,
    tasks: Mapping[str, tuple[tuple[str, ...], bool]],
    reading: Reading | None = None,
) -> dict[str, Images]:
    """Load a mixed data set, an .npz file that names the task of each image. Returns each task's images, by its name.

    `tasks` has, for each task of the pack file, its classes and whether its images are cropped. Labels are indices of
    these classes. Tasks are in the order of `tasks`, a task's images in the order of the file. Raises RequestError for
    a task that is not in `tasks`, or a label out of range, naming its index.
    """
    path, reading = Path(resolve(source)), reading or Reading()
    arrays = reading.interruptible(lambda: npz.read_mixed(path))
    names = np.array(arrays.tasks)
    if unknown := sorted(set(arrays.tasks) - set(tasks)):
        raise RequestError(f"{path.name} has images of task {unknown[0]!r}; the pack file has {', '.join(tasks)}")
    mixed = Split(arrays.labels, ArrayPixels(arrays.images, f"images in {path}"))
    found = {}
    for name, (classes, crop) in tasks.items():
        indices = np.flatnonzero(names == name)
        labels = mixed.labels[indices]
        wrong = indices[(labels < 0) | (labels >= len(classes))]
        if len(wrong):
            raise RequestError(
                f"{path.name}: label {mixed.labels[wrong[0]]} at index {wrong[0]} is out of range; labels of task "
                f"{name!r} go from 0 to {len(classes) - 1}"
            )
        if len(indices):
            form = _Form(input, flip=False, crop=crop, reading=reading)
            channels = mixed.pixels.channels(indices, input.channels)
            found[name], _ = _load_split(mixed, indices, form, channels, len(names) * channels * form.side**2 <= MEMORY)
    return found


def _open(source: str, classes: tuple[str, ...] | None, reading: Reading) -> Source:
    opened = reading.interruptible(lambda: open_source(source))
    if problem := opened.problem():
        raise RequestError(problem)
    opened = replace(opened, classes=tuple(map(printable, opened.classes)))  # as a pack file has them
    if classes is not None and opened.classes != classes:
        raise RequestError(
            f"{opened.name} has the classes {listed(opened.classes)}, and the task has {listed(classes)}; "
            "give data with the task's classes, in the same order"
        )
    return opened


def _choose(source: Source, limit: int | None, seed: int) -> tuple[Ints, NDArray[np.bool_]]:
    """The indices of the training images to use, in order, and a mask over them: those for validation."""
    labels = source.train.labels
    counts = source.train.counts(len(source.classes))
    if limit is not None and limit < len(source.classes):
        raise RequestError(
            f"--limit {limit} is less than one training image for each of {len(source.classes)} classes; raise it"
        )
    if limit is not None and limit < len(labels):
        counts = allot(counts, limit, least=1)
        used = np.flatnonzero(choose(labels, counts, seed))
    else:
        used = np.arange(len(labels))
    shares = allot(counts, round(VALIDATION * len(used)), spare=1)
    return used, choose(labels[used], shares, seed)


@dataclass(frozen=True)
class _Form:
    """How images are stored: side×side pixels, to be cropped if the network's input is smaller."""

    input: Input
    flip: bool
    crop: bool
    reading: Reading

    @property
    def side(self) -> int:
        return round(RESIZE_FACTOR * self.input.size) if self.crop else self.input.size


def _load_splits(source: Source, form: _Form, used: Ints, held_out: NDArray[np.bool_]) -> tuple[Images, Images, Images]:
    """Training, validation and test images."""
    wanted = form.input.channels
    channels = source.train.pixels.channels(used, wanted)
    test_channels = source.test.pixels.channels(range(len(source.test.labels)), wanted)
    keep = form.side**2 * (len(used) * channels + len(source.test.labels) * test_channels) <= MEMORY
    every = np.ones(len(source.test.labels), np.bool_)
    test, good_test = _load_split(source.test, np.arange(len(every)), form, test_channels, keep, every)
    train, good = _load_split(source.train, used, form, channels, keep, held_out)
    validates = torch.from_numpy(held_out)
    return train.subset(~validates & good), train.subset(validates & good), test.subset(good_test)


def _load_split(
    split: Split, indices: Ints, form: _Form, channels: int, keep: bool, measured: NDArray[np.bool_] | None = None
) -> tuple[Images, Tensor]:
    """The images of a split at these indices, decoded now if `keep`, else batch by batch; and which are good, bool N.

    To find damaged images early, the `measured` ones (bool N), those whose error is measured later, are decoded once.
    Of the others only the header is read, since decoding all takes an epoch's time.
    """
    decoder = Decoder(split.pixels, form.side, channels, form.reading)
    labels, used = torch.from_numpy(split.labels[indices]), torch.from_numpy(indices)
    if keep:
        pixels, good = decoder.all(used)
        return Images(pixels, torch.arange(len(indices)), labels, form.input, form.flip, form.reading), good
    good = torch.ones(len(indices), dtype=torch.bool)
    if form.reading.early and measured is not None:
        certain = torch.from_numpy(measured)
        good[certain], good[~certain] = decoder.good(used[certain], True), decoder.good(used[~certain], False)
    return Images(decoder, used, labels, form.input, form.flip, form.reading), good
