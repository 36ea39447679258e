"""Workspace: one pack file, its network in memory, and the commands done on it as generators of events (§3)."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from msgspec.structs import replace
from torch import Tensor

from packnet_core import checkpoint, tasks
from packnet_core.checkpoint import Checkpoint
from packnet_core.commands import Add, Command, Drop, Evaluate, Preview, Prune, Train, summary
from packnet_core.data.loading import TaskData, load, load_test
from packnet_core.engine.places import Places
from packnet_core.errors import Diverged, FileError, RequestError
from packnet_core.events import Checked, Evaluated, Event, Note, Occupancy, PhaseStarted, Pruned, Saved
from packnet_core.network import PackedNetwork
from packnet_core.packfile import checkpoints, storage
from packnet_core.records import Document, Phase, Recipe, Step, Task
from packnet_core.training import Run, evaluate, preview, validate

Loaded = TypeVar("Loaded")
CHECKPOINT_SECONDS = 60.0  # between checkpoints of a running phase


class Workspace:
    """A pack file opened to work on it, under the file's lock.

    `network` and `document` go together; between jobs they are what the file holds.
    """

    def __init__(self, path: str | Path, device: str | None = None, checkpoint_seconds: float = CHECKPOINT_SECONDS):
        self.places = Places(path)
        self.path = self.places.file
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
        if self._signature != _signature(self.path):  # replaced by hand, or left in the middle by the last command
            self._load()
        interrupted = checkpoint.find(self.places.checkpoint, self.document)
        tasks.check(self.document, command, interrupted is not None)
        if not isinstance(command, Drop):
            self.device = pick_device(command.device)
        self.network.to(self.device)
        if isinstance(command, Evaluate | Preview):  # these change nothing (law 4)
            yield from self._evaluate(command) if isinstance(command, Evaluate) else self._preview(command)
            return
        try:
            if isinstance(command, Train) and interrupted and command.resumes:
                yield from self._resume(interrupted)
            else:
                if interrupted:
                    yield Note(text=f"the interrupted job, {summary(interrupted.command)}, is given up")
                    self.places.checkpoint.unlink(missing_ok=True)
                yield from self._change(command)
        except Diverged as error:
            self.places.checkpoint.unlink(missing_ok=True)
            raise Diverged(f"{error}. Nothing of this was kept: the file is as it was when it was last saved") from None
        finally:
            if self.document is not self._saved:
                self._signature = None  # what is in memory is not what the file holds

    # -- commands -----------------------------------------------------------------------------------------------

    def _change(self, command: Command) -> Iterator[Event]:
        yield from self._check_digests()
        match command:
            case Add():
                task_data = self._load_data(command.data, command.flip, command.limit, command.recipe.seed, None)
                yield from self._open(command, task_data)
                yield from self._train_phase(command, "train", command.recipe, task_data)
                if command.prune is not None:
                    prune = Prune(ratio=command.prune)
                    yield from self._prune(prune, command, command.recipe, task_data)
            case Prune():
                task = tasks.open_task(self.document, "pruned")
                recipe = task.recipe.changed(command.recipe)
                yield from self._prune(command, command, recipe, self._data_of(task, command.data, command.limit))
            case Train():
                task = tasks.open_task(self.document, "trained")
                phase: Literal["train", "retrain"] = "train" if task.phase == "trained" else "retrain"
                recipe = self._recipe(task, command, phase)
                yield from self._train_phase(command, phase, recipe, self._data_of(task, command.data, command.limit))
            case Drop():
                yield from self._drop(command)

    def _open(self, command: Add, task_data: TaskData) -> Iterator[Event]:
        classes = task_data.classes
        generator = torch.Generator().manual_seed(command.recipe.seed)
        self.network.open_task(len(classes), generator=generator)
        task = Task(
            name=command.task,
            phase="trained",
            classes=classes,
            data=task_data.record,
            recipe=command.recipe,
            prune_ratio=None,
            error=None,
            chance=task_data.chance,
            weights_digest="",
            digest="",
        )
        sealed = tuple(replace(old, phase="sealed") for old in self.document.tasks)
        self.document = replace(self.document, tasks=(*sealed, task))
        yield self._count()

    def _prune(self, prune: Prune, command: Add | Prune, recipe: Recipe, task_data: TaskData) -> Iterator[Event]:
        """Prune, measure, and retrain. The file changes once, when all of it is done: a stop leaves it unpruned."""
        task = self.document.tasks[-1]
        ratios = tasks.layer_ratios(self.document, prune)
        _, before = validate(self.network, task_data.validation)
        freed = self.network.prune(ratios)
        _, after = validate(self.network, task_data.validation)
        self._set_open(phase="pruned", prune_ratio=prune.ratio)
        occupancy = self._count()
        kept = self.document.owned[-1]
        yield Pruned(task=task.name, ratio=prune.ratio, freed=freed, kept=kept, before=before, after=after)
        yield occupancy
        if recipe.retraining_epochs:
            yield from self._train_phase(command, "retrain", recipe, task_data, before)
        else:
            yield from self._finish(command, "pruned", task_data)

    def _drop(self, command: Drop) -> Iterator[Event]:
        self.network.drop_newest()
        self.document = replace(self.document, tasks=self.document.tasks[:-1])
        occupancy = self._count()
        yield from self._save(summary(command), command.task)
        yield occupancy

    def _evaluate(self, command: Evaluate) -> Iterator[Event]:
        names = command.tasks or [task.name for task in self.document.tasks]
        for name in names:
            index = self.document.index(name)
            task = self.document.tasks[index - 1]
            source = command.data or task.data.source
            images = self._kept(load_test, source, input=self.document.input, classes=task.classes)
            yield PhaseStarted(phase="eval", task=name, epochs=0, images=len(images))
            yield from evaluate(self.network, index, name, images)
        for name, ok in self._digests(max(self.document.index(name) for name in names)):  # results do not wait for it
            if name in names:
                yield Checked(task=name, ok=ok)
            if name in names and not ok:
                text = f"what task {name!r} uses does not fit its digest: the file is damaged; see packnet verify"
                yield Note(text=text, level="warning")

    def _preview(self, command: Preview) -> Iterator[Event]:
        task = tasks.open_task(self.document, "pruned")
        task_data = self._data_of(task, None)
        images = (task_data.validation if len(task_data.validation) else task_data.train).sample(command.images, seed=0)
        for ratio in command.ratios:
            yield from preview(self.network, task.name, ratio, images)

    # -- phases of the open task --------------------------------------------------------------------------------

    def _train_phase(
        self,
        command: Add | Prune | Train,
        phase: Literal["train", "retrain"],
        recipe: Recipe,
        task_data: TaskData,
        before: float | None = None,
        resumed: tuple[Checkpoint, dict[str, Tensor]] | None = None,
    ) -> Iterator[Event]:
        """One phase to its end, evaluated and saved. Stopped in the middle, it leaves a checkpoint."""
        task = self.document.tasks[-1].name
        run = Run(self.network, task, phase, recipe, task_data.train, task_data.validation, task_data.record.flip)
        if isinstance(command, Add) and phase == "train" and command.prune is not None:
            run.later_steps = recipe.retraining_epochs * run.steps_an_epoch
        if resumed:
            run.restore(resumed[0].run, resumed[1])
        yield PhaseStarted(
            phase=phase, task=task, epochs=run.epochs, images=len(task_data.train), epoch=run.epoch, before=before
        )

        def keep() -> None:
            numbers, tensors = run.state()
            state = Checkpoint(
                base=checkpoint.base(self._saved),
                command=command,
                phase=phase,
                document=self.document,
                before=before,
                run=numbers,
            )
            checkpoints.write(self.places.checkpoint, state, self.network, tensors)

        kept_at = time.monotonic()
        try:
            for event in run.events():
                yield event
                if time.monotonic() - kept_at > self.checkpoint_seconds:
                    keep()
                    kept_at = time.monotonic()
            yield from self._finish(command, "trained" if phase == "train" else "retrained", task_data)
        except GeneratorExit:
            if self.document is not self._saved:
                keep()
            raise

    def _finish(self, command: Command, phase: Phase, task_data: TaskData) -> Iterator[Event]:
        """The end of a phase: zeros become free, the task is measured, the file saved."""
        self.network.end_phase(dense=phase == "trained")
        self._set_open(phase=phase)
        yield self._count()
        task, index = self.document.tasks[-1], self.network.open
        error = None
        for event in evaluate(self.network, index, task.name, task_data.test):
            if isinstance(event, Evaluated):
                error = event.error
            yield event
        own = self.network.weights_digest(index)
        digest = self.network.task_digest(index, [*(t.weights_digest for t in self.document.tasks[:-1]), own])
        self._set_open(error=error, weights_digest=own, digest=digest)
        yield from self._save(summary(command), task.name)

    def _resume(self, interrupted: Checkpoint) -> Iterator[Event]:
        """Go on with an interrupted job, in the middle of its phase, to its end."""
        yield from self._check_digests()
        self.network, tensors = checkpoints.load(self.places.checkpoint, interrupted)
        self.network.to(self.device)
        self.document = interrupted.document
        task, command = self.document.tasks[-1], interrupted.command
        source, limit = (None, None) if isinstance(command, Add) else (command.data, command.limit)
        task_data = self._data_of(task, source, limit)
        recipe = task.recipe if isinstance(command, Add) else self._recipe(task, command, interrupted.phase)
        yield Note(text=f"going on with {summary(command)} from epoch {interrupted.run['epoch']}")
        yield self._count()
        phase, before = interrupted.phase, interrupted.before
        yield from self._train_phase(command, phase, recipe, task_data, before, (interrupted, tensors))
        if isinstance(command, Add) and phase == "train" and command.prune is not None:
            yield from self._prune(Prune(ratio=command.prune), command, recipe, task_data)

    # -- the file -----------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._signature = _signature(self.path)
        self.network, self.document = storage.load(self.path)
        self._saved = self.document

    def _save(self, what: str, task: str) -> Iterator[Event]:
        step = Step(at=time.time(), task=task, what=what)
        self.document = replace(self.document, history=(*self.document.history, step))
        size = storage.save(self.path, self.network, self.document)
        self._saved, self._signature = self.document, _signature(self.path)
        self.places.checkpoint.unlink(missing_ok=True)
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
        known = task.data
        limit = limit or known.limit
        return self._load_data(source or known.source, known.flip, limit, task.recipe.seed, task.classes)

    def _load_data(
        self, source: str, flip: bool | None, limit: int | None, seed: int, classes: tuple[str, ...] | None
    ) -> TaskData:
        given = self.document.input
        return self._kept(load, source, input=given, flip=flip, limit=limit, seed=seed, classes=classes)

    def _kept(self, read: Callable[..., Loaded], source: str, **rest: Any) -> Loaded:
        """What `read(source, …)` gives: the same again while its file is as it was. Folders are read anew each time."""
        path = Path(source)
        if not path.is_file():
            return read(source, **rest)
        key = (source, _signature(path), tuple(rest.items()))
        if self._loaded.get(read, (None,))[0] != key:
            self._loaded.pop(read, None)  # before the next is read: not both at once
            self._loaded[read] = key, read(source, **rest)
        loaded: Loaded = self._loaded[read][1]
        return loaded

    @staticmethod
    def _recipe(task: Task, command: Prune | Train, phase: Literal["train", "retrain"]) -> Recipe:
        """The task's recipe with the command's changes; for `train` on a pruned task they are those of retraining."""
        changes = dict(command.recipe)
        if isinstance(command, Train) and phase == "retrain":
            changes = {f"retrain_{k}" if k in ("epochs", "lr") else k: value for k, value in changes.items()}
        return task.recipe.changed(changes)


def pick_device(name: str | None) -> torch.device:
    """The device of that name, or a GPU if there is one. Raises RequestError where it can't be used."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(f"device {name!r} can't be used here: {reason}") from None
    return device


def _signature(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
