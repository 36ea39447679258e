"""Pruning the open task: a ratio, and at once what it keeps and frees in every layer and in total."""

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from packnet_core.schema.commands import Preview, Prune
from packnet_tui.state import capacity, format
from packnet_tui.state.capacity import Cut
from packnet_tui.state.chart import within
from packnet_tui.state.format import pad, percent
from packnet_tui.state.picture import Picture, TaskRow
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.widgets.occupancy_pane import layer_name, owner_bar
from packnet_tui.workbench.widgets.pane import Pane
from packnet_tui.workbench.widgets.sweep_chart import SweepChart

STEP = 0.05
ALLOWED = (1.0, 2.0, 5.0)  # points of error that a ratio may cost
ROOMY = 36  # lines from which on there is room for a chart


class PruneScreen(ModalScreen[Prune | None]):
    """Arrows and digits set the ratio; Enter prunes at it."""

    DEFAULT_CSS = """
    PruneScreen { align: center middle; }
    PruneScreen > Vertical {
        width: 100; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
        border: heavy $accent; border-title-color: $text; background: $surface;
    }
    PruneScreen .ratio { height: 2; }
    PruneScreen .room, PruneScreen .keys { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+c", "cancel"),
        Binding("enter", "prune"),
        Binding("right,plus,l", f"change({STEP})"),
        Binding("left,minus,h", f"change(-{STEP})"),
        Binding("backspace", "erase"),
        Binding("m", "allow"),
        Binding("down,j", "scroll('down')"),
        Binding("up,k", "scroll('up')"),
        Binding("ctrl+d,pagedown", "scroll('half_down')"),
        Binding("ctrl+u,pageup", "scroll('half_up')"),
        Binding("g,home", "scroll('first')"),
        Binding("G,shift+g,end", "scroll('last')"),
    ]

    app: AppInterface

    def __init__(self, picture: Picture, task: TaskRow):
        super().__init__()
        self._picture, self._row = picture, task
        self._ratio = self.app.ratio
        self._typed = ""
        self._allowed = 0.0

    @property
    def ratio(self) -> float:
        return self._ratio

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(f"Prune {self._row.name}")
            yield Static(classes="ratio")
            yield SweepChart(self.app.marks.colour(self._row.index))
            yield Cuts(self._picture, id="cuts")
            yield Static(classes="room")
            keys = "enter prunes   ← → or digits set the ratio   m costs ≤ 1, 2, 5   j k   esc"
            yield Static(keys, classes="keys")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Cuts))
        picture = self.app.picture
        if not (picture.previews or picture.busy or self.app.readonly):
            self.app.submit(Preview())
        self._show()

    def redraw(self) -> None:
        """Show what was measured since."""
        self._show_ratio()
        self._show_sweep()

    def on_resize(self, event: events.Resize) -> None:
        roomy = event.size.height >= ROOMY
        self.query_one(SweepChart).roomy = roomy
        around = 18 if roomy else 11  # lines
        self.query_one(Cuts).styles.max_height = max(3, event.size.height - around)
        self._show_sweep()

    def action_change(self, by: float) -> None:
        self._typed = ""
        self._set(self._ratio + by)

    def on_key(self, event: events.Key) -> None:
        if event.character and event.character in "0123456789.":
            event.stop()
            self._type(self._typed + event.character)

    def action_erase(self) -> None:
        self._type(self._typed[:-1])

    def action_scroll(self, how: str) -> None:
        self.query_one(Cuts).move(how)

    def action_allow(self) -> None:
        """Take the largest measured ratio that costs at most 1 point, then 2, then 5, then 1 again."""
        self._allowed = next((points for points in ALLOWED if points > self._allowed), ALLOWED[0])
        ratio = within(self.app.picture.previews, self._allowed)
        if ratio is None:
            self.app.notify("no error without pruning is measured yet", severity="warning", markup=False)
        else:
            self._typed = ""
            self._set(ratio)

    def action_prune(self) -> None:
        self.app.stop_previews()
        self.dismiss(Prune(ratio=self._ratio))

    def action_cancel(self) -> None:
        self.app.stop_previews()
        self.dismiss(None)

    def _type(self, text: str) -> None:
        ratio = typed_ratio(text)
        if ratio is not None:
            self._typed = text
            self._set(ratio)

    def _set(self, ratio: float) -> None:
        self._ratio = self.app.ratio = min(1.0, max(0.0, round(ratio, 6)))
        self._show()

    def _show(self) -> None:
        cuts = capacity.preview(self._picture.layers, self._ratio)
        total = capacity.total(cuts)
        pane = self.query_one(Cuts)
        pane.cuts, pane.total = cuts, total
        pane.redraw()
        self._show_ratio()
        self.query_one(".room", Static).update(self._room(cuts, total))
        self._show_sweep()

    def _show_ratio(self) -> None:
        """The ratio in hand; below it, the largest ones that cost at most so many points."""
        total = self.query_one(Cuts).total
        shown = f"{self._ratio:.2f}" if round(self._ratio, 2) == self._ratio else f"{self._ratio:.6g}"
        text = Text.assemble("ratio ", (f" {shown} ", "bold reverse"))
        text.append(f"   frees {total.freed:,} of {total.kept + total.freed:,} weights, keeps {total.kept:,}\n")
        picture = self.app.picture
        largest = [(points, within(picture.previews, points)) for points in ALLOWED]
        if largest[0][1] is not None:
            text.append("largest that costs", "dim")
            for points, ratio in largest:
                taken = points == self._allowed and ratio == self._ratio
                words = f" ≤ {points:g} {'point' if points == 1 else 'points'} {ratio:g} "
                text.append(words, "bold reverse" if taken else "")
        elif picture.previewing:
            text.append("measuring what ratios cost …", "dim")
        self.query_one(".ratio", Static).update(text)

    def _show_sweep(self) -> None:
        picture = self.app.picture
        self.query_one(SweepChart).show(picture.previews, self._ratio, bool(picture.previewing))

    def _room(self, cuts: list[Cut], total: Cut) -> Text:
        """What is left for others."""
        task = self._picture.document.tasks[-1]
        free = total.free + total.freed
        lines = [f"free then: {percent(free, total.weights)} = {format.long(free)}"]
        if (more := capacity.more_tasks(free, total.kept)) is not None:
            lines[0] += f", room for {more} more of this size"
        owns = percent(capacity.next_owns(cuts, self._ratio), total.weights)
        lines.append(f"a next task, pruned at this ratio too, would own {owns}")
        epochs, rate = task.recipe.retraining_epochs, task.recipe.retraining_lr
        lines.append(f"retrained then: {epochs} {'epoch' if epochs == 1 else 'epochs'}, learning rate {rate:g}")
        return Text("\n".join(lines))


def typed_ratio(text: str) -> float | None:
    """Digits as a ratio: 6 is 0.6, 75 is 0.75; with a point, as written. None where that is no ratio."""
    if text in ("", "0.", "."):
        return 0.0
    try:
        ratio = float(text if "." in text else f"0.{text}")
    except ValueError:
        return None
    return ratio if 0 <= ratio <= 1 and len(text) <= 8 else None


class Cuts(Pane):
    """Layer by layer: the owners after the pruning, what is kept, what is freed."""

    DEFAULT_CSS = "Cuts { height: auto; border: none; } Cuts:focus { border: none; }"

    def __init__(self, picture: Picture, id: str | None = None):
        super().__init__(id)
        self._layers = picture.layers
        self.cuts = capacity.preview(picture.layers, self.app.ratio)
        self.total = capacity.total(self.cuts)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self._layers) + 2

    def count(self) -> int:
        return len(self.cuts)

    def _titles(self) -> None:
        super()._titles()
        if isinstance(self.parent, Vertical):  # without a border of its own, it says there where it is scrolled to
            self.parent.border_subtitle = self.border_subtitle

    def head(self, width: int) -> list[Text]:
        name, bar, count = self._widths(width)
        line = f"{pad('layer', name)}  {pad('after pruning, × = freed', bar)}"
        return [Text(f"{line} {'keeps':>{count}} {'frees':>{count}}   free", "dim")]

    def row(self, index: int, width: int) -> Text:
        return self._line(self.cuts[index], width, "")

    def foot(self, width: int) -> list[Text]:
        return [self._line(self.total, width, "bold")]

    def _line(self, cut: Cut, width: int, style: str) -> Text:
        name, bar, count = self._widths(width)
        line = Text(pad(layer_name(cut.name, name), name) + "  ", style)
        line.append_text(owner_bar([*cut.sealed, cut.kept], cut.free, bar, self.marks, freed=cut.freed))
        line.append(f" {cut.kept:>{count},} {cut.freed:>{count},} {percent(cut.free + cut.freed, cut.weights):>6}")
        return line

    def _widths(self, width: int) -> tuple[int, int, int]:
        """Cells for the name, the bar, and each of the two counts."""
        count = max(5, len(f"{self.total.kept + self.total.freed:,}"))
        longest = max((len(layer_name(cut.name)) for cut in self.cuts), default=5)
        name = max(5, min(longest, width // 4))
        return name, max(1, width - name - 2 * count - 11), count
