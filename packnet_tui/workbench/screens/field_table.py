"""The fields of a form in one widget, with one input at the field that is edited.

A widget per field made the form slow to open: each of thirty inputs is styled, laid out and mounted by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from packnet_tui.state.format import cut, cut_after_word, pad
from packnet_tui.workbench.screens.field_input import DataSuggester, FieldInput

GAP = 2  # cells between two columns
WIDE_LABEL = 8  # cells for the label of a wide field, at least


@dataclass(frozen=True)
class FormField:
    """One field of a form: `hint` is shown in it while it is empty, `about` below the form while it is edited.

    A `wide` field has its own line, above the other fields, and `below` lines of text under it.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    about: str = ""
    wide: bool = False
    below: int = 0
    suggester: Suggester | None = None


class FieldTable(Widget):
    """Labels, texts and hints. `here` is the field in focus.

    Posts Changed when a text changes, Moved when `here` does.
    """

    DEFAULT_CSS = """
    FieldTable { height: auto; }
    FieldTable > .table--text { background: $surface-lighten-1; }
    FieldTable > .table--hint { background: $surface-lighten-1; color: $text-muted; }
    FieldTable:ansi > .table--hint { background: ansi_default; color: ansi_default; text-style: dim; }
    FieldTable > FieldInput, FieldTable > FieldInput:focus {
        position: absolute; width: 10; height: 1; border: none; padding: 0 1; background: $surface-lighten-2;
    }
    FieldTable > FieldInput:focus:ansi { background: ansi_bright_black; }
    FieldTable > FieldInput > .input--placeholder, FieldTable > FieldInput > .input--suggestion { color: $text-muted; }
    FieldTable > .below { position: absolute; width: 10; color: $text-muted; }
    """
    COMPONENT_CLASSES = {"table--text", "table--hint"}  # noqa: RUF012  # as Textual declares it

    class Changed(Message):
        """The text of a field changed, by the user or by `put`."""

        def __init__(self, name: str):
            super().__init__()
            self.name = name

    class Moved(Message):
        """Another field has the focus."""

    def __init__(self, fields: Sequence[FormField]):
        self.fields = {field.name: field for field in fields}
        self.texts = {field.name: field.value for field in fields}
        self._hints = {field.name: field.hint for field in fields}
        self.here = fields[0].name
        self.columns = 1
        self.width = 0  # in cells
        self._unclear = ""  # a text with several completions, whose common part it has
        self._boxes: dict[str, Region] = {}  # where the text of each field is
        self._labels: dict[str, tuple[int, int]] = {}  # where its label is, and in how many cells
        first = fields[0]
        self._input = FieldInput(first.value, placeholder=first.hint, suggester=first.suggester, select_on_focus=False)
        self._below = {
            field.name: Static(id=f"{field.name}-below", classes="below", markup=False)
            for field in fields
            if field.below
        }
        super().__init__(self._input, *self._below.values())

    # -- texts ------------------------------------------------------------------------------------------------------

    def put(self, name: str, text: str) -> None:
        """Replace the text of a field."""
        if text == self.texts[name]:
            return
        self.texts[name] = text
        if name == self.here:
            self._show_here()
        self.refresh()
        self.post_message(self.Changed(name))

    def hint(self, name: str, text: str) -> None:
        """Replace the hint of a field."""
        if text != self._hints[name]:
            self._hints[name] = text
            if name == self.here:
                self._input.placeholder = text
            self.refresh()

    def hint_of(self, name: str) -> str:
        return self._hints[name]

    def go(self, name: str) -> None:
        """Edit another field."""
        if name != self.here:
            self.here = name
            self._show_here()
            self.refresh()
            self._place()
            self.post_message(self.Moved())

    async def complete(self) -> bool:
        """Complete the text of the field in focus. Returns False if there is nothing to complete, or not any more."""
        suggester, text = self.fields[self.here].suggester, self._input.value
        found = await suggester.completed(text) if isinstance(suggester, DataSuggester) else None
        if found is None or found == self._unclear:
            return False
        self._unclear = found if found == text else ""  # the next time it leaves the field
        self._input.value = found
        self._input.cursor_position = len(found)
        return True

    def beside(self, step: int) -> str:
        """The field after the one in focus, or before it for -1; the first comes after the last."""
        names = list(self.fields)
        return names[(names.index(self.here) + step) % len(names)]

    def above_or_below(self, step: int) -> str:
        """The nearest field below the one in focus, or above it for -1, in the same column; itself if there is none."""
        here = self._boxes[self.here]
        there = [(name, box) for name, box in self._boxes.items() if (box.y - here.y) * step > 0]
        nearest = min(there, key=lambda pair: (abs(pair[1].y - here.y), abs(pair[1].x - here.x)), default=None)
        return nearest[0] if nearest else self.here

    def box(self, name: str) -> Region:
        """Where the text of a field is, in this widget."""
        return self._boxes[name]

    def _show_here(self) -> None:
        field = self.fields[self.here]
        with self._input.prevent(Input.Changed):
            self._input.value = ""  # drops a proposed completion
            self._input.suggester = field.suggester
            self._input.placeholder = self._hints[field.name]
            self._input.value = self.texts[field.name]
        self._input.cursor_position = len(self._input.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value == self._input.value != self.texts[self.here]:  # else it is about the field before
            self.texts[self.here] = event.value
            self.post_message(self.Changed(self.here))

    def on_click(self, event: events.Click) -> None:
        if offset := event.get_content_offset(self):
            for name, box in self._boxes.items():
                at, _ = self._labels[name]
                if box.y == offset.y and at <= offset.x < box.right:
                    self.go(name)

    # -- layout -----------------------------------------------------------------------------------------------------

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        wide = [field for field in self.fields.values() if field.wide]
        rest = len(self.fields) - len(wide)
        return sum(1 + field.below for field in wide) + -(-rest // self.columns)

    def prepare(self, width: int, height: int) -> None:
        """Lay out the fields for a width, from which a scroll bar is taken if they do not fit the height."""
        scrolls = self.get_content_height(Size(), Size(), width) > height
        self._lay_out(width - scrolls)

    def on_resize(self) -> None:
        self._lay_out(self.content_size.width)
        self._place()
        self.refresh()

    def _lay_out(self, width: int) -> None:
        """Place every field, and the widgets in them, for a width in cells."""
        self.width = width
        self._place_fields(width)
        for name, text in self._below.items():
            box = self._boxes[name]
            text.styles.offset = (box.x, box.y + 1)
            text.styles.width, text.styles.height = box.width, self.fields[name].below
        here = self._boxes[self.here]
        self._input.styles.offset, self._input.styles.width = here.offset, here.width

    def _place_fields(self, width: int) -> None:
        """Compute the place of every field for a width in cells."""
        y = 0
        rest = [field for field in self.fields.values() if not field.wide]
        wide = [field for field in self.fields.values() if field.wide]
        label = max([WIDE_LABEL, *(cell_len(field.label) + 1 for field in wide)])
        for field in wide:
            self._labels[field.name] = 0, label
            self._boxes[field.name] = Region(label, y, max(4, width - label), 1)
            y += 1 + field.below
        columns = [rest[i :: self.columns] for i in range(self.columns)]
        labels = [max((cell_len(field.label) for field in column), default=0) + 1 for column in columns]
        text = max(4, (width - GAP * (self.columns - 1) - sum(labels)) // self.columns)
        for i, column in enumerate(columns):
            x = sum(labels[:i]) + i * (text + GAP)
            for row, field in enumerate(column):
                self._labels[field.name] = x, labels[i]
                self._boxes[field.name] = Region(x + labels[i], y + row, text, 1)

    def _place(self) -> None:
        """Put the input at its field, and scroll there."""
        box = self._boxes[self.here]
        self._input.styles.offset, self._input.styles.width = box.offset, box.width
        if isinstance(self.parent, Widget):
            self.parent.scroll_to_region(box, animate=False)

    def render_line(self, y: int) -> Strip:
        width, plain = self.content_size.width, self.rich_style
        segments, end = [], 0
        for name, box in sorted(self._boxes.items(), key=lambda pair: pair[1].x):
            if box.y == y:
                at, cells = self._labels[name]
                segments.append(Segment(" " * (at - end) + pad(self.fields[name].label, cells), plain))
                segments.append(self._text(name, box.width))
                end = box.right
        return Strip(segments).adjust_cell_length(width, plain)

    def _text(self, name: str, width: int) -> Segment:
        """The text of a field, or its hint, in its box."""
        text = self.texts[name]
        style: Style = self.get_component_rich_style("table--text" if text else "table--hint")
        shown = cut(text, width - 2) if text else cut_after_word(self._hints[name], width - 2)
        return Segment(f" {pad(shown, width - 2)} ", style)
