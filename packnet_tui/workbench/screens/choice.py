"""A dialog with a list to choose from: the base of JobChoice and BaselineChoice."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from packnet_tui.workbench.screens.dialog_help import Helped

T = TypeVar("T")


class Choice(ModalScreen[T | None], Helped):
    """Returns `chosen` for the selected line, or None.

    Arrows and Enter are keys of Textual's OptionList; a subclass binds the key that opened it to `choose`.
    """

    DEFAULT_CSS = """
    Choice { align: center middle; }
    Choice > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: heavy $accent; border-title-color: $text; background: $surface;
    }
    Choice OptionList, Choice OptionList:focus {
        height: auto; max-height: 16; border: none; padding: 0; background: $surface;
    }
    Choice Static { margin-top: 1; }
    Choice .keys { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+c", "dismiss(None)", "close without choosing"),
        Binding("j,down", "cursor('down')", "down"),
        Binding("k,up", "cursor('up')", "up"),
        Binding("enter", "choose", "choose the marked line"),
    ]

    def __init__(self, title: str, lines: Sequence[tuple[str, str]], keys: str, text: str = ""):
        """`lines` are pairs of an id and its text; below them are `text` and `keys`."""
        super().__init__()
        self._title, self._lines, self._keys, self._text = title, list(lines), keys, text

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield OptionList(*(Option(Text(line), id=name) for name, line in self._lines))
            if self._text:
                yield Static(Content(self._text))
            yield Static(self._keys, classes="keys")

    def chosen(self, name: str) -> T:
        """The value to return for a line's id."""
        raise NotImplementedError

    def show_lines(self, lines: Sequence[tuple[str, str]]) -> None:
        """List other lines; the cursor stays on its id, if that is still there."""
        if list(lines) == self._lines:
            return
        options = self.query_one(OptionList)
        names = [name for name, _ in lines]
        chosen = self._lines[options.highlighted][0] if options.highlighted is not None else ""
        self._lines = list(lines)
        options.set_options(Option(Text(line), id=name) for name, line in lines)
        options.highlighted = names.index(chosen) if chosen in names else 0

    def action_cursor(self, which: str) -> None:
        options = self.query_one(OptionList)
        if which == "down":
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_choose(self) -> None:
        self.query_one(OptionList).action_select()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.chosen(event.option_id or ""))
