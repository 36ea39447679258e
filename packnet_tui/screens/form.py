"""What forms are made of: labelled fields on one line each, the error below them, Enter to start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from packnet_core.errors import RequestError

Result = TypeVar("Result")


@dataclass(frozen=True)
class Field:
    """One line of a form: `hint` stands in the field while it is empty."""

    name: str
    label: str
    value: str = ""
    hint: str = ""


class Form(ModalScreen[Result | None], Generic[Result]):
    """Fields in, a value out. `result` makes it, or raises RequestError, which is shown in the form."""

    DEFAULT_CSS = """
    Form { align: center middle; }
    Form > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: heavy $accent; background: $surface;
    }
    Form Horizontal { height: 1; }
    Form Label { width: 16; }
    Form Input { width: 1fr; height: 1; border: none; padding: 0 1; background: $panel; }
    Form Input:focus { border: none; background: $primary-darken-2; }
    Form .note { color: $text-muted; }
    Form .error { color: $text-error; margin-top: 1; display: none; }
    Form .keys { color: $text-muted; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel"),
        # first of all, so that what is typed fast after a Tab goes to the next field, not to the one left
        Binding("tab,down", "app.focus_next", priority=True),
        Binding("shift+tab,up", "app.focus_previous", priority=True),
        Binding("ctrl+c", "cancel", priority=True),
    ]

    def __init__(self, title: str, fields: Sequence[Field], note: str = ""):
        super().__init__()
        self._title, self._fields, self._note = title, fields, note

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            if self._note:
                yield Static(Content(self._note + "\n"), classes="note")
            for field in self._fields:
                with Horizontal():
                    yield Label(field.label)
                    yield Input(field.value, placeholder=field.hint, id=field.name, select_on_focus=False)
            yield Static("", classes="error", markup=False)
            yield Static("enter starts   tab next field   esc cancels", classes="keys")

    def result(self, values: dict[str, str]) -> Result:
        raise NotImplementedError

    def on_input_submitted(self) -> None:
        values = {field.name: self.query_one(f"#{field.name}", Input).value.strip() for field in self._fields}
        try:
            result = self.result(values)
        except RequestError as error:
            self.say(str(error))
        else:
            self.dismiss(result)

    def say(self, error: str) -> None:
        """Show what is wrong."""
        line = self.query_one(".error", Static)
        line.display = True
        line.update(Content(error))

    def action_cancel(self) -> None:
        self.dismiss(None)


def whole(label: str, text: str, least: int) -> int:
    """A whole number out of a field."""
    try:
        value = int(text)
    except ValueError:
        raise RequestError(f"{label}: {text or 'nothing'!r} is not a whole number") from None
    if value < least:
        raise RequestError(f"{label}: it is {least} at least, and {value} is less")
    return value


def number(label: str, text: str) -> float:
    """A number out of a field."""
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"{label}: {text or 'nothing'!r} is not a number") from None
