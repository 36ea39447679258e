"""The layers of a network with the tasks that still fit."""

from collections.abc import Sequence

from rich.text import Text
from textual.containers import Vertical

from packnet_core.planning.forecast import Forecast, Room
from packnet_tui.state.format import fitting, pad, percent
from packnet_tui.state.layer_names import layer_names, longest_name
from packnet_tui.workbench.widgets.occupancy_pane import owner_bar
from packnet_tui.workbench.widgets.pane import Pane

FREE, FIT = 6, 5  # cells of the columns on the right


class ForecastPane(Pane):
    """One row per layer: its owners with those of further tasks, the free share, how many fit, what the next owns."""

    DEFAULT_CSS = "ForecastPane { height: auto; border: none; } ForecastPane:focus { border: none; }"

    def __init__(self, found: Forecast):
        super().__init__()
        self.found = found
        self._layers = tuple(layer.name for layer in found.layers)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return self.count() + 2

    def count(self) -> int:
        return len(self.found.layers)

    def _titles(self) -> None:
        super()._titles()
        if isinstance(self.parent, Vertical):  # it has no border of its own to show the scroll position
            self.parent.border_subtitle = self.border_subtitle

    def head(self, width: int) -> list[Text]:
        name, bar, count = self._widths(width)
        what = fitting(bar, "owners now, then further tasks", "with further tasks", "owners", "")
        line = f"{pad('layer', name)}  {pad(what, bar)} {'free':>{FREE}} {'tasks':>{FIT}} {'next owns':>{count}}"
        return [Text(line, "dim")]

    def row(self, index: int, width: int) -> Text:
        name = layer_names(self._layers, self._widths(width)[0])[index]
        return self._line(name, self.found.layers[index], self.picture.layers[index].owned, width, "")

    def foot(self, width: int) -> list[Text]:
        owned = [task.owned for task in self.picture.tasks]
        return [self._line("total", self.found.total, owned, width, "bold")]

    def _line(self, shown: str, room: Room, owned: Sequence[int], width: int, style: str) -> Text:
        name, bar, count = self._widths(width)
        line = Text(pad(shown, name) + "  ", style)
        freed = room.free - (room.weights - sum(owned))  # by the pruning that comes first
        now = [*owned[:-1], *(count - freed for count in owned[-1:])]
        line.append_text(owner_bar([*now, *room.owns], room.free - sum(room.owns), bar, self.marks))
        owns = f"{room.owns[0]:,}" if room.owns else "–"
        return line.append(f" {percent(room.free, room.weights):>{FREE}} {room.tasks:>{FIT}} {owns:>{count}}", style)

    def _widths(self, width: int) -> tuple[int, int, int]:
        """Cells for the name, the bar, and the count of weights."""
        count = max(9, len(f"{self.found.total.owns[0]:,}") if self.found.total.owns else 0)
        name = max(5, min(longest_name(self._layers), width // 4))
        return name, max(1, width - name - FREE - FIT - count - 5), count
