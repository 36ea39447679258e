"""Pane 4: the selected layer: how much each task owns, and a mosaic of where its weights lie."""

import asyncio
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text
from textual.geometry import Size

from packnet_core.schema.commands import ReadOnly
from packnet_core.schema.document import Layer
from packnet_tui.state import copied_tables
from packnet_tui.state.capacity import after_pruning
from packnet_tui.state.copied_tables import Table
from packnet_tui.state.fits import decided_ratio
from packnet_tui.state.format import NAME, cut_middle, fitting, pad_name, percent
from packnet_tui.state.layer_owners import LayerOwners, Wanted
from packnet_tui.state.marks import glyph
from packnet_tui.workbench.actions import bindings
from packnet_tui.workbench.widgets.mosaic_lines import mosaic_lines, rows_per_line
from packnet_tui.workbench.widgets.occupancy_pane import OccupancyPane
from packnet_tui.workbench.widgets.pane import Pane

if TYPE_CHECKING:
    from packnet_core.packfile.owner_counts import OwnerCounts

PATIENCE = 0.15  # seconds that the cursor must rest on a layer before its owners are read
LEGEND = 2  # lines
FEW = 2  # lines of numbers, if there is room
GAP, SHORTEST = 3, 10  # cells between two columns of numbers, and of the names in them at least
LEAST = 3  # lines of a mosaic that says anything


