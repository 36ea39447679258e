"""Lists of lines, drawn line by line so that only changed lines are sent to the terminal, and panes with a border."""

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from packnet_tui.state.copied_tables import Table
from packnet_tui.state.marks import Marks
from packnet_tui.state.picture import Picture
from packnet_tui.workbench.app_interface import AppInterface


class Lines(Widget):
    """A widget that is a list of lines. `build` makes them; `redraw` sends those that changed."""

    DEFAULT_CSS = "Lines { height: 1; }"

    app: AppInterface

    def __init__(self, id: str | None = None):
        super().__init__(id=id)
        self._drawn: list[Text] = []

    @property
    def picture(self) -> Picture:
        return self.app.picture

    @property
    def marks(self) -> Marks:
        return self.app.marks

    def build(self, width: int, height: int) -> Sequence[Text]:
        """The lines for a size in cells; lines beyond it are cut off."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw the lines that have changed."""
        width, height = self.content_size
        if not (width and height):
            return
        lines = list(self.build(width, height))[:height]
        before, self._drawn = self._drawn, lines
        if len(before) != len(lines):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, lines, strict=True)):
            if old != new or old.spans != new.spans:
                self.refresh(Region(0, y, width, 1))

    def on_resize(self) -> None:
        self.redraw()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, style = self.content_size.width, self.rich_style
        if y >= len(self._drawn):
            return Strip.blank(width, style)
        return Strip(self._drawn[y].render(self.app.console)).apply_style(style).adjust_cell_length(width, style)


class Pane(Lines, can_focus=True):
    """A titled pane: fixed lines at its top and bottom, and rows between them that scroll.

    Moving moves the cursor if rows are `selectable`, else it scrolls. Rows whose name does not contain the `needle` are
    hidden.
    """

    DEFAULT_CSS = """
    Pane {
        height: 1fr;
        border: round $foreground 30%;
        border-title-color: $text;
        border-title-style: none;
        border-subtitle-color: $text-muted;
        &:focus { border: heavy $foreground 80%; border-title-style: bold; }
    }
    """

    number = 0
    title = ""
    selectable = False
    NEW: ClassVar[dict[str, Any]] = {"needle": "", "cursor": 0, "top": 0}  # what belongs to a file, before it was shown

    class Moved(Message):
        """The cursor moved."""

        def __init__(self, control: "Pane"):
            super().__init__()
            self.pane = control

        @property
        def control(self) -> "Pane":
            return self.pane

    def __init__(self, id: str | None = None):
        super().__init__(id)
        self.needle = ""
        self.rows: Sequence[int] = ()  # indices of the rows that are not hidden; `cursor` and `top` are positions in it
        self.cursor = 0
        self.top = 0
        self._room = 0  # rows that fit
        self._titled = ("", "")

    @property
    def place(self) -> dict[str, Any]:
        """Where the user is in this file: the values of the attributes in NEW."""
        return {name: getattr(self, name) for name in self.NEW}

    @place.setter
    def place(self, place: dict[str, Any]) -> None:
        for name, value in place.items():
            setattr(self, name, value)
        self.rows = ()  # those of the file before

    # -- to be overridden -----------------------------------------------------------------------------------------

    def count(self) -> int:
        """The number of rows."""
        return 0

    def row(self, index: int, width: int) -> Text:
        raise NotImplementedError

    def name_of(self, index: int) -> str:
        """The name by which a row is filtered."""
        return ""

    def table(self, shown: Sequence[int]) -> Table:
        """What `y` copies of some rows: a heading and the rows; empty if there is nothing to copy."""
        return []

    def ordered(self) -> str:
        """How the rows are ordered, if not as usual."""
        return ""

    def head(self, width: int) -> list[Text]:
        """Fixed lines at the top. It is called first when the pane is drawn."""
        return []

    def foot(self, width: int) -> list[Text]:
        """Fixed lines at the bottom."""
        return []

    def caption(self) -> str:
        """Text beside the title."""
        return ""

    def footnote(self) -> str:
        """Text in the lower border, in place of the scroll position."""
        return ""

    # -- drawing --------------------------------------------------------------------------------------------------

    def build(self, width: int, height: int) -> Sequence[Text]:
        head, foot = self.head(width), self.foot(width)
        if self.count() and len(head) + len(foot) >= height:  # rows matter more
            head, foot = [], foot if len(foot) < height else []
        self._room = max(0, height - len(head) - len(foot))
        kept = self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None
        self.rows = self._matching()
        if kept in self.rows:  # the order may be another one now
            self.cursor = self.rows.index(kept)
        self._clamp()
        rows = [self.row(i, width) for i in self.rows[self.top : self.top + self._room]]
        if self.needle and not rows:
            rows = [Text(f"  no match for {self.needle!r}; esc shows all", "dim")][: self._room]
        space = [Text("")] * (self._room - len(rows)) if foot else []
        self._titles()
        return [*head, *rows, *space, *foot]

    def _titles(self) -> None:
        """Set title and scroll position if they changed, since setting one redraws the whole pane."""
        caption = f"/{self.needle}  {len(self.rows)} of {self.count()}" if self.needle else self.caption()
        caption = "  ".join(filter(None, (self.ordered(), caption)))
        number = f"{self.number} " if self.number else ""
        title = f"{number}{self.title}" + (f"  {caption}" if caption else "")
        hidden = len(self.rows) > self._room > 0
        place = self.footnote() or f"{self.top + 1}–{self.top + self._room} of {len(self.rows)}" * hidden
        if (title, place) != self._titled:
            self._titled = (title, place)
            self.border_title = Content(title)
            self.border_subtitle = Content(place)

    def _clamp(self) -> None:
        self.cursor = min(max(self.cursor, 0), max(0, len(self.rows) - 1))
        if self.selectable:
            self.top = min(self.top, self.cursor)
            self.top = max(self.top, self.cursor - self._room + 1)
        self.top = min(max(self.top, 0), max(0, len(self.rows) - self._room))

    # -- moving ---------------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> int | None:
        """The row under the cursor."""
        rows = self.rows or self._matching()  # a pane without room was never built
        return rows[min(self.cursor, len(rows) - 1)] if rows else None

    def _matching(self) -> list[int]:
        needle = self.needle.casefold()
        return [i for i in range(self.count()) if not needle or needle in self.name_of(i).casefold()]

    def filter(self, needle: str) -> None:
        """Show only the rows whose name contains a text, in upper or lower case; an empty text shows all."""
        self.needle = needle
        self.redraw()
        self.post_message(self.Moved(self))

    def match(self, which: str) -> None:
        """Move to the next or previous row; after the last one comes the first."""
        step = 1 if which == "next" else -1
        self.cursor = (self.cursor + step) % max(1, len(self.rows))
        self.move("stay")

    def move(self, how: str) -> None:
        """Move the cursor, or scroll: down, up, first, last, half_down, half_up; stay only redraws."""
        half = max(1, self._room // 2)
        all = len(self.rows)
        by = {"down": 1, "up": -1, "half_down": half, "half_up": -half, "first": -all, "last": all, "stay": 0}
        if self.selectable:
            self.cursor += by[how]
        else:
            self.top += by[how]
        self.redraw()
        if self.selectable:
            self.post_message(self.Moved(self))

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move("down")

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move("up")

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if not (self.selectable and offset):
            return
        index = self.top + offset.y - len(self.head(self.content_size.width))
        if 0 <= index < len(self.rows):
            self.cursor = index
            self.redraw()
            self.post_message(self.Moved(self))
