"""Pane 1: the owners of each layer, as bars of the tasks' glyphs, and the share that is free."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from packnet_core.schema.document import Layer
from packnet_tui.state import tables
from packnet_tui.state.bars import cells
from packnet_tui.state.format import cut_middle, pad, percent, short
from packnet_tui.state.look import Order
from packnet_tui.state.marks import Marks, glyph
from packnet_tui.state.tables import Table
from packnet_tui.workbench.actions import bindings
from packnet_tui.workbench.widgets.pane import Pane

FREE_WIDTH, COUNT_WIDTH = 6, 4


def layer_name(name: str, width: int | None = None) -> str:
    """A layer's name in at most `width` cells, without the final `weight` that nearly all have.

    If it does not fit, words are shortened to their first letter and number, from the left, so that the blocks of a
    network still differ: `encoder.layers.encoder_layer_11.mlp.0` becomes `e.l.e11.mlp.0`.
    """
    words = (name.removesuffix("weight").rstrip("._") or name).split(".")
    for i, word in enumerate(words[:-1]):
        if width is None or cell_len(".".join(words)) <= width:
            break
        words[i] = word[:1] + word[len(word.rstrip("0123456789")) :] if not word.isdigit() else word
    return ".".join(words) if width is None else cut_middle(".".join(words), width)


def owner_bar(counts: Sequence[int], free: int, width: int, marks: Marks, freed: int = 0) -> Text:
    """A bar of `width` cells: the tasks in order, then weights that a pruning would free (×), then free weights (·).

    `counts` are numbers of weights per task; `free` and `freed` are numbers of weights too.
    """
    bar = Text()
    *owned, would_be, rest = cells([*counts, freed, free], width)
    for owner, count in enumerate(owned, 1):
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
        self.order: Order = "depth"

    def caption(self) -> str:
        return "1 = task 1, · = free"

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
        return tables.layers(self.picture, shown)

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

    def set_order(self, order: Order) -> None:
        """Order the layers; the cursor stays on its layer."""
        kept, self.order = self.chosen, order
        self.rows = self._matching()
        self.cursor = self.rows.index(kept) if kept in self.rows else 0
        self.redraw()

    def head(self, width: int) -> list[Text]:
        self._widths = name, bar = self._room_for(width)
        if self.content_size.height < 12:
            return []
        line = f"  {pad('layer', name)}  {pad('weights by owner', bar)} {'free':>{FREE_WIDTH}} {'n':>{COUNT_WIDTH}}"
        return [Text(line, "dim")]

    def row(self, index: int, width: int) -> Text:
        layer = self.picture.layers[index]
        chosen = index == self.chosen
        name = layer_name(layer.name, self._widths[0])
        return self._line("> " if chosen else "  ", name, layer.owned, layer.weights, chosen)

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
        longest = max((cell_len(layer_name(layer.name)) for layer in self.picture.layers), default=0)
        name = max(5, len(self._total), min(longest, width // 3))
        return name, max(1, width - name - FREE_WIDTH - COUNT_WIDTH - 6)
