"""The dialog to choose the baseline (§4) that a task is compared with."""

from typing import ClassVar, cast

from textual.binding import Binding, BindingType

from packnet_core.jobs.history import of_task
from packnet_core.schema.commands import Add, Baseline
from packnet_tui.state.format import NAME, cut_middle, duration
from packnet_tui.state.picture import Picture, TaskRow
from packnet_tui.workbench.screens.choice import Choice

WAYS: dict[Baseline, str] = {  # the first one is selected
    "individual": "one network for this task; takes as long as training it",
    "classifier": "only a new head on the first network; the quickest",
    "lwf": "Learning without Forgetting; trains all tasks up to it",
    "ewc": "Elastic Weight Consolidation; trains all tasks up to it",
    "joint": "all tasks up to it at once; takes as long as all of them",
    "filters": "whole filters pruned for it; only for chains such as VGG",
}


class BaselineChoice(Choice[Baseline]):
    """Returns the baseline chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("b", "choose", "measure the marked method")]
    ABOUT = (
        "Measures what the task's error would be by another method (§4, Baselines), with the same data and recipe. "
        "The error then stands below the tasks, in percent on the test images."
    )

    def __init__(self, task: TaskRow, picture: Picture):
        text = "On a copy, with the task's data and recipe: the file is not changed."
        if (seconds := seconds_to_add(task.name, picture)) is not None:
            text += f" Adding it took {duration(seconds)}."
        lines = [(name, f"{name:12}{what}") for name, what in WAYS.items()]
        keys = "enter measures it   j k choose   esc closes"
        super().__init__(f"Compare {cut_middle(task.name, NAME)} with", lines, keys, text)

    def chosen(self, name: str) -> Baseline:
        return cast(Baseline, name)


def seconds_to_add(task: str, picture: Picture) -> float | None:
    """How long adding a task took, in seconds; None if the journal does not say."""
    for run, former in of_task(picture.runs, task):
        if isinstance(run.command, Add) and run.outcome == "done" and not former:
            return run.seconds
    return None
