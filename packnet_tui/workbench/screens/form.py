"""What forms are made of: labelled fields, what would follow from them or what is wrong below, Enter to start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Label, Static

from packnet_core.errors import RequestError
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.field_input import FieldInput
from packnet_tui.workbench.screens.field_values import Wrong

Result = TypeVar("Result")
AROUND = 7  # lines of a form that are not fields: border, what would follow, keys
PAIRS = 72, 30  # columns from which fields stand side by side, lines from which there is space around


@dataclass(frozen=True)
class Field:
    """One field of a form: `hint` stands in it while it is empty.

    A `wide` one has a line of its own, above all others, with `below` lines under it to say something about it.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    wide: bool = False
    below: int = 0
    suggester: Suggester | None = None


class Form(ModalScreen[Result | None], Generic[Result]):
    """Fields in, a value out. `result` makes it, or raises RequestError, which is shown in the form."""

    DEFAULT_CSS = """
    Form { align: center middle; }
    Form > Vertical {
        width: 96; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
        border: heavy $accent; border-title-color: $text; background: $surface;
    }
    Form.tall > Vertical { padding: 1 2; }
    Form .fields { height: auto; overflow-y: auto; scrollbar-size-vertical: 1; }
    Form .fields Horizontal { height: 1; }
    Form Grid { grid-size: 1; grid-rows: 1; height: auto; }
    Form.pairs Grid { grid-size: 2; grid-gutter: 0 2; }
    Form Label { width: 15; }
    Form Input { width: 1fr; height: 1; border: none; padding: 0 1; background: $surface-lighten-1; }
    Form Input:focus { border: none; background: $surface-lighten-2; }
    Form Input:focus:ansi { background: ansi_bright_black; }
    Form Input > .input--placeholder, Form Input > .input--suggestion { color: $text-muted; }
    Form .quiet, Form .below { color: $text-muted; }
    Form .plan, Form .error { height: 3; margin-top: 1; }
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

    def __init__(self, title: str, fields: Sequence[Field]):
        super().__init__()
        self._title, self._fields = title, fields

    # -- what a form is ---------------------------------------------------------------------------------------------

    def result(self, values: dict[str, str]) -> Result:
        """What the fields mean. Raises RequestError, `Wrong` where one field is to blame."""
        raise NotImplementedError

    def plan(self, values: dict[str, str]) -> str:
        """What would be done, in words. Raises as `result` does."""
        return ""

    def accept(self, result: Result) -> None:
        """Enter was pressed, and the fields make sense."""
        self.dismiss(result)

    # -- how it looks -----------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            with Vertical(classes="fields"):
                for field in self._fields:
                    if field.wide:
                        yield _line(field)
                        if field.below:
                            below = Static(id=f"{field.name}-below", classes="below", markup=False)
                            below.styles.height = field.below
                            yield below
                with Grid():
                    yield from (_line(field) for field in self._fields if not field.wide)
            yield Static("", classes="plan", markup=False)
            yield Static("", classes="error", markup=False)
            yield Static(self.KEYS, classes="keys", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        columns, lines = PAIRS
        tall = event.size.height >= lines
        self.set_class(event.size.width >= columns, "pairs")
        self.set_class(tall, "tall")
        self.query_one(".fields").styles.max_height = max(3, event.size.height - AROUND - 3 * tall)

    def values(self) -> dict[str, str]:
        return {field.name: self.entry(field.name).value.strip() for field in self._fields}

    def entry(self, name: str) -> FieldInput:
        return self.query_one(f"#{name}", FieldInput)

    def say(self, error: RequestError) -> None:
        """Show what is wrong, in the place of what would be done, and go to the field that is."""
        self._show_error(str(error))
        for field in self._fields:
            if isinstance(error, Wrong) and error.label == field.label:
                self.entry(field.name).focus()

    def _show_error(self, text: str) -> None:
        line = self.query_one(".error", Static)
        line.update(Content(text))
        line.display = bool(text)
        self.query_one(".plan").display = not text

    # -- what happens -----------------------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        self._show_error("")
        plan = self.query_one(".plan", Static)
        try:
            text, fine = self.plan(self.values()), True
        except RequestError as error:  # not an alarm while one types; Enter makes it one
            text, fine = str(error), False
        plan.update(Content(text))
        plan.set_class(not fine, "quiet")

    def on_input_submitted(self) -> None:
        try:
            result = self.result(self.values())
        except RequestError as error:
            self.say(error)
        else:
            self.accept(result)

    def action_vertical(self, step: int) -> None:
        """To the field above or below, in the same column where there are two."""
        here = self.focused.region if self.focused else self.region
        there = [entry for entry in self.query(FieldInput) if (entry.region.y - here.y) * step > 0]
        nearest = min(there, key=lambda e: (abs(e.region.y - here.y), abs(e.region.x - here.x)), default=None)
        if nearest:
            nearest.focus()

    def action_cancel(self) -> None:
        self.dismiss(None)


def _line(field: Field) -> Horizontal:
    entry = FieldInput(
        field.value, placeholder=field.hint, id=field.name, select_on_focus=False, suggester=field.suggester
    )
    return Horizontal(Label(field.label, markup=False), entry)
