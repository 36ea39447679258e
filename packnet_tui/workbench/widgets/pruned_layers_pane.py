"""The layers of a network after a pruning that is not done yet."""

from rich.text import Text
from textual.containers import Vertical

from packnet_tui.state import capacity
from packnet_tui.state.capacity import PrunedLayer
from packnet_tui.state.format import fitting, pad, percent
from packnet_tui.state.layer_names import layer_names, longest_name
from packnet_tui.state.picture import Picture
from packnet_tui.workbench.widgets.occupancy_pane import owner_bar
from packnet_tui.workbench.widgets.pane import Pane


class PrunedLayersPane(Pane):
    """One row per layer: its owners after the pruning; weights kept and freed; the share that is free afterwards."""

    DEFAULT_CSS = "PrunedLayersPane { height: auto; border: none; } PrunedLayersPane:focus { border: none; }"

    def __init__(self, picture: Picture, id: str | None = None):
        super().__init__(id)
        self.pruned = capacity.after_pruning(picture.layers, self.app.ratio)
        self.total = capacity.total(self.pruned)
        self._layers = tuple(layer.name for layer in self.pruned)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self.pruned) + 2

    def count(self) -> int:
        return len(self.pruned)

    def _titles(self) -> None:
        super()._titles()
        if isinstance(self.parent, Vertical):  # its own border, which would show the scroll position, is missing
            self.parent.border_subtitle = self.border_subtitle

    def head(self, width: int) -> list[Text]:
        name, bar, count = self._widths(width)
        what = fitting(bar, "owners after pruning, × = freed", "after pruning, × = freed", "× = freed", "")
        line = f"{pad('layer', name)}  {pad(what, bar)}"
        return [Text(f"{line} {'keeps':>{count}} {'frees':>{count}}   free", "dim")]

    def row(self, index: int, width: int) -> Text:
        return self._line(layer_names(self._layers, self._widths(width)[0])[index], self.pruned[index], width, "")

    def foot(self, width: int) -> list[Text]:
        return [self._line("total", self.total, width, "bold")]

    def _line(self, shown: str, layer: PrunedLayer, width: int, style: str) -> Text:
        name, bar, count = self._widths(width)
        line = Text(pad(shown, name) + "  ", style)
        line.append_text(owner_bar([*layer.sealed, layer.kept], layer.free, bar, self.marks, freed=layer.freed))
        free = percent(layer.free + layer.freed, layer.weights)
        line.append(f" {layer.kept:>{count},} {layer.freed:>{count},} {free:>6}")
        return line

    def _widths(self, width: int) -> tuple[int, int, int]:
        """Cells for the name, the bar, and each of the two counts."""
        count = max(5, len(f"{self.total.kept + self.total.freed:,}"))
        name = max(5, min(longest_name(self._layers), width // 4))
        return name, max(1, width - name - 2 * count - 11), count
