"""Where in a layer each task owns weights: counts per bin of outputs and inputs, read in pieces and without torch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from packnet_core.errors import FileError
from packnet_core.files.safetensors_header import TensorInfo, open_to_read, parse_header
from packnet_core.packfile.header import OWNER, check_header
from packnet_core.schema.document import dense_layers

PIECE = 1 << 18  # weights in memory at a time

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class OwnerCounts:
    """The owners of one layer's weights, in counts per bin.

    counts     rows × columns × (1 + tasks): free weights first, then those of task 1, 2, …
    outputs    of the layer: its first dimension
    inputs     of each output: its second dimension, 1 if there is none
    positions  of the kernel: the product of all other dimensions, 1 for a linear layer
    apart      whether each kernel position has a column of its own, and not each input, or several of them

    Output `i` is in row `i * rows // outputs`, and inputs are in columns likewise, so that bins differ by one at most.
    """

    counts: Counts
    outputs: int
    inputs: int
    positions: int
    apart: bool

    @property
    def owned(self) -> tuple[int, ...]:
        """The number of weights that each task owns in the whole layer."""
        return tuple(map(int, self.counts.sum(axis=(0, 1))[1:]))


def owner_counts(path: str | Path, layer: str, rows: int, columns: int) -> OwnerCounts:
    """Count the owners of one layer of a pack file in at most `rows` × `columns` bins.

    A row is one or more outputs; a column is one or more inputs with all their kernel positions, or single positions
    if there is room for all of them. (In a transposed convolution the first dimension is its inputs.) The layer is read
    in pieces, so a layer of any size takes little memory.

    Raises FileError, naming what is wrong, if the file is missing or damaged, has no such layer, or if its header has
    other counts.
    """
    path = Path(path)
    with open_to_read(path) as file:  # opened once: header and weights belong together, whatever replaces the file
        safetensors = parse_header(file, path)
        document = check_header(path, safetensors).document
        found = next((each for each in document.layers if each.name == layer), None)
        if found is None:
            raise FileError(f"{path.name} has no layer {layer!r}")
        tasks = len(document.tasks)
        outputs, inputs, *rest = (*found.shape, 1, 1)
        positions = math.prod(rest)
        apart = inputs * positions <= columns
        counts = np.zeros(
            (min(rows, outputs), inputs * positions if apart else min(columns, inputs), 1 + tasks), np.int64
        )
        binned = OwnerCounts(counts, outputs, inputs, positions, apart)
        dense = tasks if layer in dense_layers(document) else 0
        layer_file = _LayerFile(file, path, safetensors.start, safetensors.tensors, layer, tasks, dense)
        _count(layer_file, binned)
    if binned.owned != found.owned:
        raise FileError(
            f"{path.name}: layer {layer!r} has owners' counts {list(binned.owned)}, and its header says "
            f"{list(found.owned)}"
        )
    return binned


def _count(layer: "_LayerFile", into: OwnerCounts) -> None:
    """Add up the owners of all weights, piece by piece."""
    rows, columns, owners = into.counts.shape
    kept = 1 if into.apart else into.positions  # weights that have the same column
    length = into.inputs * into.positions
    for row, height, left, width in _pieces(into.outputs, length):
        begin = row * length + left
        owner = layer.owners(begin, begin + height * width).reshape(height, width)
        down = np.arange(row, row + height) * rows // into.outputs
        across = np.arange(left, left + width) // kept * columns // (length // kept)
        first, last = int(down[0]), int(down[-1]) + 1
        bins = ((down - first)[:, None] * columns + across) * owners + owner
        found = np.bincount(bins.reshape(-1), minlength=(last - first) * columns * owners)
        into.counts[first:last] += found.reshape(last - first, columns, owners)


def _pieces(outputs: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """Cover `outputs` rows of `width` weights with pieces: first row, rows, first column, columns of each.

    A piece is several whole rows, or a part of one row, so its weights follow one another in the file.
    """
    height = max(1, PIECE // width)
    for row in range(0, outputs, height):
        for left in range(0, width, PIECE):
            yield row, min(height, outputs - row), left, min(PIECE, width - left)


class _LayerFile:
    """One layer's weights and bit planes in an open file (docs/format.md)."""

    def __init__(
        self,
        file: BinaryIO,
        path: Path,
        start: int,
        tensors: dict[str, TensorInfo],
        layer: str,
        tasks: int,
        dense: int,
    ):
        self._file, self._path, self._tasks, self._dense = file, path, tasks, dense
        self._weights = start + tensors[layer].data_offsets[0]
        planes = tensors.get(OWNER + layer)
        self._planes = []
        if planes:
            bits, length = planes.shape
            self._planes = [start + planes.data_offsets[0] + bit * length for bit in range(bits)]

    def owners(self, begin: int, end: int) -> NDArray[np.uint8]:
        """The owners of the weights from index `begin` to `end`: 0 free, k task k; the open task's if it is dense."""
        if not self._tasks:
            return np.zeros(end - begin, np.uint8)
        owner = np.ones(end - begin, np.uint8)  # the code plus one
        for bit, plane in enumerate(self._planes):
            packed = np.frombuffer(self._read(plane + begin // 8, -(-end // 8) - begin // 8), np.uint8)
            codes = np.unpackbits(packed, count=begin % 8 + end - begin, bitorder="little")[begin % 8 :]
            owner += codes << np.uint8(bit)
        weights = np.frombuffer(self._read(self._weights + 4 * begin, 4 * (end - begin)), "<f4")
        owner[weights == 0] = self._dense
        if (beyond := int(owner.max())) > self._tasks:
            raise FileError(f"{self._path.name}: a weight is of task {beyond}, and there are {self._tasks} tasks")
        return owner

    def _read(self, begin: int, count: int) -> bytes:
        self._file.seek(begin)
        found = self._file.read(count)
        if len(found) < count:  # it was cut after its header was read
            raise FileError(f"{self._path.name} ends before its last weight")
        return found
