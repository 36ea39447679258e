"""Pane 4: the selected layer in numbers: how much each task owns, and how much pruning would keep and free."""

from collections.abc import Sequence

from rich.text import Text

from packnet_tui.state import format, tables
from packnet_tui.state.capacity import after_pruning
from packnet_tui.state.format import cut_middle, pad, percent
from packnet_tui.state.marks import glyph
from packnet_tui.state.tables import Table
from packnet_tui.workbench.widgets.occupancy_pane import OccupancyPane
from packnet_tui.workbench.widgets.pane import Pane


class LayerPane(Pane):
    """The layer under the cursor of the occupancy pane."""

    number = 4
    title = "Layer"

    def __init__(self, occupancy: OccupancyPane, id: str | None = None):
        super().__init__(id)
        self._occupancy = occupancy
        self._lines: list[Text] = []

    def head(self, width: int) -> list[Text]:
        self._lines = self._all(width)
        return []

    def table(self, shown: Sequence[int]) -> Table:
        return tables.owners(self.picture, self._occupancy.selected)

    def count(self) -> int:
        return len(self._lines)

    def row(self, index: int, width: int) -> Text:
        return self._lines[index]

    def _all(self, width: int) -> list[Text]:
        layer = self._occupancy.selected
        if layer is None:
            return [Text("no layer", "dim")]
        shape = "×".join(map(str, layer.shape))
        lines = [
            Text(f" {cut_middle(layer.name, width - 2)}", "bold"),
            Text(f" {shape} = {layer.weights:,} weights", "dim"),
        ]
        digits = len(f"{layer.weights:,}")
        names = [task.name for task in self.picture.tasks]
        name_width = max(4, min(24, width - digits - 13))
        for owner, (name, count) in enumerate(zip(names, layer.owned, strict=False), 1):
            line = Text(" ")
            line.append(glyph(owner), f"bold {self.marks.colour(owner)}")
            line.append(f" {pad(name, name_width)} {count:>{digits},} {percent(count, layer.weights):>6}")
            lines.append(line)
        free = f" · {pad('free', name_width)} {layer.free:>{digits},} {percent(layer.free, layer.weights):>6}"
        lines.append(Text(free))
        open_task = self.picture.open_task
        if open_task and layer.owned:
            after = after_pruning([layer], self.app.ratio)[0]
            kept = f" at {self.app.ratio:g} {pad(open_task.name, min(name_width, 12)).rstrip()}"
            kept += f" keeps {after.kept:,}, frees {after.freed:,}"
            lines.append(Text(format.cut(kept, width), "italic"))
        return lines
