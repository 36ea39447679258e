"""The Python API: a pack file as an object, with a method for each command. torch is imported when it is needed.

file = packnet_core.new("net.safetensors", "cifar_resnet20", weights="resnet20.safetensors", input_size=32)
file.add("signs", "signs.npz", epochs=8, lr=0.02)       # train on the free weights
file.prune(0.75)                                        # free three quarters of its weights, retrain
file.evaluate()                                         # {"signs": Error(top1=1.67, top5=0.0, images=418)}

Every method works in this process, under the file's lock, and writes the file and its journal as the command line does.
Errors of tasks are percentages. What can't be done raises a `PacknetError`: RequestError for a wrong request, FileError
for a file that is damaged or not a pack file, WorkError for work that failed. The file is then as it was before.
"""

import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from packnet_core.errors import RequestError, WorkError
from packnet_core.jobs.history import History, read_history
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.planning.forecast import LEAST, Room, rooms
from packnet_core.schema import recipes
from packnet_core.schema.arguments import checked
from packnet_core.schema.commands import (
    Add,
    BadImage,
    Command,
    Discard,
    Drop,
    Evaluate,
    Preview,
    Prune,
    Train,
    Undo,
    validated,
)
from packnet_core.schema.document import Document, Error, Input, Task
from packnet_core.schema.events import Evaluated, Event, JobFinished, Previewed
from packnet_core.schema.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

    from packnet_core.network.packed import PackedNetwork

Listener = Callable[[Event], None]
Method = TypeVar("Method", bound=Callable[..., Any])


def _with_recipe_fields(defaults: bool = False) -> Callable[[Method], Method]:
    """Show the Recipe's fields in the signature of a method that takes them as `**changes`.

    Without `defaults`, the default shown is `...`, which means: as the task was trained.
    """

    def decorate(method: Method) -> Method:
        signature, types = inspect.signature(method), get_type_hints(Recipe)
        *own, _ = signature.parameters.values()
        fields = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=field.default if defaults else ..., annotation=types[name])
            for name, field in recipes.fields().items()
        ]
        method.__signature__ = signature.replace(parameters=[*own, *fields])  # type: ignore[attr-defined]
        return method

    return decorate


@checked
def new(
    path: str | Path,
    arch: "str",  # not converted: what is no name is refused with a hint
    *,
    weights: "str | Path | Mapping[str, Tensor]" = "none",
    input_size: int | None = None,
    channels: int = 3,
    task: str | None = None,
    data: str | Path | None = None,
    device: str | None = None,
    **options: Any,
) -> "PackFile":
    """Make a pack file from an architecture and weights.

    `weights` is a path, "DEFAULT" for torchvision's, "none", or a state dict. `input_size` is the side of the square
    images in pixels. With `task` and `data`, the head of the weights is kept as the first task, to be pruned and
    retrained, like the paper's ImageNet network (§3). Without them all weights are free, and the first task that is
    added starts from their values. `options` are those of `packnet_core.packfile.create.new`: mean, std, flip, crop,
    limit, seed. Raises RequestError if the file exists, or if network and weights do not fit.
    """
    from packnet_core.packfile import create

    weights = str(weights) if isinstance(weights, Path) else weights
    for _ in create.new(path, arch, weights=weights, input_size=input_size, channels=channels, task=task,
                        data_source=None if data is None else str(data), device=device, **options):  # fmt: skip
        pass
    return PackFile(path, device=device)


@checked
def open(
    path: str | Path,
    *,
    device: str | None = None,
    listen: Listener | None = None,
    ready_bytes: int = 0,
    trust: str | None = None,
) -> "PackFile":
    """An existing pack file. Only its header is read. Raises FileError if it is not one, or damaged.

    `trust` is for a file of other people that names code, "module:function", as its architecture: that code may run,
    from now on. Raises RequestError if the file names something else.
    """
    if trust is not None:
        from packnet_core.packfile import trust as trusted

        trusted.trust(path, trust)
    return PackFile(path, device=device, listen=listen, ready_bytes=ready_bytes)


