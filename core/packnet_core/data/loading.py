"""A task's data as training needs it: opened, checked, split, and in memory where it fits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from packnet_core.data import npz
from packnet_core.data.images import Decoded, Images
from packnet_core.data.kinds import resolve
from packnet_core.data.open import open_source
from packnet_core.data.pixels import ArrayPixels
from packnet_core.data.split import Ints, allot, choose
from packnet_core.data.types import Part, Source
from packnet_core.errors import RequestError
from packnet_core.schema.document import Data, Input

MEMORY = 1 << 30  # bytes of resized images that are kept; more are decoded batch by batch
ROOM = 8 / 7  # the paper resizes to 256 and crops 224 (§4)
VALIDATION = 0.1  # of the training data, for choosing; the test set is for the reported error alone


@dataclass(frozen=True)
class TaskData:
    """One task's images, split. `chance` is the error in percent of always answering the test set's largest class."""

    classes: tuple[str, ...]
    train: Images
    validation: Images
    test: Images
    record: Data
    chance: float
    extent: str = ""  # whether this is all of a data set or a part, where that is known


def load(
    source: str,
    input: Input,
    *,
    flip: bool | None = None,
    crop: bool | None = None,
    limit: int | None = None,
    seed: int = 0,
    classes: tuple[str, ...] | None = None,
) -> TaskData:
    """Load what `--data` took, for a network with this input.

    At most `limit` training images are used, and 10 % of those validate; both are stratified and drawn by `seed`, the
    same everywhere. `flip`, `crop` None: as the data suggests. With `classes`, the data must have just these, in this
    order.

    Raises RequestError, naming what is wrong and what to do, for data that can't be used.
    """
    opened = _opened(source, classes)
    flip = opened.flip if flip is None else flip
    crop = opened.crop if crop is None else crop
    used, validates = _split(opened, limit, seed)
    test = opened.test.counts(len(opened.classes))
    trains, validation, tests = _images(opened, _Form(input, flip, crop), used, validates)
    record = Data(
        source=resolve(source),
        flip=flip,
        crop=crop,
        limit=limit,
        train=len(trains),
        validation=len(validation),
        test=len(tests),
    )
    chance = 100 * (1 - int(test.max()) / int(test.sum()))
    return TaskData(opened.classes, trains, validation, tests, record, chance, opened.extent)


def load_test(source: str, input: Input, classes: tuple[str, ...], crop: bool = False) -> Images:
    """The test images alone, for a task with these classes: no training image is decoded. Raises as `load` does."""
    test = _opened(source, classes).test
    form = _Form(input, flip=False, crop=crop)
    rows = np.arange(len(test.labels))
    channels = test.pixels.channels(rows, input.channels)
    return _part(test, rows, form, channels, len(rows) * channels * form.side**2 <= MEMORY)


def load_mixed(source: str, input: Input, tasks: Mapping[str, tuple[tuple[str, ...], bool]]) -> dict[str, Images]:
    """A mixed data set, an .npz file whose images each name their task: the images of every task that is in it.

    `tasks` has the classes of each task there is, and whether its images are cropped; labels are indices of these
    classes. Tasks come in the order they have in `tasks`, a task's images in that of the file. Raises RequestError,
    naming the first image that is wrong.
    """
    path = Path(resolve(source))
    arrays = npz.read_mixed(path)
    names = np.array(arrays.tasks)
    if unknown := sorted(set(arrays.tasks) - set(tasks)):
        raise RequestError(f"{path.name} has images of task {unknown[0]!r}; the file's tasks: {', '.join(tasks)}")
    part = Part(arrays.labels, ArrayPixels(arrays.images, f"{npz.MIXED[0]} in {path}"))
    found = {}
    for name, (classes, crop) in tasks.items():
        rows = np.flatnonzero(names == name)
        labels = part.labels[rows]
        wrong = rows[(labels < 0) | (labels >= len(classes))]
        if len(wrong):
            raise RequestError(
                f"{path.name}: label {part.labels[wrong[0]]} at index {wrong[0]} is out of range; labels of task "
                f"{name!r} go from 0 to {len(classes) - 1}"
            )
        if len(rows):
            form, channels = _Form(input, flip=False, crop=crop), part.pixels.channels(rows, input.channels)
            found[name] = _part(part, rows, form, channels, len(names) * channels * form.side**2 <= MEMORY)
    return found


def _opened(source: str, classes: tuple[str, ...] | None) -> Source:
    opened = open_source(source)
    if problem := opened.problem():
        raise RequestError(problem)
    if classes is not None and opened.classes != classes:
        raise RequestError(
            f"{opened.name} has the classes {_shown(opened.classes)}, and the task has {_shown(classes)}; "
            "give data with the task's classes, in the same order"
        )
    return opened


def _split(source: Source, limit: int | None, seed: int) -> tuple[Ints, NDArray[np.bool_]]:
    """The rows of the training images to use, in order, and which of these validate."""
    labels = source.train.labels
    counts = source.train.counts(len(source.classes))
    if limit is not None and limit < len(source.classes):
        raise RequestError(
            f"--limit {limit} is less than one training image for each of {len(source.classes)} classes; raise it"
        )
    if limit is not None and limit < len(labels):
        counts = allot(counts, limit, least=1)
        rows = np.flatnonzero(choose(labels, counts, seed))
    else:
        rows = np.arange(len(labels))
    shares = allot(counts, round(VALIDATION * len(rows)), spare=1)
    return rows, choose(labels[rows], shares, seed)


@dataclass(frozen=True)
class _Form:
    """How images are kept: squares of `side`, to be cropped to the network's input where that is smaller."""

    input: Input
    flip: bool
    crop: bool

    @property
    def side(self) -> int:
        return round(ROOM * self.input.size) if self.crop else self.input.size


def _images(source: Source, form: _Form, used: Ints, validates: NDArray[np.bool_]) -> tuple[Images, Images, Images]:
    wanted = form.input.channels
    channels = source.train.pixels.channels(used, wanted)
    test_channels = source.test.pixels.channels(range(len(source.test.labels)), wanted)
    keep = form.side**2 * (len(used) * channels + len(source.test.labels) * test_channels) <= MEMORY
    every = np.arange(len(source.test.labels))
    test = _part(source.test, every, form, test_channels, keep)
    train = _part(source.train, used, form, channels, keep)
    chosen = torch.from_numpy(validates)
    return train.where(~chosen), train.where(chosen), test


def _part(part: Part, rows: Ints, form: _Form, channels: int, keep: bool) -> Images:
    decoded = Decoded(part.pixels, form.side, channels)
    labels, chosen = torch.from_numpy(part.labels[rows]), torch.from_numpy(rows)
    if keep:
        return Images(decoded.all(chosen), torch.arange(len(rows)), labels, form.input, form.flip)
    return Images(decoded, chosen, labels, form.input, form.flip)


def _shown(classes: Sequence[str]) -> str:
    return ", ".join(classes[:5]) + (f" … ({len(classes)})" if len(classes) > 5 else "")
