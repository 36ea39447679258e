"""Reads the owners of one layer for the mosaic, and keeps what was read. Never imports torch."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packnet_core.errors import PacknetError

if TYPE_CHECKING:
    from packnet_core.packfile.owner_counts import OwnerCounts

MOST = 16_000_000  # bytes kept


class Wanted(NamedTuple):
    """What to read: a layer of a file with a signature (`packfile.paths`), in at most rows × columns bins."""

    path: Path
    signature: object
    layer: str
    rows: int
    columns: int


class LayerOwners:
    """Counts of owners that were read, the newest last; an error instead of those that can't be read."""

    def __init__(self) -> None:
        self._kept: dict[Wanted, OwnerCounts | str] = {}

    def known(self, wanted: Wanted) -> "OwnerCounts | str | None":
        """The counts, or the message of the error; None if they were not read yet, or too long ago."""
        return self._kept.get(wanted)

    def read(self, wanted: Wanted) -> None:
        """Read the counts, so that they are known. It reads the file, so the screen's own thread must not call it."""
        from packnet_core.packfile.owner_counts import owner_counts  # imports numpy

        try:
            self._kept[wanted] = owner_counts(wanted.path, wanted.layer, wanted.rows, wanted.columns)
        except (PacknetError, MemoryError) as error:
            self._kept[wanted] = str(error) or "there is not enough memory to read this layer's owners"
        while len(self._kept) > 1 and sum(map(_size, self._kept.values())) > MOST:
            del self._kept[next(iter(self._kept))]


def _size(found: "OwnerCounts | str") -> int:
    return len(found) if isinstance(found, str) else found.counts.nbytes
