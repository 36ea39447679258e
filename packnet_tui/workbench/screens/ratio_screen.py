"""The base of the screens on which arrows and digits set the pruning ratio in hand, with a list of layers to scroll."""

from typing import ClassVar, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.dialog_help import Helped
from packnet_tui.workbench.widgets.pane import Pane

T = TypeVar("T")
STEP = 0.05


class RatioScreen(ModalScreen[T | None], Helped):
    """Sets `app.ratio`; leaving it with Escape brings the former ratio back. A subclass shows it in `show`."""

    DEFAULT_CSS = """
    RatioScreen { align: center middle; }
    RatioScreen > Vertical {
        width: 100; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
        border: heavy $accent; border-title-color: $text; background: $surface;
    }
    RatioScreen .quiet { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+c", "cancel", "close; nothing is changed"),
        Binding("right,plus,l", f"change({STEP})", f"{STEP:g} more"),
        Binding("left,minus,h", f"change(-{STEP})", f"{STEP:g} less"),
        Binding("backspace", "erase", "delete a typed digit"),
        Binding("down,j", "scroll('down')", "down in the layers"),
        Binding("up,k", "scroll('up')", "up in the layers"),
        Binding("ctrl+d,pagedown", "scroll('half_down')", "half a page down"),
        Binding("ctrl+u,pageup", "scroll('half_up')", "half a page up"),
        Binding("g,home", "scroll('first')", "to the first layer"),
        Binding("G,shift+g,end", "scroll('last')", "to the last layer"),
    ]

    app: AppInterface

    def __init__(self) -> None:
        super().__init__()
        self._ratio_before = self.app.ratio
        self._typed = ""  # digits

    @property
    def ratio(self) -> float:
        return self.app.ratio

    @property
    def inside(self) -> int:
        """Cells of a line in the dialog."""
        return min(self.app.size.width, 100) - 4

    def show(self) -> None:
        """Show all that depends on the ratio."""
        raise NotImplementedError

    def set_ratio(self, ratio: float) -> None:
        self.app.ratio = min(1.0, max(0.0, round(ratio, 6)))
        self.show()

    def action_change(self, by: float) -> None:
        self._typed = ""
        self.set_ratio(self.ratio + by)

    def on_key(self, event: events.Key) -> None:
        if event.character and event.character in "0123456789.":
            event.stop()
            self._type(self._typed + event.character)

    def action_erase(self) -> None:
        self._type(self._typed[:-1])

    def _type(self, text: str) -> None:
        ratio = typed_ratio(text)
        if ratio is not None:
            self._typed = text
            self.set_ratio(ratio)

    def action_scroll(self, how: str) -> None:
        self.query_one(Pane).move(how)

    def action_cancel(self) -> None:
        self.app.ratio = self._ratio_before
        self.dismiss(None)


def typed_ratio(text: str) -> float | None:
    """Typed digits as a ratio: 6 is 0.6, 75 is 0.75; with a point, as written. None if they are not a ratio."""
    if text in ("", "0.", "."):
        return 0.0
    try:
        ratio = float(text if "." in text else f"0.{text}")
    except ValueError:
        return None
    return ratio if 0 <= ratio <= 1 and len(text) <= 8 else None


def shown_ratio(ratio: float) -> str:
    """A ratio with two decimals, or with as many as it needs."""
    return f"{ratio:.2f}" if round(ratio, 2) == ratio else f"{ratio:.6g}"
