"""The help screen: all keys, from the list of actions, and the signs of the panes."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from packnet_tui.workbench.actions import GROUPS, Action, Group

TWO_COLUMNS = 116  # width from which keys are shown in two columns

SIGNS = (
    ("1 2 3 …", "the task that owns weights; its colour, too"),
    ("·", "free: no owner, exactly 0.0"),
    ("*", "the open task: the newest one"),
    ("~", "validation error, while it is trained"),
    ("!", "hardly better than chance"),
    ("0.00 =", "error now = error when it was added"),
    ("✓", "recomputed digest = digest in the file"),
    ("✗", "they differ: the file is damaged"),
)


class HelpScreen(ModalScreen[None]):
    """All keys and signs, in a dialog that scrolls."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 114; max-width: 96%; height: auto; max-height: 96%; padding: 0 1;
        border: heavy $accent; border-title-color: $text; background: $surface; scrollbar-size-vertical: 1;
    }
    HelpScreen Horizontal { height: auto; }
    HelpScreen Static { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,f1", "dismiss"),
        Binding("j", "scroll('down')"),
        Binding("k", "scroll('up')"),
    ]

    def __init__(self, actions: Sequence[Action]):
        super().__init__()
        self._actions = actions

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "Keys"
            box.border_subtitle = "j k scroll, esc closes"
            work = self._text("work", "look", "program")
            move = self._text("move", signs=True)
            if self.app.size.width >= TWO_COLUMNS:
                with Horizontal():
                    yield Static(work)
                    yield Static(move)
            else:
                yield Static(Text("\n").join([work, move]))

    def action_scroll(self, how: str) -> None:
        box = self.query_one(VerticalScroll)
        if how == "down":
            box.scroll_down(animate=False)
        else:
            box.scroll_up(animate=False)

    def _text(self, *groups: Group, signs: bool = False) -> Text:
        text = Text()
        for group in groups:
            text.append(f"{GROUPS[group]}\n", "bold")
            before = ""
            for action in self._actions:
                if action.group == group and action.keys and action.help != before:  # one row for highlight 1, 2, …
                    text.append(_row(action.shown, action.help))
                    before = action.help
        if signs:
            text.append("Signs\n", "bold")
            for sign, meaning in SIGNS:
                text.append(_row(sign, meaning))
        text.rstrip()
        return text


def _row(left: str, right: str) -> str:
    return f"  {left}{' ' * (9 - cell_len(left))}{right}\n"
