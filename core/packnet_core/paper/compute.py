"""Computes one cell of an experiment: its jobs or baselines, and the numbers of its result."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from packnet_core import baselines
from packnet_core.baselines import MultiHeadNetwork, NewTask, filters
from packnet_core.data.loading import TaskData, load
from packnet_core.errors import WorkError
from packnet_core.jobs import run_job
from packnet_core.packfile import create, trust
from packnet_core.packfile.header import read_header
from packnet_core.paper.plan import (
    Cell,
    FilterCell,
    FirstCell,
    JointCell,
    LayersCell,
    PackedCell,
    Plan,
    SequentialCell,
    SingleTaskCell,
    SweepCell,
    key,
    parent,
)
from packnet_core.schema.commands import Add, Changes, Command, Evaluate, Prune, Train
from packnet_core.schema.document import Document
from packnet_core.schema.events import Epoch, Evaluated, Event, JobFinished, Pruned
from packnet_core.schema.recipes import Recipe

Numbers = dict[str, Any]  # a cell's result; its names are part of the stored format


def compute(plan: Plan, cell: Cell, folder: Path, device: str | None) -> Numbers:
    """Compute a cell, from the files of the cells it starts from in `folder`. Returns its result; errors in percent.

    Raises WorkError where a job failed.
    """
    runner = CellRunner(plan, folder, device)
    match cell:
        case FirstCell():
            return runner.first(cell)
        case PackedCell():
            return runner.packed(cell)
        case SingleTaskCell():
            return runner.single_task(cell)
        case SequentialCell():
            return runner.sequential(cell)
        case JointCell():
            return runner.joint(cell)
        case SweepCell():
            return runner.sweep(cell)
        case LayersCell():
            return runner.layers(cell)
        case FilterCell():
            return runner.filters(cell)


class CellRunner:
    """Computes cells, with a method for each kind: by a plan, with files in a folder, on a device."""

    def __init__(self, plan: Plan, folder: Path, device: str | None):
        self.plan = plan
        self.folder = folder
        self.device = device

    # -- cells with a pack file ---------------------------------------------------------------------------------

    def first(self, cell: FirstCell) -> Numbers:
        """Create the first task's pack file, from given weights or from random ones."""
        plan, path = self.plan, self._fresh(cell)
        recipe = replace(plan.first_recipe, seed=0)
        if plan.weights.lower() != "none":
            for _ in create.new(path, plan.arch, weights=plan.weights, input_size=plan.input_size, device=self.device,
                                task=plan.first.name, data_source=plan.first.data):  # fmt: skip
                pass
            before = _top1(self._document(path), plan.first.name)
            numbers: Numbers = {"given": before}
            if recipe.epochs:
                numbers |= self._do(path, Train(recipe=_changes(recipe), device=self.device))
        else:
            for _ in create.new(path, plan.arch, input_size=plan.input_size, device=self.device):
                pass
            add = Add(task=plan.first.name, data=plan.first.data, recipe=recipe, device=self.device)
            numbers = self._do(path, add)
        return numbers | self._state(path)

    def packed(self, cell: PackedCell) -> Numbers:
        """Prune the first task, or add the path's last task and evaluate the older ones."""
        plan, path = self.plan, self._copy_of_parent(cell)
        way, recipe = cell.way, plan.recipe_of(cell.run, cell.way.recipe)
        if not cell.path:
            numbers = self._do(path, self._first_pruning(way.first, recipe, way.steps))
        else:
            addition = self._addition(cell.path[-1], recipe)
            numbers = self._do(path, replace(addition, prune=way.later, steps=way.steps, own=way.own))
            old = (plan.first.name, *cell.path[:-1])
            numbers["older"] = self._do(path, Evaluate(tasks=old, device=self.device))["evaluated"]
        return numbers | self._state(path)

    def sweep(self, cell: SweepCell) -> Numbers:
        """Train a task, or prune it with and without retraining."""
        plan, path = self.plan, self._copy_of_parent(cell)
        recipe = plan.recipe_of(cell.run)
        first = cell.task == plan.first.name
        if cell.ratio is None:
            if first:
                return {"error": _top1(self._document(path), cell.task)}
            return self._do(path, self._addition(cell.task, recipe)) | self._state(path)
        limit = plan.first_limit if first else plan.limit
        # first without retraining, on a copy: the stars of Figure 4
        bare = path.with_name("bare-" + path.name)
        self._copied(path, bare)
        at_once = self._do(bare, Prune(ratio=cell.ratio, recipe={"retrain_epochs": 0}, limit=limit, device=self.device))
        bare.unlink()
        trained = _top1(self._document(self._parent_file(cell)), cell.task)
        numbers = self._do(path, replace(self._first_pruning(cell.ratio, recipe, 1), limit=limit))
        return numbers | {"at_once": at_once["error"], "trained": trained}

    def layers(self, cell: LayersCell) -> Numbers:
        """Add a task that trains only some layers."""
        path = self._copy_of_parent(cell)
        add = replace(self._addition(cell.task, self.plan.recipe_of(cell.run)), layers=cell.layers)
        return self._do(path, add)

    # -- baselines ----------------------------------------------------------------------------------------------

    def single_task(self, cell: SingleTaskCell) -> Numbers:
        """Run Classifier Only or an Individual Network."""
        plan, start = self.plan, self._start()
        changes = dict(plan.best_changes if cell.recipe == "best" else {})
        epochs = plan.classifier_epochs if cell.kind == "classifier" else plan.individual_epochs
        if epochs is not None:
            changes |= {"epochs": epochs, "decay_epoch": epochs // 2}
        if plan.classifier_lr is not None and cell.kind == "classifier":
            changes["lr"] = plan.classifier_lr
        recipe = plan.recipe_of(cell.run, changes)
        task = self._task(cell.task, recipe)
        method = baselines.classifier_only if cell.kind == "classifier" else baselines.individual
        return _numbers(method(start, task)) | _data(task.data) | {"recipe": _fields(recipe)}

    def sequential(self, cell: SequentialCell) -> Numbers:
        """Run LwF or EWC; `after` has the errors of all tasks after each addition."""
        plan, start = self.plan, self._start()
        own_rate = {"lwf": plan.lwf_lr, "ewc": plan.ewc_lr}[cell.method]
        changes: Changes = {} if own_rate is None else {"lr": own_rate}
        tasks = [self._task(name, plan.recipe_of(cell.run, changes)) for name in cell.order]
        if cell.method == "lwf":
            epochs = tasks[0].recipe.epochs
            events = baselines.lwf(start, tasks, head_epochs=max(round(epochs / 4), 1))  # the paper's 5 of 20
        else:
            events = baselines.ewc(start, tasks, self._first_data(cell.run).train, strength=plan.ewc_strength)
        numbers = _numbers(events)
        found = iter(numbers.pop("evaluated"))
        after = [[next(found) for _ in range(count)] for count in range(2, len(cell.order) + 2)]
        return numbers | {"after": after, "recipe": _fields(tasks[0].recipe)}

    def joint(self, cell: JointCell) -> Numbers:
        """Run Joint Training."""
        recipe = self.plan.recipe_of(cell.run)
        tasks = [self._task(task.name, recipe) for task in self.plan.tasks]
        return _numbers(baselines.joint(self._start(), self._first_data(cell.run), tasks, recipe))

    def filters(self, cell: FilterCell) -> Numbers:
        """Prune the first task's filters, then add a task."""
        plan, document, start = self.plan, self._document(self._file(FirstCell())), self._start()
        experiment = filters.begin(document.architecture, document.input, start.model)
        recipe = plan.recipe_of(cell.run)
        given = load(plan.first.data, document.input, limit=plan.first_limit, seed=cell.run)
        first = _numbers(filters.prune(experiment, plan.first.name, given, recipe, cell.share, cell.rounds))
        counts, available = experiment.network.counts(), experiment.network.available()
        task = self._task(cell.task, recipe)
        numbers = _numbers(filters.add(experiment, task.name, task.data, recipe))
        freed = {"first_error": first["error"], "freed": counts, "available": 100 * available}
        return numbers | freed | _data(task.data) | {"recipe": _fields(recipe)}

    # -- shared -------------------------------------------------------------------------------------------------

    def _first_pruning(self, ratio: float, recipe: Recipe, steps: int) -> Prune:
        changes = {**_changes(recipe), "retrain_epochs": recipe.retraining_epochs, "retrain_lr": recipe.retraining_lr}
        return Prune(ratio=ratio, recipe=changes, steps=steps, limit=self.plan.first_limit, device=self.device)

    def _addition(self, task: str, recipe: Recipe) -> Add:
        data = self.plan.data_of(task)
        # yes: a task that is no better than chance is a result too
        return Add(task=task, data=data, recipe=recipe, limit=self.plan.limit, device=self.device, yes=True)

    def _start(self) -> MultiHeadNetwork:
        path = self._file(FirstCell())
        return baselines.first_network(path, self._first_data(0).test, self.device or "cpu")

    def _first_data(self, run: int) -> TaskData:
        """The first task's data, with as many training images as the other tasks."""
        return self._load(self.plan.first.name, run)

    def _task(self, name: str, recipe: Recipe) -> NewTask:
        return NewTask(name, self._load(name, recipe.seed), recipe)

    def _load(self, name: str, seed: int) -> TaskData:
        document = self._document(self._file(FirstCell()))
        return load(self.plan.data_of(name), document.input, limit=self.plan.limit, seed=seed)

    def _do(self, path: Path, command: Command) -> Numbers:
        """Run a command on a pack file. Raises WorkError where it failed."""
        entries = list(run_job.run(path, command))
        ended = entries[-1].event
        assert isinstance(ended, JobFinished)
        if ended.outcome != "done":
            raise WorkError(ended.message)
        return _numbers(entry.event for entry in entries)

    def _state(self, path: Path) -> Numbers:
        """Facts about a pack file and its newest task."""
        document = self._document(path)
        task = document.tasks[-1]
        return {
            "recipe": _fields(task.recipe),
            "classes": len(task.classes),
            "images": {"train": task.data.train, "validation": task.data.validation, "test": task.data.test},
            "free": 100 * document.free / document.weights,
            "owned": document.owned,
            "bytes": read_header(path).bytes_by_kind(),
            "digests": {task.name: task.digest for task in document.tasks},
        }

    def _file(self, cell: Cell) -> Path:
        return self.folder / f"{key(cell)}.safetensors"

    def _fresh(self, cell: Cell) -> Path:
        """The path of a cell's file, after deleting what a stopped run left there."""
        path = self._file(cell)
        path.unlink(missing_ok=True)
        shutil.rmtree(path.with_suffix(".packnet"), ignore_errors=True)
        return path

    def _parent_file(self, cell: Cell) -> Path:
        above = parent(cell, self.plan)
        assert above is not None
        return self._file(above)

    def _copy_of_parent(self, cell: Cell) -> Path:
        return self._copied(self._parent_file(cell), self._fresh(cell))

    def _copied(self, path: Path, copy: Path) -> Path:
        shutil.copy(path, copy)
        trust.allow(copy, self.plan.arch)  # the plan's user named it
        return copy

    def _document(self, path: Path) -> Document:
        return read_header(path).document


def _numbers(events: Iterable[Event]) -> Numbers:
    """The numbers in events: every test error, the counts of pruning, and the errors after each epoch."""
    evaluated: list[Numbers] = []
    epochs: list[Numbers] = []
    numbers: Numbers = {}
    for event in events:
        match event:
            case Evaluated(task=task, error=error):
                evaluated.append({"task": task, "top1": error.top1, "top5": error.top5, "images": error.images})
            case Pruned(ratio=ratio, before=before, after=after, kept=kept):
                numbers.setdefault("pruned", []).append(
                    {"ratio": ratio, "before": before, "after": after, "kept": kept}
                )
            case Epoch(phase=phase, epoch=epoch, error=error, validation_error=validation):
                epochs.append({"phase": phase, "epoch": epoch, "error": error, "validation": validation})
            case _:
                pass
    if evaluated:
        numbers["error"] = evaluated[-1]["top1"]
    return numbers | {"evaluated": evaluated, "epochs": epochs}


def _data(data: TaskData) -> Numbers:
    record = data.record
    images = {"train": record.train, "validation": record.validation, "test": record.test}
    return {"images": images, "classes": len(data.classes)}


def _fields(recipe: Recipe) -> Numbers:
    return {name: getattr(recipe, name) for name in recipe.__struct_fields__}


def _changes(recipe: Recipe) -> Changes:
    """A recipe as changes to a task's own recipe."""
    return {name: value for name, value in _fields(recipe).items() if value is not None}


def _top1(document: Document, task: str) -> float:
    error = document.tasks[document.index(task) - 1].error
    assert error is not None
    return error.top1