class PackFile:
    """One pack file.

    `device` is the torch device to work on (None: a GPU if there is one); `listen` is called with each event of a job.
    `ready_bytes` is memory, in bytes, in which `answer` and `viewing` keep the weights of tasks that they used, to use
    them again at once: 4 bytes per weight and task.

    Data is what `--data` takes: a folder, an .npz file, "torchvision:NAME", "sklearn:digits", "cub200:FOLDER" …
    """

    @checked
    def __init__(
        self, path: str | Path, *, device: str | None = None, listen: Listener | None = None, ready_bytes: int = 0
    ):
        self.path = Path(os.path.expanduser(path))
        self.ready_bytes = ready_bytes
        self.device = device
        self.listen = listen
        self._lock = threading.Lock()
        self._held: tuple[object, PackedNetwork, Document] | None = None  # a network read from the file as it was then
        read_header(self.path)

    def __repr__(self) -> str:
        document = self.document
        tasks = ", ".join(task.name for task in document.tasks) or "no task yet"
        return f"<{self.path.name}: {document.architecture.name}; {tasks}; {self.free:.1%} free>"

    # -- what the header says -------------------------------------------------------------------------------------

    @property
    def document(self) -> Document:
        """The document in the file's header, read now: architecture, input, tasks, layers, history."""
        return read_header(self.path).document

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks by name, the oldest first: phase, classes, data, recipe, ratio, error, digest."""
        return {task.name: task for task in self.document.tasks}

    @property
    def free(self) -> float:
        """The share of the prunable weights that are free, 0 to 1."""
        return self.document.free / self.document.weights

    @property
    def history(self) -> History:
        """The history in the file's journal, read now.

        It has the past runs, the jobs that run or wait, and per task the newest evaluation, comparisons and digest
        check. Empty without a journal. Raises OSError if the journal can't be read.

        for run in file.history.runs:
            print(run.job, run.command, run.outcome, run.seconds)
        """
        return read_history(Paths(self.path).journal, self.document)

    @checked
    def forecast(self, ratio: float, least: float = LEAST) -> tuple[Room, ...]:
        """How many more tasks fit, pruned at `ratio`: a Room per layer, then one for all layers together (§5.1).

        `ratio` and `least`, the share of the weights that a task must own to count, are from 0 to 1. An open task that
        is not pruned yet counts as pruned at `ratio`. Raises RequestError for other values.

        file.forecast(0.75)[-1].tasks    # how many more tasks fit at 0.75, as the workbench says
        """
        return rooms(self.document, ratio, least)

    # -- work on the file -----------------------------------------------------------------------------------------

    @_with_recipe_fields(defaults=True)
    @checked
    def add(
        self,
        task: str,
        data: str | Path,
        *,
        prune: float | None = None,
        recipe: Recipe | str = "",
        own: Iterable[str] | None = None,
        layers: Iterable[str] | None = None,
        steps: int | None = None,
        limit: int | None = None,
        flip: bool | None = None,
        crop: bool | None = None,
        on_bad_image: BadImage = "stop",
        yes: bool = False,
        **changes: Any,
    ) -> Task:
        """Train a new task on the free weights; this seals the newest one, for good (§3). Returns the new task.

        With `prune` (0 to 1) it is pruned at that ratio and retrained in the same job, in `steps` steps (§4, end).
        `recipe` is a Recipe or the name of one, such as "paper" (§4, by the data); fields of the Recipe change it.
        `own` is some of "biases" (§5.3) and "norms" (§4); `layers` are kinds, names or patterns of the layers that it
        trains (§5.4). At most `limit` training images are used; `flip` and `crop` say whether images are flipped and
        cropped at random (None: as the data suggests). `on_bad_image` says what an image that can't be read means:
        "stop" ends the job, "skip" leaves it out, and a Note counts it. `yes` also seals a task that is no better than
        chance, frees all weights, and gives up an interrupted job.

        Raises RequestError if the file has a task of that name, no weight is free, or the newest task must be pruned
        first, and TypeError for an argument that is not a field of the Recipe.
        """
        source = _source(data)
        named: dict[str, Any] = {}
        if not isinstance(recipe, str | Recipe):
            raise RequestError(f"recipe: a Recipe or the name of one, not a {type(recipe).__name__}")
        if isinstance(recipe, str):
            named = recipes.additions(recipe, source, first=not self.tasks)
            recipe = recipes.named(recipe, source)
        given = {
            "own": _names(own), "layers": _names(layers), "steps": steps, "limit": limit, "flip": flip, "crop": crop,
        }  # fmt: skip
        named |= {name: value for name, value in given.items() if value is not None}
        self._do(Add(task=task, data=source, recipe=recipe.changed(_fields(changes)), prune=prune, device=self.device,
                     on_bad_image=on_bad_image, yes=yes, **named))  # fmt: skip
        return self.tasks[task]

    @_with_recipe_fields()
    @checked
    def prune(
        self,
        ratio: float,
        *,
        layers: Mapping[str, float] | None = None,
        steps: int = 1,
        max_drop: float | None = None,
        trials: int = 6,
        recipe: str = "",
        data: str | Path | None = None,
        limit: int | None = None,
        on_bad_image: BadImage = "stop",
        yes: bool = False,
        **changes: Any,
    ) -> Task:
        """Free a share of the newest task's own weights in every layer, smallest first, then retrain (§3).

        `layers` gives some layers, by kind, name or pattern, a ratio of their own (§5.4); `steps` prunes in small steps
        with a retraining after each (§4, end). With `max_drop`, it prunes at the largest ratio, up to `ratio`, that
        costs at most that many points of validation error, found in at most `trials` trials. `recipe` is the name of a
        recipe, and fields of the Recipe change it; all others stay as the task was trained. Returns the task.

        Raises RequestError if no task is open, and TypeError for an argument that is not a field of the Recipe.
        """
        source = None if data is None else _source(data)
        events = self._do(Prune(ratio=ratio, layers=dict(layers or {}), steps=steps, max_drop=max_drop, trials=trials,
                       named=recipe, recipe=_fields(changes), data=source, limit=limit, device=self.device,
                       on_bad_image=on_bad_image, yes=yes))  # fmt: skip
        return self.tasks[_evaluated(events)]

    @_with_recipe_fields()
    @checked
    def train(
        self,
        *,
        recipe: str = "",
        data: str | Path | None = None,
        limit: int | None = None,
        on_bad_image: BadImage = "stop",
        yes: bool = False,
        **changes: Any,
    ) -> Task:
        """Resume an interrupted job; with arguments, train the newest task further, or retrain it once it is pruned.

        `recipe` is the name of a recipe, and fields of the Recipe change it; all others stay as the task was trained.
        Returns the task.

        Raises RequestError if no task is open, and TypeError for an argument that is not a field of the Recipe.
        """
        source = None if data is None else _source(data)
        events = self._do(Train(named=recipe, recipe=_fields(changes), data=source, limit=limit, device=self.device,
                       on_bad_image=on_bad_image, yes=yes))  # fmt: skip
        return self.tasks[_evaluated(events)]

    @checked
    def evaluate(
        self,
        *tasks: str,
        data: Mapping[str, str | Path] | None = None,
        mixed: str | Path | None = None,
        limit: int | None = None,
        on_bad_image: BadImage = "stop",
    ) -> dict[str, Error]:
        """Measure the test error in percent of all tasks, or of those named: top1, and top5 with six classes or more.

        `data` gives tasks other data; `mixed` is an .npz file with `images`, `labels` and `tasks`, the name of each
        image's task. With `limit`, at most that many test images per task are measured, each class in proportion and
        the same ones each time; the `images` of an Error says how many, and the result does not count for drift.

        Raises RequestError for an unknown task or unusable data.
        """
        sources = {name: _source(source) for name, source in (data or {}).items()}
        mixture = None if mixed is None else _source(mixed)
        events = self._do(
            Evaluate(tasks=tasks, sources=sources, mixed=mixture, limit=limit, on_bad_image=on_bad_image,
                     device=self.device)
        )  # fmt: skip
        return {event.task: event.error for event in events if isinstance(event, Evaluated)}

    @checked
    def preview(self, *ratios: float, images: int = 1000) -> dict[float, float]:
        """Measure the open task's error in percent right after pruning at some ratios (0 to 1), by ratio (Figure 4).

        Measured on at most `images` validation images; the file stays as it is. Raises RequestError if no task is open.
        """
        given = {"ratios": ratios} if ratios else {}
        events = self._do(Preview(images=images, device=self.device, **given))
        return {event.ratio: event.error for event in events if isinstance(event, Previewed)}

    @checked
    def drop(self, task: str) -> None:
        """Remove the newest task, without a question; its weights become free. `undo` brings it back.

        If the disk has no room to keep the former file for that, a Note warns. An interrupted job that works on the
        task is given up. Raises RequestError for another task, the first one, or while the job that adds the next task
        is interrupted.
        """
        self._do(Drop(task=task, yes=True))

    def undo(self) -> Task:
        """Bring back the file as it was before `drop`, if that is the last change of the file. Returns the task.

        Its digests are checked first. Raises RequestError if the file changed since, or if a job is interrupted.
        """
        self._do(Undo())
        return self.document.tasks[-1]

    def discard(self) -> None:
        """Give up an interrupted job, so that `train` can't resume it; the file stays as it was last saved.

        Raises RequestError if no job is interrupted.
        """
        self._do(Discard(yes=True))

    def verify(self) -> bool:
        """Recompute all digests. Returns whether each is the one in the header.

        Raises FileError if tensors and counts contradict the header.
        """
        from packnet_core.packfile.verify import verify

        return all(checked.ok for checked in verify(self.path))

    @checked
    def export(self, task: str, out: str | Path) -> Path:
        """Write one task to the file `out` as a plain dense state dict, for `load_state_dict`. Returns the path.

        Raises RequestError for an unknown task, or if `out` exists.
        """
        from packnet_core.packfile.export import export

        export(self.path, task, out)
        return Path(out)

    # -- the network ----------------------------------------------------------------------------------------------

    @checked
    def model(self, task: str) -> "nn.Module":
        """The network as a task uses it, as a model of its own in evaluation mode (§3): N×C×S×S in, logits out.

        Images are as `prepare` gives them. Each call makes a model, so that several threads can use one each. The
        newest task's shares its weights with this file's network. Raises RequestError for a name that is no task's.
        """
        network, document = self._loaded()
        return network.model_of(document.index(task))

    @contextmanager
    def viewing(self, task: str) -> Iterator["nn.Module"]:
        """`model(task)` as a context."""
        yield self.model(task)

    @checked
    def answer(self, images: "Tensor", tasks: str | Sequence[str]) -> "list[Tensor]":
        """The logits of each image (N×C×S×S, as `prepare` gives them) by its own task: N tensors, one per image.

        `tasks` has N names, or one for all. Images are grouped by task, so that each task's weights are masked once.
        """
        network, document = self._loaded()
        _check_images(images, document.input)
        names = [tasks] * len(images) if isinstance(tasks, str) else tasks
        index = {name: document.index(name) for name in set(names)}
        return network.answer(images.to(network.device), [index[name] for name in names])

    @checked
    def prepare(self, images: Any, task: str | None = None) -> "Tensor":
        """Images as the network takes them: float32 N×C×S×S, resized, cropped if the task crops, normalised.

        `images` is a uint8 array N×H×W or N×H×W×C, or floats in 0..1, a PIL image, a path, or a list of these. Only
        if some tasks crop and others do not, `task` has to be named. Raises RequestError for anything else.
        """
        from packnet_core.data.prepare import prepare

        network, document = self._loaded()
        chosen = document.tasks if task is None else [document.tasks[document.index(task) - 1]]
        crops = {each.data.crop for each in chosen}
        if len(crops) > 1:
            raise RequestError("some tasks crop their images and others do not; name the task that these are for")
        return prepare(images, document.input, crops == {True}, network.device)

    @property
    def network(self) -> "PackedNetwork":
        """The network with its owners and heads, on the device; read anew if the file has changed."""
        return self._loaded()[0]

    def _loaded(self) -> "tuple[PackedNetwork, Document]":
        """The network, and the document that was read with it."""
        from packnet_core.network.device import pick_device
        from packnet_core.packfile import storage
        from packnet_core.packfile.paths import signature

        with self._lock:
            now = signature(self.path)
            if self._held is None or self._held[0] != now:
                network, document = storage.load(self.path, pick_device(self.device))
                network.ready_bytes = self.ready_bytes
                self._held = now, network, document
            return self._held[1:]

    def _do(self, command: Command) -> list[Event]:
        """Do a command. Returns its events, without those of single steps.

        Ctrl-C and SIGTERM stop the job after its step. The job writes its checkpoint and its last event; then the
        signal is raised again. A second Ctrl-C interrupts at once.
        """
        from packnet_core.jobs import run_job
        from packnet_core.jobs.signals import signals_stop
        from packnet_core.schema.events import Progress, TrainStep

        command = validated(command)
        with self._lock:
            self._held = None  # not two networks at once
        events: list[Event] = []
        stop = threading.Event()
        with signals_stop(stop, lambda: None, _interrupt) as came:
            for entry in run_job.run(self.path, command, stop):
                if self.listen is not None:
                    self.listen(entry.event)
                if not isinstance(entry.event, TrainStep | Progress):
                    events.append(entry.event)
        if came:
            signal.raise_signal(came[0])
        end = events[-1]
        assert isinstance(end, JobFinished)
        if end.outcome != "done":
            raise (RequestError if end.status == RequestError.status else WorkError)(end.message)
        return events


def _evaluated(events: Iterable[Event]) -> str:
    """The task that a job evaluated last: the one that it changed. Another thread may have added one since."""
    return [event.task for event in events if isinstance(event, Evaluated)][-1]


def _interrupt(number: int) -> None:
    raise KeyboardInterrupt


def _check_images(images: "Tensor", given: Input) -> None:
    """Raise RequestError for images that are not as `prepare` gives them."""
    import torch

    shape = given.channels, given.size, given.size
    if not isinstance(images, torch.Tensor) or images.shape[1:] != shape:
        what = f"{list(images.shape)}" if isinstance(images, torch.Tensor) else f"a {type(images).__name__}"
        raise RequestError(f"images are a tensor N×{'×'.join(map(str, shape))}, as `prepare` gives them, not {what}")
    if (images.dtype, images.layout) != (torch.float32, torch.strided) or images.is_meta:
        raise RequestError(f"images are float32, as `prepare` gives them, not {images.dtype} on {images.device}")


def _source(data: str | Path) -> str:
    from packnet_core.data.kinds import resolve

    return resolve(str(data))


def _names(given: str | Iterable[str] | None) -> Any:
    """Names as a command has them: one name alone is a list of one. What is wrong is found by the command's types."""
    return [given] if isinstance(given, str) else None if given is None else list(given)


def _fields(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes. Raises TypeError for a name that is not a field of Recipe, as Python does for an argument."""
    if unknown := [name for name in changes if name not in recipes.fields()]:
        raise TypeError(f"{unknown[0]!r} is neither an argument nor a field of Recipe")
    return changes