class LayerPane(Pane):
    """The layer under the cursor of the occupancy pane. Its numbers scroll if there is no room for all of them."""

    number = 4
    title = "Layer"
    BINDINGS = bindings(pane=4)

    def __init__(self, occupancy: OccupancyPane, id: str | None = None):
        super().__init__(id)
        self._occupancy = occupancy
        self._numbers: list[Text] = []
        self._area = Size(0, 0)  # for the mosaic, in characters
        self._owners = LayerOwners()
        self._reading = False
        self._made: tuple[object, list[Text]] = (None, [])  # the mosaic's lines, and what they were made of
        self.highlighted: int | None = None  # the only owner that the mosaic shows; 0 free

    def highlight(self, owner: int | None) -> bool:
        """Show only one owner in the mosaic, or all again. Returns whether there is such an owner."""
        if owner is not None and owner > len(self.picture.document.tasks):
            return False
        self.highlighted = None if owner == self.highlighted else owner
        self.redraw()
        return True

    # -- drawing --------------------------------------------------------------------------------------------------

    def caption(self) -> str:
        if "alone" in self.classes:
            return "1-9 shows one task, 0 free · esc goes back"
        return "enter enlarges" if self.has_focus else ""

    def head(self, width: int) -> list[Text]:
        layer = self._occupancy.selected
        if layer is None:
            self._numbers, self._area = [], Size(0, 0)
            return [Text("no layer", "dim")]
        self._numbers = self._owned(layer, width)
        height = self.content_size.height
        shown = min(len(self._numbers), max(3, height // 3))
        room = height - 1 - shown - LEGEND
        self._area = Size(width - 2, room) if room >= LEAST and width > 20 else Size(0, 0)
        return [self._named(layer, width)]

    def count(self) -> int:
        return len(self._numbers)

    def row(self, index: int, width: int) -> Text:
        return self._numbers[index]

    def name_of(self, index: int) -> str:
        return self._numbers[index].plain

    def table(self, shown: Sequence[int]) -> Table:
        return copied_tables.owners(self.picture, self._occupancy.selected)

    def foot(self, width: int) -> list[Text]:
        if not self._area.height:
            return []
        lines = self._mosaic()
        return [*lines, *[Text("")] * (self._area.height + LEGEND - len(lines))]

    def redraw(self) -> None:
        super().redraw()
        wanted = self._wanted
        if wanted and not self._reading and self._owners.known(wanted) is None:
            self._reading = True
            self.run_worker(self._read(), group="look")

    @staticmethod
    def _named(layer: Layer, width: int) -> Text:
        """The layer's name, shape and count, as much as fits."""
        shape = f"{'×'.join(map(str, layer.shape))} = {layer.weights:,}"
        name = cut_middle(layer.name, max(8, width - cell_len(shape) - 12))
        rest = fitting(width - 1 - cell_len(name), f"   {shape} weights", f"   {shape}", "")
        return Text.assemble(" ", (cut_middle(name, width - 2), "bold"), (rest, "dim"))

    def _owned(self, layer: Layer, width: int) -> list[Text]:
        """What each task owns and what is free, in columns; then what a pruning would keep and free."""
        names = [*(task.name for task in self.picture.tasks), "free"]
        digits, longest = len(f"{layer.weights:,}"), min(NAME, max(map(cell_len, names)))
        around = digits + len(" 1   100.0%")
        for least in (longest, min(longest, SHORTEST)):  # names are cut if that saves lines which the mosaic needs
            columns = max(1, (width + GAP) // (around + least + GAP))
            if len(names) <= FEW * columns:
                break
        room = min(longest, max(4, (width + GAP) // columns - GAP - around))
        parts = []
        for owner, (name, count) in enumerate(zip(names, [*layer.owned, layer.free], strict=False), 1):
            free = owner == len(names)
            part = Text(" ")
            part.append("·" if free else glyph(owner), "" if free else f"bold {self.marks.colour(owner)}")
            part.append(f" {pad_name(name, room)} {count:>{digits},} {percent(count, layer.weights):>6}")
            parts.append(part)
        height = -(-len(parts) // columns)
        lines = [Text(" " * GAP).join(parts[row::height]) for row in range(height)]
        open_task = self.picture.open_task
        if open_task and layer.owned:
            ratio = self.app.ratio if (own := decided_ratio(self.picture)) is None else own
            after = after_pruning([layer], ratio)[0]
            facts = f"keeps {after.kept:,}, frees {after.freed:,}"
            name = cut_middle(open_task.name, NAME)
            texts = [f" pruned at {ratio:g}, {name} {facts}", f" pruned at {ratio:g}: {facts}"]
            lines.append(Text(fitting(width, *texts, f" {facts}"), "italic"))
        return lines

    def _mosaic(self) -> list[Text]:
        """The mosaic and its legend, or why there is none."""
        wanted = self._wanted
        found = self._owners.known(wanted) if wanted else None
        if found is None:
            return [Text("")]
        if isinstance(found, str):
            return [Text(f" {line}", "yellow") for line in textwrap.wrap(found, self._area.width)]
        made = (wanted, self.marks, self.highlighted, self._saved())
        if made != self._made[0]:
            self._made = (made, self._drawn_mosaic(found))
        return self._made[1]

    def _drawn_mosaic(self, counts: "OwnerCounts") -> list[Text]:
        from packnet_tui.state import mosaic as of  # imports numpy, which the first paint does without

        rows, columns, owners = counts.counts.shape
        only = self.highlighted if self.highlighted is None or self.highlighted < owners else None  # it was dropped
        shown = of.mosaic(counts, only)
        wide = of.scale(columns, self._area.width)
        high = of.scale(rows, self._area.height * rows_per_line(self.marks))
        lines = [Text(" ").append_text(line) for line in mosaic_lines(shown, wide, high, self.marks)]
        of_cell = f"{of.shares_in_words(shown.shown)} of a cell"
        if only is None:
            words = [f"colour: who owns most; brightness: {of_cell}", f"who owns most: {of_cell}", of_cell]
            if not self.marks.solid:
                words = [f"digit: who owns most, {of_cell}", of_cell]
        else:
            tasks = self.picture.document.tasks
            who = f"task {only} {cut_middle(tasks[only - 1].name, NAME)}" if 0 < only <= len(tasks) else "free"
            where = "" if self.marks.solid else "largest shares, "
            words = [f"only {who}: {where}{of_cell}; esc shows all", f"only {who}: {of_cell}", f"only {who}"]
        if saved := self._saved():
            words = [f"{text} · {saved}" for text in words]
        legend = [fitting(self._area.width, *texts) for texts in (of.axes_in_words(counts), words)]
        return [*lines, *(Text(f" {text}", "dim") for text in legend)]

    def _saved(self) -> str:
        """`as saved`, while a job may change the owners that the file does not have yet."""
        job = self.picture.job
        return "as saved" if job and not isinstance(job.command, ReadOnly) else ""

    # -- reading --------------------------------------------------------------------------------------------------

    @property
    def _wanted(self) -> Wanted | None:
        """What the mosaic now shows or should show; None if there is no room for it, or no layer."""
        layer, (width, height) = self._occupancy.selected, self._area
        if layer is None or not height or not self.region:
            return None
        rows = height * rows_per_line(self.marks)
        return Wanted(self.app.path, self.picture.signature, layer.name, rows, width)

    async def _read(self) -> None:
        """Read what is wanted, once that stays the same for a moment; one layer at a time."""
        try:
            while (wanted := self._wanted) and self._owners.known(wanted) is None:
                await asyncio.sleep(PATIENCE)
                if wanted == self._wanted:
                    await asyncio.to_thread(self._owners.read, wanted)
        finally:
            self._reading = False
        self.redraw()
