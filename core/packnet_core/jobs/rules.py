"""The rules of a task's life: whether a command is allowed in the file's present state. Needs no torch.

The session, the engine's queue, the command line and the screen all ask here.

add ──▶ trained ──prune──▶ pruned ──retrain──▶ retrained ──the next add──▶ sealed
                              ▲                    │
                              └───────prune────────┘
"""

from typing import Literal

from msgspec.structs import replace

from packnet_core.errors import RequestError
from packnet_core.jobs.chance import no_better_than_chance, remedies
from packnet_core.jobs.ratios import check_ratio, empties, layer_ratios
from packnet_core.jobs.unfinished import Unfinished, ways_out
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema import recipes
from packnet_core.schema.commands import (
    Add,
    AnyCommand,
    Command,
    Compare,
    Discard,
    Drop,
    Evaluate,
    Order,
    Preview,
    Prune,
    Train,
    Undo,
    summary,
)
from packnet_core.schema.document import MOST_TASKS, Document, Task, check_task_name, chosen_layers

Remedy = Literal["add", "prune", "free", "resume", "new"]
COMMANDS: dict[Remedy, str] = {
    "add": "add one with: packnet add FILE TASK --data DATA",
    "prune": "prune it first, for example with: packnet prune FILE 0.75",
    "free": "prune the open task to free some, for example with: packnet prune FILE 0.75",
    "resume": ways_out(),
    "new": "begin a new file with: packnet new",
}
NOTHING = Unfinished()


class NotAllowed(RequestError):
    """The file's state does not allow the command. The message has both `reason` and `remedy`, which would help."""

    def __init__(self, reason: str, remedy: Remedy | None = None):
        super().__init__(f"{reason}; {COMMANDS[remedy]}" if remedy else reason)
        self.reason, self.remedy = reason, remedy


def check(document: Document, command: Command, before: Unfinished = NOTHING) -> None:
    """Check that a command may be done on a file; `before` is what an unfinished job left.

    Raises RequestError, saying why not and what to do, and NotAllowed if the reason is the file's state.
    """
    if isinstance(command, Add | Prune | Train | Evaluate) and command.limit is not None and command.limit < 1:
        raise RequestError(f"--limit is a number of images, 1 or more, and {command.limit} is not one")
    resumes = before.checkpoint is not None and isinstance(command, Train) and command.resumes
    repeats = isinstance(before.lost, Train) and not before.damaged
    if isinstance(command, Train) and command.resumes and not repeats and (loss := before.loss()):
        raise NotAllowed(loss)
    if before.checkpoint and not resumes:
        _check_gives_up(document, command, before.checkpoint)
    if isinstance(command, Add):
        _check_name(document, command.task)
    if not resumes:
        check_state(document, type(command))
    match command:
        case Add():
            _check_add(document, command)
            _check_leaves_some(document, command, command.task)
        case Prune() | Train() if not resumes and command.task not in (None, newest := _newest(document)):
            meant = f"{summary(command)} was meant for task {command.task!r}"
            raise NotAllowed(f"{meant}, and now the newest is {newest!r}; ask again if you mean that one")
        case Prune():
            layer_ratios(document, command)  # checks them
            _check_leaves_some(document, command, open_task(document, "pruned").name)
            _check_recipe(open_task(document, "pruned"), command)
        case Train() if not resumes:
            _check_recipe(open_task(document, "trained"), command)
        case Evaluate():
            _check_evaluate(document, command)
        case Preview():
            for ratio in command.ratios:
                check_ratio(ratio)
        case Compare():
            _check_compare(document, command)
        case Order():
            _check_order(document, command)
        case Drop():
            _check_drop(document, command)
        case Undo():
            _check_undo(document, command)
        case Discard() if before == NOTHING:
            raise NotAllowed("no interrupted job waits, so there is nothing to give up")


def _check_gives_up(document: Document, command: Command, interrupted: Checkpoint) -> None:
    """Raise NotAllowed if a command must not give up this interrupted job, or if `Discard` means another one."""
    match command:
        case Evaluate() | Preview() | Compare() | Order():
            return
        case Discard(task=task):
            if task not in (None, interrupted.task):
                meant = f"discard was meant for the interrupted job of task {task!r}"
                raise NotAllowed(f"{meant}, and now that of {interrupted.task!r} waits; ask again if you mean that one")
            return
        case Drop() if not interrupted.adds_to(document):  # the job works on the task that is dropped
            return
        case Add(yes=True) | Prune(yes=True) | Train(yes=True):
            return
    undropped = "nothing was dropped: " if isinstance(command, Drop) else ""
    raise NotAllowed(f"{undropped}an interrupted job waits, {summary(interrupted.command)}", "resume")


def named(document: Document, command: AnyCommand) -> AnyCommand:
    """A command with the name of the task that it means, so that it never changes a task that is opened before it.

    Only a command that waits in a queue needs it. One that resumes an interrupted job names no task.
    """
    if isinstance(command, Undo) and command.task is None:
        return replace(command, task=dropped_last(document))
    resumes = isinstance(command, Train) and command.resumes
    if not isinstance(command, Prune | Train) or resumes or command.task is not None or document.open_task is None:
        return command
    return replace(command, task=document.open_task.name)


