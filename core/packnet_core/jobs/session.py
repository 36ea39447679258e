"""Workspace: one pack file, its network in memory, and the commands done on it as generators of events (§3)."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from msgspec.structs import replace

from packnet_core.data.images import Images
from packnet_core.data.loading import TaskData, load, load_mixed, load_test
from packnet_core.errors import Diverged, FileError, RequestError, WorkError
from packnet_core.jobs import rules
from packnet_core.jobs.compare import compare
from packnet_core.jobs.phases import changed_recipe
from packnet_core.jobs.prune import Prunings
from packnet_core.network.device import pick_device
from packnet_core.network.packed import PackedNetwork
from packnet_core.packfile import checkpoint_header, storage
from packnet_core.packfile.paths import Paths, signature
from packnet_core.schema.commands import Add, Command, Compare, Drop, Evaluate, Preview, Prune, Train, summary
from packnet_core.schema.document import Data, Document, Step, Task
from packnet_core.schema.events import Checked, Evaluated, Event, Note, Occupancy, PhaseStarted, Saved
from packnet_core.training.evaluate import evaluate, preview

Loaded = TypeVar("Loaded")
CHECKPOINT_SECONDS = 60.0  # between checkpoints of a running phase


class Session(Prunings):
    """A pack file opened to work on it, under the file's lock.

    `network` and `document` go together; between jobs they are what the file holds.
    """

    def __init__(self, path: str | Path, device: str | None = None, checkpoint_seconds: float = CHECKPOINT_SECONDS):
        self.paths = Paths(path)
        self.path = self.paths.file
        self.device = pick_device(device)
        self.checkpoint_seconds = checkpoint_seconds
        self._signature: tuple[int, int, int] | None = None  # of the file that memory agrees with
        self._loaded: dict[Callable[..., Any], tuple[Any, Any]] = {}  # the data read last, so that a warm engine has it
        self.network: PackedNetwork
        self.document: Document
        self._saved: Document  # what the file holds, while a job changes `document`
        self._load()

    def run(self, command: Command) -> Iterator[Event]:
        """Do one command. Closing the generator stops the work after the step under way, to be gone on with later.

        Raises RequestError where the command can't be done, Diverged where training failed. However it ends, the file
        is whole.
        """
        if self._signature != signature(self.path):  # replaced by hand, or left in the middle by the last command
            self._load()
        interrupted = checkpoint_header.find(self.paths.checkpoint, self.document)
        rules.check(self.document, command, interrupted is not None)
        if not isinstance(command, Drop):
            self.device = pick_device(command.device)
        self.network.to(self.device)
        if (looking := self._looking(command)) is not None:
            yield from looking
            return
        try:
            if isinstance(command, Train) and interrupted and command.resumes:
                yield from self._check_digests()
                yield from self._resume(interrupted)
            else:
                if interrupted:
                    yield Note(text=f"the interrupted job, {summary(interrupted.command)}, is given up")
                    self.paths.give_up()
                yield from self._change(command)
        except Diverged as error:
            self.paths.give_up()
            raise Diverged(f"{error}. Nothing of this was kept: the file is as it was when it was last saved") from None
        finally:
            if self.document is not self._saved:
                self._signature = None  # what is in memory is not what the file holds

    # -- commands -----------------------------------------------------------------------------------------------

    def _looking(self, command: Command) -> Iterator[Event] | None:
        """The work of a command that changes nothing (law 4); None for one that does."""
        match command:
            case Evaluate():
                return self._evaluate(command)
            case Preview():
                return self._preview(command)
            case Compare():
                return compare(self.path, self.document, command, self._data_of, self.device)
        return None

    def _change(self, command: Command) -> Iterator[Event]:
        yield from self._check_digests()
        match command:
            case Add():
                task_data = self._load_data(command.data, command, command.limit, command.recipe.seed, None)
                if task_data.extent:
                    yield Note(text=f"the data is {task_data.extent}")
                yield from self._open(command, task_data)
                finish = self._finish(command, "trained", task_data)
                yield from self._train_phase(command, "train", command.recipe, task_data, finish)
                if command.prune is not None:
                    yield from self._prune(command, command.recipe, task_data)
            case Prune():
                task = rules.open_task(self.document, "pruned")
                recipe = changed_recipe(task, command, "retrain")
                yield from self._prune(command, recipe, self._data_of(task, command.data, command.limit))
            case Train():
                task = rules.open_task(self.document, "trained")
                phase: Literal["train", "retrain"] = "train" if task.phase == "trained" else "retrain"
                recipe = changed_recipe(task, command, phase)
                task_data = self._data_of(task, command.data, command.limit)
                finish = self._finish(command, "trained" if phase == "train" else "retrained", task_data)
                yield from self._train_phase(command, phase, recipe, task_data, finish)
            case Drop():
                yield from self._drop(command)

    def _drop(self, command: Drop) -> Iterator[Event]:
        self.network.drop_newest()
        self.document = replace(self.document, tasks=self.document.tasks[:-1])
        occupancy = self._count()
        yield from self._save(summary(command), command.task)
        yield occupancy

    def _evaluate(self, command: Evaluate) -> Iterator[Event]:
        mixed = self._mixed(command)
        names = command.tasks or list(mixed) or list(command.sources) or [task.name for task in self.document.tasks]
        wrong, count = 0.0, 0
        for name in names:
            index = self.document.index(name)
            task = self.document.tasks[index - 1]
            source = command.sources.get(name) or command.data or task.data.source
            images = mixed[name] if mixed else self._kept(
                load_test, source, input=self.document.input, classes=task.classes, crop=task.data.crop
            )  # fmt: skip
            yield PhaseStarted(phase="eval", task=name, epochs=0, images=len(images))
            for event in evaluate(self.network, index, name, images):
                if isinstance(event, Evaluated):
                    wrong, count = wrong + event.error.top1 * event.error.images, count + event.error.images
                yield event
        if command.elsewhere and len(names) > 1:
            yield Note(text=f"together: {wrong / count:.2f} % of {count:,} images wrong")
        for name, ok in self._digests(max(self.document.index(name) for name in names)):  # results do not wait for it
            if name in names:
                yield Checked(task=name, ok=ok)
            if name in names and not ok:
                text = f"what task {name!r} uses does not fit its digest: the file is damaged; see packnet verify"
                yield Note(text=text, level="warning")

    def _mixed(self, command: Evaluate) -> dict[str, Images]:
        """The images of a mixed data set, task by task."""
        if command.mixed is None:
            return {}
        known = {task.name: (task.classes, task.data.crop) for task in self.document.tasks}
        images = self._kept(load_mixed, command.mixed, input=self.document.input, tasks=known)
        if missing := [name for name in command.tasks if name not in images]:
            raise RequestError(f"{command.mixed} has no images of task {missing[0]!r}; of {', '.join(images)}")
        return images

    def _preview(self, command: Preview) -> Iterator[Event]:
        task = rules.open_task(self.document, "pruned")
        task_data = self._data_of(task, None)
        images = (task_data.validation if len(task_data.validation) else task_data.train).sample(command.images, seed=0)
        for ratio in command.ratios:
            yield from preview(self.network, task.name, ratio, images)

    # -- the file -----------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._signature = signature(self.path)
        self.network, self.document = storage.load(self.path, self.device)
        self._saved = self.document

    def _save(self, what: str, task: str) -> Iterator[Event]:
        if self.path.exists() and signature(self.path) != self._signature:
            raise WorkError(
                f"{self.path} was changed by something else while this job ran: it was left as that made it, and the "
                "job's result is lost. Do the job again, or copy the file and work on the copy"
            )
        step = Step(at=time.time(), task=task, what=what)
        self.document = replace(self.document, history=(*self.document.history, step))
        size = storage.save(self.path, self.network, self.document)
        self._saved, self._signature = self.document, signature(self.path)
        self.paths.give_up()
        yield Saved(bytes=size)

    def _count(self) -> Occupancy:
        """Bring the document's counts up to date with the network's owners."""
        counts = self.network.counts()
        layers = tuple(replace(layer, owned=tuple(counts[layer.name])) for layer in self.document.layers)
        self.document = replace(self.document, layers=layers)
        newest = self.document.tasks[-1]
        return Occupancy(task=newest.name, phase=newest.phase, layers=counts)

    def _set_open(self, **changes: object) -> None:
        *others, task = self.document.tasks
        self.document = replace(self.document, tasks=(*others, replace(task, **changes)))

    def _digests(self, tasks: int) -> Iterator[tuple[str, bool]]:
        """Of the first tasks, whether each one's digest is the file's. Every owner's weights are hashed once."""
        own = []
        for index, task in enumerate(self.document.tasks[:tasks], 1):
            own.append(self.network.weights_digest(index))
            yield task.name, self.network.task_digest(index, own) == task.digest

    def _check_digests(self) -> Iterator[Event]:
        """Raises FileError where a task's weights are not those that the file's digests name."""
        for name, ok in self._digests(self.network.tasks):
            yield Checked(task=name, ok=ok)
            if not ok:
                raise FileError(
                    f"{self.path.name}: what task {name!r} uses does not fit its digest, so the file is damaged; "
                    "see packnet verify, and go back to a copy"
                )

    # -- data and recipes ---------------------------------------------------------------------------------------

    def _data_of(self, task: Task, source: str | None, limit: int | None = None) -> TaskData:
        limit = limit or task.data.limit
        return self._load_data(source or task.data.source, task.data, limit, task.recipe.seed, task.classes)

    def _load_data(
        self, source: str, like: Add | Data, limit: int | None, seed: int, classes: tuple[str, ...] | None
    ) -> TaskData:
        return self._kept(load, source, input=self.document.input, flip=like.flip, crop=like.crop, limit=limit,
                          seed=seed, classes=classes)  # fmt: skip

    def _kept(self, read: Callable[..., Loaded], source: str, **rest: Any) -> Loaded:
        """What `read(source, …)` gives: the same again while its file is as it was. Folders are read anew each time."""
        path = Path(source)
        if not path.is_file():
            return read(source, **rest)
        key = (source, signature(path), tuple(rest.items()))
        if self._loaded.get(read, (None,))[0] != key:
            self._loaded.pop(read, None)  # before the next is read: not both at once
            self._loaded[read] = key, read(source, **rest)
        loaded: Loaded = self._loaded[read][1]
        return loaded
