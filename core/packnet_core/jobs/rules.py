"""The life of a task: its phases, and what may follow what. Needs no torch, so a wrong request is refused at once.

add ──▶ trained ──prune──▶ pruned ──retrain──▶ retrained ──the next add──▶ sealed
                              ▲                    │
                              └───────prune────────┘
"""

from packnet_core.errors import RequestError
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, Command, Compare, Drop, Evaluate, Preview, Prune, Train
from packnet_core.schema.document import MOST_TASKS, Document, Task, chosen_layers
from packnet_core.schema.text import has_control_characters


def check(document: Document, command: Command, interrupted: bool = False) -> None:
    """Whether a command may be done on a file as it stands; `interrupted` is whether a job waits to be gone on with.

    Raises RequestError that says why not and what to do.
    """
    if isinstance(command, Add | Prune | Train) and command.limit is not None and command.limit < 1:
        raise RequestError(f"--limit is a number of training images, and {command.limit} is not one")
    goes_on = isinstance(command, Train) and command.resumes
    if interrupted and not goes_on and not (isinstance(command, Evaluate | Preview | Compare) or command.yes):
        raise RequestError("an interrupted job waits; go on with it: packnet train FILE, or give it up by saying --yes")
    match command:
        case Add():
            _check_add(document, command)
        case Prune():
            open_task(document, "pruned")
            layer_ratios(document, command)
            _check_recipe(open_task(document, "pruned"), command)
        case Train():
            if not (interrupted and goes_on):
                _check_recipe(open_task(document, "trained"), command)
        case Evaluate():
            for name in (*command.tasks, *command.sources):
                document.index(name)
            if not document.tasks:
                raise RequestError("there is no task to evaluate yet; add one with: packnet add FILE TASK --data DATA")
            if (command.data is not None) + bool(command.sources) + (command.mixed is not None) > 1:
                raise RequestError("give other data in one way: --data for one task, TASK=DATA for several, or --mixed")
            if command.data is not None and len(command.tasks or document.tasks) != 1:
                raise RequestError("other data can be given for one task at a time with --data; or give TASK=DATA")
        case Preview():
            open_task(document, "pruned")
            for ratio in command.ratios:
                _check_ratio(ratio)
        case Compare():
            _check_compare(document, command)
        case Drop():
            _check_drop(document, command)


def open_task(document: Document, wanted: str) -> Task:
    """The open task. Raises RequestError where there is none, saying what it was `wanted` for."""
    if task := document.open_task:
        return task
    if not document.tasks:
        raise RequestError(f"there is no task to be {wanted} yet; add one with: packnet add FILE TASK --data DATA")
    raise RequestError(
        f"task {document.tasks[-1].name!r} is sealed and can't be {wanted} any more; only the newest task can, until "
        "the next one is added"
    )


def layer_ratios(document: Document, command: Prune) -> dict[str, float]:
    """The pruning ratio of every layer. `command.layers` names layers, `conv`, `fc` or patterns; later ones win.

    Raises RequestError for a ratio outside 0..1 or a pattern that no layer fits.
    """
    _check_ratio(command.ratio)
    ratios = {layer.name: command.ratio for layer in document.layers}
    for pattern, ratio in command.layers.items():
        _check_ratio(ratio)
        ratios.update(dict.fromkeys(chosen_layers(document, (pattern,)), ratio))
    return ratios


def step_ratio(ratio: float, step: int, steps: int) -> float:
    """The share of a task's weights that is free after a step of several, each of which frees the same share of those
    that are left; after the last it is `ratio` itself."""
    return ratio if step == steps else 1 - (1 - ratio) ** (step / steps)


def no_better_than_chance(task: Task) -> bool:
    """Whether always answering the test set's largest class would do as well."""
    return task.error is not None and task.error.top1 >= task.chance


def _check_recipe(task: Task, command: Prune | Train) -> None:
    recipes.settings(command.named, "")
    task.recipe.changed(command.recipe)


def _check_ratio(ratio: float) -> None:
    if not 0 <= ratio <= 1:
        raise RequestError(
            f"a pruning ratio is a share from 0 to 1, and {ratio:g} is not; 0.5 frees half of the weights"
        )


def _check_add(document: Document, command: Add) -> None:
    name = command.task
    if not name.strip() or has_control_characters(name):
        raise RequestError(f"{name!r} can't be a task's name: it needs a visible character and no control characters")
    if any(task.name == name for task in document.tasks):
        raise RequestError(
            f"there is a task {name!r} already; choose another name, or go on with it: packnet train FILE"
        )
    if len(document.tasks) >= MOST_TASKS:
        raise RequestError(f"the file holds {MOST_TASKS} tasks, the most there can be; task {name!r} would be one more")
    if command.prune is not None:
        _check_ratio(command.prune)
    command.recipe.changed({})
    if command.steps > 1 and command.prune is None:
        raise RequestError("steps are those of a pruning; give its ratio too: --prune 0.75")
    if command.own and not document.tasks:
        raise RequestError("the first task has biases and normalisation of its own anyway; --own is for later ones")
    chosen = chosen_layers(document, command.layers)
    newest = document.open_task
    if newest and newest.phase == "trained" and document.owned[-1]:
        raise RequestError(
            f"task {newest.name!r} still owns every weight that is not sealed; prune it first, for example with: "
            "packnet prune FILE 0.75"
        )
    if document.tasks and chosen and not any(layer.free for layer in document.layers if layer.name in chosen):
        where = "" if len(chosen) == len(document.layers) else f" in the layers {', '.join(command.layers)}"
        raise RequestError(f"no weight is free{where}, so no task can be added; prune the open task to free some")
    if newest and no_better_than_chance(newest) and not command.yes:
        assert newest.error is not None
        raise RequestError(
            f"task {newest.name!r} is no better than chance ({newest.error.top1:.2f} % error, and always answering the "
            f"largest class gives {newest.chance:.2f} %); adding a task would seal it for good. Train it on, drop it, "
            "or say --yes"
        )


def _check_compare(document: Document, command: Compare) -> None:
    for name in command.tasks:
        if document.index(name) == 1:
            raise RequestError(f"{name!r} is the task that the network begins with; name one that was added")
    if len(document.tasks) < 2:
        raise RequestError("there is no second task to compare yet; add one with: packnet add FILE TASK --data DATA")
    if command.baseline == "filters" and len(command.tasks or document.tasks[1:]) != 1:
        raise RequestError("filter pruning adds one task, as in the paper; name it")
    document.tasks[-1].recipe.changed(command.recipe)


def _check_drop(document: Document, command: Drop) -> None:
    index = document.index(command.task)
    if index != len(document.tasks):
        raise RequestError(
            f"only the newest task, {document.tasks[-1].name!r}, can be dropped: later tasks use the rest"
        )
    if index == 1:
        raise RequestError(
            "the first task can't be dropped: all others stand on it; begin a new file with: packnet new"
        )