def check_state(document: Document, kind: type[Command]) -> None:
    """Check that a file's state allows commands of this kind at all. Raises NotAllowed if not."""
    tasks, newest = document.tasks, document.open_task
    if kind is Add:
        if len(tasks) >= MOST_TASKS:
            raise NotAllowed(f"the file holds {MOST_TASKS} tasks, the most there can be; one more task can't be added")
        if newest and newest.phase == "trained" and document.owned[-1]:
            raise NotAllowed(f"task {newest.name!r} still owns every weight that is not sealed", "prune")
        if tasks and not document.free:
            raise NotAllowed("no weight is free, so no task can be added", "free" if newest else None)
    elif kind in (Prune, Preview):
        open_task(document, "pruned")
    elif kind is Train:
        open_task(document, "trained")
    elif kind is Evaluate and not tasks:
        raise NotAllowed("there is no task to evaluate yet", "add")
    elif kind is Compare and len(tasks) < 2:
        raise NotAllowed("there is no second task to compare yet", "add")
    elif kind is Drop and not tasks:
        raise NotAllowed("there is no task to drop yet", "add")
    elif kind is Drop and len(tasks) == 1:
        raise NotAllowed("the first task can't be dropped: all later ones build on it", "new")
    elif kind is Undo and dropped_last(document) is None:
        raise NotAllowed("the last change of the file was not a drop, so there is nothing to undo")


def open_task(document: Document, wanted: str) -> Task:
    """The open task. Raises NotAllowed if no task is open; the message says what was `wanted`: "pruned", "trained"."""
    if task := document.open_task:
        return task
    if not document.tasks:
        raise NotAllowed(f"there is no task to be {wanted} yet", "add")
    raise NotAllowed(
        f"task {document.tasks[-1].name!r} is sealed and can't be {wanted} any more; only the newest task can, until "
        "the next one is added"
    )


def _check_leaves_some(document: Document, command: Add | Prune, task: str) -> None:
    if not command.yes and empties(document, command):
        raise RequestError(
            f"pruning at {command.prune if isinstance(command, Add) else command.ratio:g} frees every weight of "
            f"{task!r}; it would be no better than chance. Give a smaller ratio, or say --yes"
        )


def _newest(document: Document) -> str | None:
    return document.tasks[-1].name if document.tasks else None


def _check_recipe(task: Task, command: Prune | Train) -> None:
    recipes.settings(command.named, "")
    task.recipe.changed(command.recipe)


def _check_name(document: Document, name: str) -> None:
    check_task_name(name)
    if any(task.name == name for task in document.tasks):
        raise RequestError(
            f"there is a task {name!r} already; choose another name, or train that task further: packnet train FILE"
        )


def _check_add(document: Document, command: Add) -> None:
    if command.prune is not None:
        check_ratio(command.prune)
    command.recipe.changed({})
    if command.steps > 1 and command.prune is None:
        raise RequestError("steps are those of a pruning; give its ratio too: --prune 0.75")
    if command.own and not document.tasks:
        raise RequestError("the first task has biases and normalisation of its own anyway; --own is for later ones")
    chosen = chosen_layers(document, command.layers)
    if document.tasks and chosen and not any(layer.free for layer in document.layers if layer.name in chosen):
        where = f"no weight is free in the layers {', '.join(command.layers)}, so no task can be added"
        raise NotAllowed(where, "free" if document.open_task else None)
    newest = document.open_task
    if newest and no_better_than_chance(newest) and not command.yes:
        assert newest.error is not None
        raise RequestError(
            f"task {newest.name!r} is no better than chance ({newest.error.top1:.2f} % error; always answering the "
            f"largest class gives {newest.chance:.2f} %). Adding a task would seal it for good. "
            f"{', '.join(remedies(document).values()).capitalize()}, or say --yes"
        )


def _check_evaluate(document: Document, command: Evaluate) -> None:
    for name in (*command.tasks, *command.sources):
        document.index(name)
    if (command.data is not None) + bool(command.sources) + (command.mixed is not None) > 1:
        raise RequestError("give other data in one way: --data for one task, TASK=DATA for several, or --mixed")
    if command.data is not None and len(command.tasks or document.tasks) != 1:
        raise RequestError("other data can be given for one task at a time with --data; or give TASK=DATA")


def _check_compare(document: Document, command: Compare) -> None:
    for name in command.tasks:
        if document.index(name) == 1:
            raise RequestError(f"{name!r} is the task that the network begins with; name one that was added")
    if command.baseline == "filters" and len(command.tasks or document.tasks[1:]) != 1:
        raise RequestError("filter pruning adds one task, as in the paper; name it")
    document.tasks[-1].recipe.changed(command.recipe)


def dropped_last(document: Document) -> str | None:
    """The task that the last change of the file dropped; None if that was another change."""
    last = document.history[-1] if document.history else None
    return last.task if last and last.task and last.what == summary(Drop(task=last.task)) else None


def _check_undo(document: Document, command: Undo) -> None:
    if command.task not in (None, dropped := dropped_last(document)):
        raise NotAllowed(f"undo was meant for task {command.task!r}, and {dropped!r} was dropped last")


def _check_order(document: Document, command: Order) -> None:
    if not command.data:
        raise RequestError("name the data sets to put in order: NAME=DATA, for example birds=~/birds")
    for name in command.data:
        check_task_name(name)
    if command.features is not None:
        document.index(command.features)
    command.recipe.changed({})


def _check_drop(document: Document, command: Drop) -> None:
    if document.index(command.task) != len(document.tasks):
        raise RequestError(
            f"only the newest task, {document.tasks[-1].name!r}, can be dropped: later tasks use the weights of all "
            "before them"
        )
