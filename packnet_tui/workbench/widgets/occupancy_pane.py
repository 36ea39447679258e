"""Pane 1: the owners of each layer, as bars of the tasks' glyphs, and the share that is free."""

from collections.abc import Sequence

from rich.text import Text

from packnet_core.schema.document import Layer
from packnet_tui.state import copied_tables
from packnet_tui.state.bars import cells
from packnet_tui.state.copied_tables import Table
from packnet_tui.state.format import pad, percent, short
from packnet_tui.state.layer_names import layer_names, longest_name
from packnet_tui.state.look import LayerOrder
from packnet_tui.state.marks import Marks, glyph
from packnet_tui.workbench.actions import bindings
from packnet_tui.workbench.widgets.pane import Pane

FREE_WIDTH, COUNT_WIDTH = 6, 4
NAME_WIDTH, BAR_WIDTH = 22, 20  # the least for names, if bars have as much as they need


def owner_bar(counts: Sequence[int], free: int, width: int, marks: Marks, freed: int = 0) -> Text:
    """A bar of `width` cells: the tasks in order, then weights that a pruning would free (×), then free weights (·).

    A task is a block of its colour that begins with its digit; without colours, all of it is digits.
    `counts` are numbers of weights per task; `free` and `freed` are numbers of weights too.
    """
    bar = Text()
    *owned, would_be, rest = cells([*counts, freed, free], width)
    for owner, count in enumerate(owned, 1):
        if marks.solid and count:
            bar.append(glyph(owner).ljust(count), marks.block(owner))
        else:
            bar.append(glyph(owner) * count, marks.colour(owner))
    bar.append("×" * would_be, "dim")
    bar.append("·" * rest, "dim")
    return bar


class OccupancyPane(Pane):
    """One row per layer with its owners; the total below is always shown."""

    number = 1
    title = "Occupancy"
    selectable = True
    BINDINGS = bindings(pane=1)

    def __init__(self, id: str | None = None):
        super().__init__(id)
        self._widths = 0, 0  # cells for the name and for the bar
        self._names: tuple[str, ...] = ()  # of all layers, for that width
        self.order: LayerOrder = "depth"

    def caption(self) -> str:
        return "1 = task 1, · = free"

    @property
    def wanted_height(self) -> int:
        """The lines that all layers, the heading, the total and the border take."""
        return len(self.picture.layers) + 4

    def count(self) -> int:
        return len(self.picture.layers)

    @property
    def selected(self) -> Layer | None:
        """The layer under the cursor."""
        layers = self.picture.layers
        return layers[self.chosen] if self.chosen is not None and self.chosen < len(layers) else None

    def name_of(self, index: int) -> str:
        return self.picture.layers[index].name

    def table(self, shown: Sequence[int]) -> Table:
        return copied_tables.layers(self.picture, shown)

    def ordered(self) -> str:
        return "" if self.order == "depth" else f"by {self.order}"

    def _matching(self) -> list[int]:
        layers = self.picture.layers
        match self.order:
            case "size":
                return sorted(super()._matching(), key=lambda i: -layers[i].weights)
            case "free":
                return sorted(super()._matching(), key=lambda i: -layers[i].free / layers[i].weights)
        return super()._matching()

    def set_order(self, order: LayerOrder) -> None:
        """Order the layers; the cursor stays on its layer."""
        kept, self.order = self.chosen, order
        self.rows = self._matching()
        self.cursor = self.rows.index(kept) if kept in self.rows else 0
        self.redraw()

    def head(self, width: int) -> list[Text]:
        self._widths = name, bar = self._room_for(width)
        self._names = layer_names(tuple(layer.name for layer in self.picture.layers), name)
        if self.content_size.height < min(12, self.wanted_height - 2):
            return []
        line = f"  {pad('layer', name)}  {pad('weights by owner', bar)} {'free':>{FREE_WIDTH}} {'n':>{COUNT_WIDTH}}"
        return [Text(line, "dim")]

    def row(self, index: int, width: int) -> Text:
        layer = self.picture.layers[index]
        chosen = index == self.chosen
        return self._line("> " if chosen else "  ", self._names[index], layer.owned, layer.weights, chosen)

    def foot(self, width: int) -> list[Text]:
        picture = self.picture
        owned, weights = [task.owned for task in picture.tasks], picture.weights
        if self.needle:
            found = [picture.layers[i] for i in self.rows]
            owned = [sum(counts) for counts in zip(*(layer.owned for layer in found), strict=True)]
            weights = sum(layer.weights for layer in found)
        return [self._line("  ", self._total, owned, weights, True)]

    @property
    def _total(self) -> str:
        """What the last line is called."""
        return f"shown {len(self._matching())} of {self.count()}" if self.needle else "total"

    def _line(self, mark: str, name: str, owned: Sequence[int], weights: int, strong: bool) -> Text:
        name_width, bar_width = self._widths
        free = weights - sum(owned)
        line = Text(mark + pad(name, name_width), "bold" if strong else "")
        line.append("  ")
        line.append_text(owner_bar(owned, free, bar_width, self.marks))
        line.append(f" {percent(free, weights):>{FREE_WIDTH}} {short(weights):>{COUNT_WIDTH}}")
        return line

    def _room_for(self, width: int) -> tuple[int, int]:
        longest = longest_name(layer.name for layer in self.picture.layers)
        rest = FREE_WIDTH + COUNT_WIDTH + 6
        name = max(5, len(self._total), min(longest, max(width // 3, min(NAME_WIDTH, width - rest - BAR_WIDTH))))
        return name, max(1, width - name - rest)
