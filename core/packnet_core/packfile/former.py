"""The former file: a pack file as it was before its last drop, kept in its folder to undo that. Needs no torch.

It costs no copy where the disk has hard links: the drop writes a new file, and this name keeps the old one. It belongs
to the file only as long as the drop is the last change of the file; the next job that changes the file removes it.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from packnet_core.errors import FileError, disk_errors
from packnet_core.files.atomic import Written, confirm, copy_file
from packnet_core.packfile.checkpoint_header import base
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.document import Document, shortened


class Former(NamedTuple):
    """A former file: its path, its document, and its size in bytes."""

    path: Path
    document: Document
    bytes: int

    @property
    def task(self) -> str:
        """The task that it has and that the present file has no more."""
        return self.document.tasks[-1].name


@disk_errors()
def keep(paths: Paths, document: Document) -> Path:
    """Keep the file, whose document is given, as the former one, before a drop. Returns its path.

    Raises DiskError if the disk has neither hard links nor room for a copy.
    """
    path = paths.former(base(document)[:16])
    path.unlink(missing_ok=True)  # of a killed drop of this very state
    try:
        os.link(paths.file, path)
        confirm(path)
    except OSError:  # a disk without hard links, or a folder on another disk
        copy_file(paths.file, path)
    return path


def find(paths: Paths, document: Document) -> Former | None:
    """The former file that belongs to the file's present state; None if there is none, or it can't be read."""
    for path in paths.formers():
        with suppress(FileError, OSError):
            header = read_header(path)
            if _dropped(header.document, document):
                return Former(path, header.document, header.file_bytes)
    return None


def _dropped(former: Document, now: Document) -> bool:
    """Whether a drop leads from one state of a file to another, in one step."""
    if not (former.tasks and former.history and now.history):
        return False
    layers = tuple(replace(layer, owned=layer.owned[:-1]) for layer in former.layers)
    history = shortened((*former.history, now.history[-1]))
    return replace(former, tasks=former.tasks[:-1], layers=layers, history=history) == now


@disk_errors()
def bring_back(paths: Paths, former: Former) -> Written:
    """Replace the file by its former one, atomically. Raises DiskError if the disk refuses; the file is as it was."""
    with suppress(OSError):  # the permissions may have changed since
        os.chmod(former.path, paths.file.stat().st_mode & 0o777)
    try:
        os.replace(former.path, paths.file)
    except OSError:  # a folder on another disk
        written = copy_file(former.path, paths.file)
        with suppress(OSError):  # it is done: what is left belongs to no state of the file, and is removed later
            former.path.unlink()
        return written
    return Written(former.bytes, confirm(paths.file))
