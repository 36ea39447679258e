"""Which other way of adding a task (§4, Baselines) to compare it with, what each is, and what it costs."""

from typing import ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from packnet_core.commands import Add, Baseline
from packnet_tui.figures import cut, duration
from packnet_tui.widgets.picture import Picture, TaskRow
from packnet_tui.widgets.runs import of_task

WAYS: dict[Baseline, str] = {  # the one that Enter takes first
    "individual": "a network of its own; as long as training the task",
    "classifier": "only a new head on the first network; the quickest",
    "lwf": "Learning without Forgetting; trains all tasks up to it",
    "ewc": "Elastic Weight Consolidation; trains all tasks up to it",
    "joint": "all tasks up to it at once; as long as all of them",
    "filters": "whole filters pruned for it; chains such as VGG alone",
}


class Comparison(ModalScreen[Baseline | None]):
    """Gives the baseline chosen, or None."""

    DEFAULT_CSS = """
    Comparison { align: center middle; }
    Comparison > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: heavy $accent; border-title-color: $text; background: $surface;
    }
    Comparison OptionList, Comparison OptionList:focus {
        height: auto; border: none; padding: 0; margin-bottom: 1; background: $surface;
    }
    Comparison .keys { color: $text-muted; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+c", "dismiss(None)"),
        Binding("j", "cursor('down')"),
        Binding("k", "cursor('up')"),
        Binding("b", "choose"),
    ]

    def __init__(self, task: TaskRow, picture: Picture):
        super().__init__()
        self._whose, self._seconds = task, seconds_to_add(task.name, picture)

    def compose(self) -> ComposeResult:
        text = "On a copy, with the data and the recipe it was added with: the file is not changed."
        if self._seconds is not None:
            text += f" Adding it took {duration(self._seconds)}."
        with Vertical() as box:
            box.border_title = Content(f"Compare {cut(self._whose.name, 40)} with")
            yield OptionList(*(Option(Text(f"{name:11}{what}"), id=name) for name, what in WAYS.items()))
            yield Static(Content(text))
            yield Static("enter measures it   j k choose   esc closes", classes="keys")

    def action_cursor(self, which: str) -> None:
        options = self.query_one(OptionList)
        if which == "down":
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_choose(self) -> None:
        self.query_one(OptionList).action_select()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(cast(Baseline, event.option_id))


def seconds_to_add(task: str, picture: Picture) -> float | None:
    """How long adding a task took, where the journal tells of it."""
    for run, former in of_task(picture.runs, task):
        if isinstance(run.command, Add) and run.outcome == "done" and not former:
            return run.seconds
    return None
