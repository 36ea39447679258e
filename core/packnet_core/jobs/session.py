"""Session: one pack file opened for work, with its network and document in memory, its data, and saving."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
from msgspec.structs import replace

from packnet_core.data.images import Images
from packnet_core.data.loading import SAMPLE_SEED, TaskData, load, load_mixed
from packnet_core.data.reading import Reading
from packnet_core.errors import DiskError, FileError, RequestError, Stopped, WorkError
from packnet_core.network.device import pick_device
from packnet_core.network.packed import PackedNetwork
from packnet_core.packfile import checkpoint, storage, trust
from packnet_core.packfile.paths import Paths, signature
from packnet_core.schema.commands import Add, BadImage, Evaluate
from packnet_core.schema.document import Data, Document, Step, Task, shortened
from packnet_core.schema.events import Checked, Event, Occupancy

Loaded = TypeVar("Loaded")
CHECKPOINT_SECONDS = 60.0  # between checkpoints of a running phase


class Session:
    """A pack file opened for work, under the file's lock.

    `network` and `document` belong together; between jobs they equal the file. `saved` is the document in the file,
    while a job changes `document`. `lost` says why what a stopped job did could not be kept. `device` is a torch
    device's name (None: a GPU if there is one). `checkpoint_seconds` is the time between two checkpoints of a phase.
    """

    network: PackedNetwork
    document: Document
    saved: Document

    def __init__(self, path: str | Path, device: str | None = None, checkpoint_seconds: float = CHECKPOINT_SECONDS):
        self.paths = Paths(path)
        self.path = self.paths.file
        self.device = pick_device(device)
        self.checkpoint_seconds = checkpoint_seconds
        self.stop = threading.Event()  # set: the job is asked to stop
        self._loaded: dict[Callable[..., Any], tuple[Any, Any]] = {}  # by reader: what it read last, for the next job
        self.load()

    # -- the file -----------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Read network and document from the file. Raises FileError if the file is damaged."""
        self._signature: tuple[int, int, int] | None = signature(self.path)  # of the file as it was read or written
        self.network, self.document = storage.load(self.path, self.device)
        self.saved, self.changed, self.lost = self.document, False, ""

    def refresh(self) -> None:
        """Read the file again if memory differs from it: something replaced the file, or a job was cut short."""
        if self.changed or self._signature != signature(self.path):
            self.load()

    def use_device(self, name: str | None) -> None:
        """Move the network to the device of that name. Raises RequestError if it can't be used."""
        self.device = pick_device(name)
        self.network.to(self.device)

    def restore(self, path: Path) -> dict[str, torch.Tensor]:
        """Load network and document from a checkpoint. Returns the tensors of its training run.

        Raises FileError if the checkpoint is damaged.
        """
        kept, self.network, tensors = checkpoint.load(path, self.path)
        self.network.to(self.device)
        self.document, self.changed = kept.document, True
        return tensors

    def is_foreign(self) -> bool:
        """Whether something else has changed the file since it was read or written here."""
        return bool(self._signature and self.path.exists() and signature(self.path) != self._signature)

    def save(self, what: str, task: str, drop: bool = False, former: Path | None = None) -> list[Event]:
        """Write network and document to the file, with a new line of history; remove checkpoint and former files.

        With `drop`, the newest task was taken out; `former` stays. Returns Saved, after a warning if the disk did not
        confirm it. Raises DiskError if the disk refuses, NotSaved if a sealed task would change, and WorkError if
        something else changed the file since it was read: it stays as it is, and the result gets a file of its own.
        """
        step = Step(at=time.time(), task=task, what=what)
        document = replace(self.document, history=shortened((*self.document.history, step)))
        if self.is_foreign():
            own = self._save_beside(document)
            raise WorkError(
                f"{self.path} was changed by something else while this job ran, and was left as it is now. The job's "
                f"result is in a new file, {own}"
            )
        try:
            written = storage.save(self.path, self.network, document, drop=drop)
        except DiskError:
            if not [path for path in self.paths.formers() if path != former]:
                raise
            self.paths.forget_formers(but=former)  # they may take the room that is missing
            written = storage.save(self.path, self.network, document, drop=drop)
        self.is_in_file(document)
        with suppress(OSError):  # it is saved: what is left beside it no longer fits the file, and is removed later
            self.paths.forget_formers(but=former)
            self.paths.give_up()
        return storage.events_of(written)

    def is_in_file(self, document: Document) -> None:
        """Record that the file has the network as it is in memory, and this document."""
        self.document = self.saved = document
        self.changed, self._signature = False, None
        with suppress(OSError):  # then it is read again before the next job
            self._signature = signature(self.path)

    def _save_beside(self, document: Document) -> Path:
        """Save network and document as a new pack file in the same folder. Returns its path."""
        path = self.path.with_name(f"{self.path.stem}-{time.strftime('%Y%m%d-%H%M%S')}{self.path.suffix}")
        trust.allow(path, document.architecture.name)  # as for this file
        storage.save(path, self.network, document, new=True)
        return path

    # -- the document -------------------------------------------------------------------------------------------

    def count(self) -> Occupancy:
        """Set the document's counts to those of the network's owners. Returns them."""
        counts = self.network.counts()
        layers = tuple(replace(layer, owned=tuple(counts[layer.name])) for layer in self.document.layers)
        self.document, self.changed = replace(self.document, layers=layers), True
        newest = self.document.tasks[-1]
        return Occupancy(task=newest.name, phase=newest.phase, layers=counts)

    def change_open_task(self, **changes: object) -> None:
        """Replace fields of the open task in the document."""
        *others, task = self.document.tasks
        self.document, self.changed = replace(self.document, tasks=(*others, replace(task, **changes))), True

    def digests(self, tasks: int) -> Iterator[tuple[str, bool]]:
        """For each of the first `tasks` tasks, its name and whether its digest is the file's.

        The weights of each owner are hashed once.
        """
        owners: list[str] = []
        for index, task in enumerate(self.document.tasks[:tasks], 1):
            owners.append(self.network.weights_digest(index))
            yield task.name, self.network.task_digest(index, owners) == task.digest

    def check_digests(self) -> Iterator[Checked]:
        """Check every task's digest. Raises FileError if one differs from the file's."""
        for name, ok in self.digests(self.network.tasks):
            yield Checked(task=name, ok=ok)
            if not ok:
                raise FileError(
                    f"{self.path.name}: what task {name!r} uses does not fit its digest, so the file is damaged; "
                    "see packnet verify, and go back to a copy"
                )

    # -- data ---------------------------------------------------------------------------------------------------
    # All of it raises RequestError for data that can't be used, and Stopped if the job is asked to stop meanwhile.

    def check_stop(self) -> None:
        """Raise Stopped if the job is asked to stop."""
        if self.stop.is_set():
            raise Stopped

    def reading(self, on_bad_image: BadImage, early: bool = False) -> Reading:
        """How the images of a job are read; `early`: damaged ones are looked for before training."""
        return Reading(on_bad_image == "skip", early, self.check_stop)

    def new_data(self, command: Add) -> TaskData:
        """The data of the task that a command adds."""
        reading = self.reading(command.on_bad_image, early=True)
        return self._task_data(command.data, command, command.limit, command.recipe.seed, None, reading)

    def data_of(
        self, task: Task, source: str | None, limit: int | None = None, reading: Reading | None = None
    ) -> TaskData:
        """A task's data, or data from another `source` or with another `limit` for it."""
        limit, reading = limit or task.data.limit, reading or self.reading("stop")
        return self._task_data(source or task.data.source, task.data, limit, task.recipe.seed, task.classes, reading)

    def mixed(self, command: Evaluate) -> dict[str, Images]:
        """The images of the command's mixed data set by task; empty if it names no such data set.

        Raises RequestError if a task of the command has no images there.
        """
        if command.mixed is None:
            return {}
        known = {task.name: (task.classes, task.data.crop) for task in self.document.tasks}
        images = self.read(load_mixed, command.mixed, self.reading("stop"), input=self.document.input, tasks=known)
        if missing := [name for name in command.tasks if name not in images]:
            raise RequestError(f"{command.mixed} has no images of task {missing[0]!r}; of {', '.join(images)}")
        if command.limit is not None:
            return {name: some.sample(command.limit, SAMPLE_SEED) for name, some in images.items()}
        return images

    def _task_data(
        self,
        source: str,
        like: Add | Data,
        limit: int | None,
        seed: int,
        classes: tuple[str, ...] | None,
        reading: Reading,
    ) -> TaskData:
        return self.read(load, source, reading, input=self.document.input, flip=like.flip, crop=like.crop, limit=limit,
                         seed=seed, classes=classes)  # fmt: skip

    def read(self, reader: Callable[..., Loaded], source: str, reading: Reading, **rest: Any) -> Loaded:
        """Return `reader(source, …)`, kept in memory while that file stays the same. Folders are read each time."""
        path = Path(source)
        if not os.path.isfile(path):  # also where it is too long for a path
            return reader(source, reading=reading, **rest)
        key = (source, signature(path), tuple(rest.items()))
        if self._loaded.get(reader, (None,))[0] != key:
            self._loaded.pop(reader, None)  # free the old data before the new is read
            self._loaded[reader] = key, reader(source, reading=reading, **rest)
        loaded: Loaded = self._loaded[reader][1]
        return loaded
