"""Help for the dialog that is open: what it is, and its keys, which are its bindings."""

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from packnet_core.schema.text import printable
from packnet_tui.state.format import pad

NAMES = {
    "question_mark": "?", "escape": "esc", "left": "←", "right": "→", "up": "↑", "down": "↓", "plus": "+",
    "minus": "-", "shift+tab": "S-tab", "f1": "F1",
}  # fmt: skip
SAME = ("ctrl+c", "home", "end", "pagedown", "pageup", "shift+g", "shift+e", "shift+n")  # other keys do the same


class Helped(Screen[Any]):
    """A screen with help of its own: `?` where no text is typed, else F1.

    Another base class comes before it: Textual takes the style of the first one only.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1", "dialog_help", "this help")]
    ABOUT: ClassVar[str] = ""  # what the screen is, in a sentence or two

    def help_lines(self) -> list[tuple[str, str]]:
        """Further lines of help, as pairs of a name and what it means."""
        return []

    def action_dialog_help(self) -> None:
        self.app.push_screen(DialogHelp(self.ABOUT, keys_of(self), self.help_lines()))


class DialogHelp(ModalScreen[None]):
    """A text that scrolls, with a table of keys."""

    DEFAULT_CSS = """
    DialogHelp { align: center middle; }
    DialogHelp > VerticalScroll {
        width: 90; max-width: 96%; height: auto; max-height: 96%; padding: 0 1;
        border: heavy $accent; border-title-color: $text; background: $surface; scrollbar-size-vertical: 1;
    }
    DialogHelp Static { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,f1,ctrl+c", "dismiss"),
        Binding("j,down", "scroll(1)"),
        Binding("k,up", "scroll(-1)"),
    ]

    def __init__(self, about: str, keys: Sequence[tuple[str, str]], more: Sequence[tuple[str, str]]):
        super().__init__()
        self._about, self._keys, self._more = about, keys, more

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "Help"
            box.border_subtitle = "j k scroll, esc closes"
            if self._about:
                yield Static(Text(f"{self._about}\n"))
            yield Static(_rows(self._keys))
            for name, meaning in self._more:
                yield Static(Text.assemble("\n", (printable(name), "bold"), f"\n  {printable(meaning)}"))

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


def keys_of(screen: Screen[Any]) -> list[tuple[str, str]]:
    """The keys of a screen's own bindings that have a description, and the descriptions."""
    found: dict[str, list[str]] = {}
    taken: set[str] = set()  # by a class nearer to the screen's own
    for kind in type(screen).__mro__:
        if not kind.__module__.startswith("packnet_tui"):
            continue
        for binding in kind.__dict__.get("BINDINGS", ()):
            for key in binding.key.split(","):
                if key not in taken and binding.description and key not in SAME:
                    found.setdefault(binding.description, []).append(NAMES.get(key, key.replace("ctrl+", "^")))
                taken.add(key)
    return [(" ".join(keys), description) for description, keys in found.items()]


def _rows(pairs: Sequence[tuple[str, str]]) -> Text:
    width = max((cell_len(left) for left, _ in pairs), default=0) + 2
    return Text("\n".join(f"{pad(left, width)}{right}" for left, right in pairs))
