"""Forms: labelled fields, and below them the outcome or the error. Enter starts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from packnet_core.errors import RequestError
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.field_input import FieldInput
from packnet_tui.workbench.screens.field_values import Wrong

T = TypeVar("T")
AROUND = 7  # lines of a form that are not fields: border, outcome, keys
PAIRS = 72, 30  # columns from which fields are side by side, lines from which there is space around them


@dataclass(frozen=True)
class FormField:
    """One field of a form: `hint` is shown in it while it is empty.

    A `wide` field has its own line, above the other fields, and `below` lines of text under it.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    wide: bool = False
    below: int = 0
    suggester: Suggester | None = None


class Form(ModalScreen[T | None], Generic[T]):
    """Asks for values and returns a `result`. If that raises RequestError, the form shows the error."""

    DEFAULT_CSS = """
    Form { align: center middle; }
    Form > Vertical {
        width: 96; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
        border: heavy $accent; border-title-color: $text; background: $surface;
    }
    Form.tall > Vertical { padding: 1 2; }
    Form .fields { height: auto; overflow-y: auto; scrollbar-size-vertical: 1; }
    Form Line { height: 1; }
    Form Grid { grid-size: 1; grid-rows: 1; height: auto; }
    Form.pairs Grid { grid-size: 2; grid-gutter: 0 2; }
    Form Input { width: 1fr; margin-left: 16; height: 1; border: none; padding: 0 1; background: $surface-lighten-1; }
    Form Input:focus { border: none; background: $surface-lighten-2; }
    Form Input:focus:ansi { background: ansi_bright_black; }
    Form Input > .input--placeholder, Form Input > .input--suggestion { color: $text-muted; }
    Form .quiet, Form .below { color: $text-muted; }
    Form .outcome, Form .error { height: 3; margin-top: 1; }
    Form .error { color: $text-error; display: none; }
    Form .keys { color: $text-muted; }
    Form.tall .keys { margin-top: 1; }
    Form.tall .below { margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel"),
        Binding("down", "vertical(1)"),
        Binding("up", "vertical(-1)"),
        Binding("ctrl+c", "cancel", priority=True),
    ]
    KEYS = "enter starts   tab next field   esc cancels"

    app: AppInterface

    def __init__(self, title: str, fields: Sequence[FormField]):
        super().__init__()
        self._title, self._fields = title, fields

    # -- to be overridden -------------------------------------------------------------------------------------------

    def result(self, values: dict[str, str]) -> T:
        """The form's result. Raises RequestError: `Wrong` if one field is wrong."""
        raise NotImplementedError

    def outcome(self, values: dict[str, str]) -> str:
        """What the job would do, in words. Raises as `result` does."""
        return ""

    def accept(self, result: T) -> None:
        """End the form with a result; called after Enter, if all fields are right."""
        self.dismiss(result)

    # -- layout -----------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        self._fit(self.app.size)  # now, while there are no widgets to style again
        with Vertical() as box:
            box.border_title = Content(self._title)
            with Vertical(classes="fields"):
                for field in self._fields:
                    if field.wide:
                        yield Line(field)
                        if field.below:
                            below = Static(id=f"{field.name}-below", classes="below", markup=False)
                            below.styles.height = field.below
                            yield below
                with Grid():
                    yield from (Line(field) for field in self._fields if not field.wide)
            yield Static("", classes="outcome", markup=False)
            yield Static("", classes="error", markup=False)
            yield Static(self.KEYS, classes="keys", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        tall = self._fit(event.size)
        self.query_one(".fields").styles.max_height = max(3, event.size.height - AROUND - 3 * tall)

    def _fit(self, size: Size) -> bool:
        """Choose columns and space for a screen's size. Returns whether there is space around the fields."""
        columns, lines = PAIRS
        self.set_class(size.width >= columns, "pairs")
        self.set_class(size.height >= lines, "tall")
        return size.height >= lines

    def values(self) -> dict[str, str]:
        return {field.name: self.entry(field.name).value.strip() for field in self._fields}

    def entry(self, name: str) -> FieldInput:
        return self.query_one(f"#{name}", FieldInput)

    def say(self, error: RequestError) -> None:
        """Show an error in the place of the outcome, and go to its field."""
        self._show_error(str(error))
        for field in self._fields:
            if isinstance(error, Wrong) and error.label == field.label:
                self.entry(field.name).focus()

    def _show_error(self, text: str) -> None:
        line = self.query_one(".error", Static)
        line.update(Content(text))
        line.display = bool(text)
        self.query_one(".outcome").display = not text

    # -- events and actions -----------------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        self._show_error("")
        line = self.query_one(".outcome", Static)
        try:
            text, fine = self.outcome(self.values()), True
        except RequestError as error:  # shown dim while the user types; after Enter it is an error
            text, fine = str(error), False
        line.update(Content(text))
        line.set_class(not fine, "quiet")

    def on_input_submitted(self) -> None:
        try:
            self.outcome(self.values())  # first, as while the user types: of two errors the same one is shown
            result = self.result(self.values())
        except RequestError as error:
            self.say(error)
        else:
            self.accept(result)

    def action_vertical(self, step: int) -> None:
        """Go to the field above or below, in the same column."""
        here = self.focused.region if self.focused else self.region
        there = [entry for entry in self.query(FieldInput) if (entry.region.y - here.y) * step > 0]
        nearest = min(there, key=lambda e: (abs(e.region.y - here.y), abs(e.region.x - here.x)), default=None)
        if nearest:
            nearest.focus()

    def action_cancel(self) -> None:
        self.dismiss(None)


class Line(Widget):
    """A field with its label. The line draws the label: a widget for it would make the form slower to open."""

    def __init__(self, field: FormField):
        entry = FieldInput(
            field.value, placeholder=field.hint, id=field.name, select_on_focus=False, suggester=field.suggester
        )
        super().__init__(entry)
        self._label = Content(field.label)

    def render(self) -> Content:
        return self._label
