"""Whether a task is better than chance, and what helps one that is not. Needs no torch."""

from typing import Literal

from packnet_core.schema import recipes
from packnet_core.schema.document import Document, Task


def no_better_than_chance(task: Task) -> bool:
    """Whether the task's error is no lower than that of always answering the test set's largest class."""
    return task.error is not None and task.error.top1 >= task.chance


def against_chance(task: Task) -> str:
    """`no better than chance`, `little better than chance`, or empty for a task that is clearly better.

    Little better: its share of right answers is below the square root of that of always answering the test set's
    largest class (two equal classes: 71 %, ten: 32 %, a hundred: 10 %), less than half of the way from chance to no
    error on a logarithmic scale. No fixed distance or factor would do for two classes and for a hundred.
    """
    if task.error is None:
        return ""
    if no_better_than_chance(task):
        return "no better than chance"
    right, guessed = 1 - task.error.top1 / 100, 1 - task.chance / 100
    return "little better than chance" if right**2 < guessed else ""


def remedies(document: Document) -> dict[Literal["train", "drop"], str]:
    """What helps an open task that is hardly better than chance, in words, by command."""
    task = document.tasks[-1]
    best = recipes.changes("best", task.data.source)
    is_best = task.recipe.changed(best) == task.recipe
    ways: dict[Literal["train", "drop"], str] = {
        "train": "train it further" if is_best else "train it with --recipe best"
    }
    return ways if len(document.tasks) == 1 else {**ways, "drop": "drop it"}  # the first can't be dropped


def chance_warning(document: Document) -> str:
    """A warning if the open task is hardly better than chance, with what helps; else empty."""
    task = document.open_task
    if task is None or task.error is None or not (words := against_chance(task)):
        return ""
    return (
        f"{task.name}: test error {task.error.top1:.2f} %, {words} ({task.chance:.2f} %, always the largest class); "
        f"{', or '.join(remedies(document).values())}"
    )
