"""The jobs that run and wait, to choose the one to stop."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from packnet_core.commands import summary
from packnet_tui.lines import printable
from packnet_tui.widgets.picture import Picture


class Jobs(ModalScreen[int | None]):
    """Gives the number of the job chosen, or None."""

    DEFAULT_CSS = """
    Jobs { align: center middle; }
    Jobs > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: heavy $accent; border-title-color: $text; background: $surface;
    }
    Jobs OptionList, Jobs OptionList:focus {
        height: auto; max-height: 16; border: none; padding: 0; background: $surface;
    }
    Jobs .keys { color: $text-muted; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+c", "dismiss(None)"),
        Binding("j", "cursor('down')"),
        Binding("k", "cursor('up')"),
        Binding("x", "choose"),
    ]

    def __init__(self, picture: Picture):
        super().__init__()
        self._picture = picture

    def compose(self) -> ComposeResult:
        job = self._picture.job
        rows = [(job.number, "runs", job.command)] if job else []
        rows += [(number, "waits", command) for number, command in self._picture.queue]
        with Vertical() as box:
            box.border_title = "Jobs"
            yield OptionList(
                *(
                    Option(Text(f"{number:>4}  {state:5}  {printable(summary(command))}"), id=str(number))
                    for number, state, command in rows
                )
            )
            yield Static("enter or x stops the chosen one   esc closes", classes="keys")

    def action_cursor(self, which: str) -> None:
        options = self.query_one(OptionList)
        if which == "down":
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_choose(self) -> None:
        self.query_one(OptionList).action_select()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(int(event.option_id or 0))
