"""Forms: labelled fields, and below them the outcome or the error. Enter starts it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

from packnet_core.errors import RequestError
from packnet_tui.state.format import cut
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.dialog_help import Helped
from packnet_tui.workbench.screens.field_table import FieldTable, FormField
from packnet_tui.workbench.screens.field_values import Wrong

T = TypeVar("T")
AROUND = 9  # lines of a form that are not fields: border, help of the field, outcome, keys
WIDTH = 104  # as in the CSS
PAIRS = 76, 30  # columns from which fields are side by side, lines from which there is space around them
AS_LEFT, MORE = "as you left it; ^r resets", " F1 shows all"


class Form(ModalScreen[T | None], Helped, Generic[T]):
    """Asks for values and returns a `result`. If that raises RequestError, the form shows the error.

    What was typed and not sent is there again when a form of the same title opens in this session.
    """

    DEFAULT_CSS = """
    Form { align: center middle; }
    Form > Vertical {
        width: 104; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
        border: heavy $accent; border-title-color: $text; border-subtitle-color: $text-accent; background: $surface;
    }
    Form.tall > Vertical { padding: 1 2; }
    Form .fields { height: auto; overflow-y: auto; scrollbar-size-vertical: 1; }
    Form .quiet, Form .about { color: $text-muted; }
    Form .about { height: 2; }
    Form .outcome, Form .error { height: 3; }
    Form.tall .about, Form.tall .outcome, Form.tall .error { margin-top: 1; }
    Form .error { color: $text-error; display: none; }
    Form .keys { color: $text-muted; height: 1; }
    Form.tall .keys { margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "start, from any field"),
        Binding("tab", "tab", "complete the text, else to the next field"),
        Binding("shift+tab", "back", "to the field before"),
        Binding("down", "vertical(1)", "to the field below"),
        Binding("up", "vertical(-1)", "to the field above"),
        Binding("ctrl+r", "reset", "back to the values that the form opens with"),
        Binding("escape", "cancel", "close; what you typed is there when you open it again"),
        Binding("ctrl+c", "cancel", priority=True),
        Binding("question_mark", "nothing"),  # it is text
    ]
    KEYS = "enter starts   tab next field   ^r resets   F1 help   esc closes"

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

    def changed(self, name: str) -> None:
        """The text of a field changed."""

    def accept(self, result: T) -> None:
        """End the form with a result; called after Enter, if all fields are right."""
        self.end(result)

    # -- layout -----------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        kept = self.app.left_in_forms.get(self._place, {})
        self._table = FieldTable([replace(field, value=kept.get(field.name, field.value)) for field in self._fields])
        self._fit(self.app.size)  # now, while there are no widgets to style again
        with Vertical(classes="box") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content(AS_LEFT if kept else "")
            with Vertical(classes="fields") as fields:
                fields.styles.max_height = room = self._room(self.app.size)
                # laid out before it is mounted, so that it need not be moved, which would draw the screen again
                around = 6 if self.has_class("tall") else 4  # cells beside the fields: border and padding
                self._table.prepare(min(WIDTH, self.app.size.width) - around, room)
                yield self._table
            yield Static(self._about(), classes="about", markup=False)
            yield Static("", classes="outcome", markup=False)
            yield Static("", classes="error", markup=False)
            yield Static(self.KEYS, classes="keys", markup=False)

    def on_mount(self) -> None:
        self._show_outcome()

    def on_resize(self, event: events.Resize) -> None:
        self._fit(event.size)
        self.query_one(".fields").styles.max_height = self._room(event.size)

    def _fit(self, size: Size) -> None:
        """Choose columns, and space around the fields, for a screen's size."""
        columns, lines = PAIRS
        self._table.columns = 2 if size.width >= columns else 1
        self.set_class(size.height >= lines, "tall")

    def _room(self, size: Size) -> int:
        """The most lines of fields in a screen of a size."""
        return max(3, size.height - AROUND - 5 * self.has_class("tall"))

    def _about(self) -> str:
        """The help of the field in focus, as much as two lines hold."""
        text, room = self._table.fields[self._table.here].about, 2 * self._table.width - 12  # lines end with a word
        return text if len(text) <= room else f"{cut(text, room - len(MORE))}{MORE}"

    # -- values -----------------------------------------------------------------------------------------------------

    def values(self) -> dict[str, str]:
        return {name: text.strip() for name, text in self._table.texts.items()}

    def put(self, name: str, text: str) -> None:
        """Replace the text of a field."""
        self._table.put(name, text)

    def hint(self, name: str, text: str) -> None:
        """Replace the hint of a field."""
        self._table.hint(name, text)

    @property
    def table(self) -> FieldTable:
        return self._table

    @property
    def _place(self) -> tuple[str, str]:
        """Under which the app keeps what was typed: the file and the form's title."""
        return str(self.app.path), self._title

    def end(self, result: T | None) -> None:
        """Close the form. What was typed is kept until such a command is sent, which a question may follow."""
        values = self.values()
        typed = {field.name: values[field.name] for field in self._fields if values[field.name] != field.value}
        self.app.left_in_forms[self._place] = typed
        self.dismiss(result)

    def say(self, error: RequestError) -> None:
        """Show an error in the place of the outcome, and go to its field."""
        self._show_error(str(error))
        for field in self._fields:
            if isinstance(error, Wrong) and error.label == field.label:
                self._table.go(field.name)

    def _show_error(self, text: str) -> None:
        line = self.query_one(".error", Static)
        line.update(Content(text))
        line.display = bool(text)
        self.query_one(".outcome").display = not text

    def _show_outcome(self) -> None:
        line = self.query_one(".outcome", Static)
        try:
            text, fine = self.outcome(self.values()), True
        except RequestError as error:  # shown dim while the user types; after Enter it is an error
            text, fine = str(error), False
        line.update(Content(text))
        line.set_class(not fine, "quiet")

    # -- events and actions -----------------------------------------------------------------------------------------

    def on_field_table_changed(self, event: FieldTable.Changed) -> None:
        self.changed(event.name)
        self._show_error("")
        self._show_outcome()

    def on_field_table_moved(self) -> None:
        self.query_one(".about", Static).update(Content(self._about()))

    def on_input_submitted(self) -> None:
        self.action_submit()

    def action_submit(self) -> None:
        try:
            self.outcome(self.values())  # first, as while the user types: of two errors the same one is shown
            result = self.result(self.values())
        except RequestError as error:
            self.say(error)
        else:
            self.accept(result)

    async def action_tab(self) -> None:
        """Complete the text as far as it is clear, or go to the next field if there is nothing to complete."""
        if not await self._table.complete():
            self._table.go(self._table.beside(1))

    def action_back(self) -> None:
        self._table.go(self._table.beside(-1))

    def action_vertical(self, step: int) -> None:
        self._table.go(self._table.above_or_below(step))

    def action_reset(self) -> None:
        """Put back the values that the form opens with."""
        for field in self._fields:
            self.put(field.name, field.value)
        self.query_one(".box").border_subtitle = ""

    def action_cancel(self) -> None:
        self.end(None)

    def help_lines(self) -> list[tuple[str, str]]:
        return [(field.label, field.about) for field in self._fields]
