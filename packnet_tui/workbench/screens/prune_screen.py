"""The screen to choose a pruning ratio for the open task: what it would keep and free, per layer and in total."""

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
from packnet_tui.state.capacity import PrunedLayer
from packnet_tui.state.chart import within
from packnet_tui.state.format import percent
from packnet_tui.state.picture import Picture, TaskRow
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.dialog_help import Helped
from packnet_tui.workbench.widgets.pruned_layers_pane import PrunedLayersPane
from packnet_tui.workbench.widgets.sweep_chart import SweepChart

STEP = 0.05
ALLOWED = (1.0, 2.0, 5.0)  # points of error that a ratio may cost
ROOMY = 36  # lines of a terminal with room for a chart


class PruneScreen(Helped, ModalScreen[Prune | None]):
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
        Binding("escape,q,ctrl+c", "cancel", "close; nothing is pruned"),
        Binding("enter", "prune", "prune at the ratio, then retrain"),
        Binding("right,plus,l", f"change({STEP})", f"{STEP:g} more"),
        Binding("left,minus,h", f"change(-{STEP})", f"{STEP:g} less"),
        Binding("backspace", "erase", "delete a typed digit"),
        Binding("m", "allow", "the largest ratio that costs at most 1, 2, 5 points"),
        Binding("down,j", "scroll('down')", "down in the layers"),
        Binding("up,k", "scroll('up')", "up in the layers"),
        Binding("ctrl+d,pagedown", "scroll('half_down')", "half a page down"),
        Binding("ctrl+u,pageup", "scroll('half_up')", "half a page up"),
        Binding("g,home", "scroll('first')", "to the first layer"),
        Binding("G,shift+g,end", "scroll('last')", "to the last layer"),
    ]

    ABOUT = (
        "Choose which share of the open task's own weights becomes free, in every layer, smallest first (§3). "
        "Digits set the ratio: 6 is 0.6, 75 is 0.75. Errors are those right after pruning, in percent on validation "
        "images; retraining recovers most of them. Nothing is changed before Enter."
    )
    app: AppInterface

    def __init__(self, picture: Picture, task: TaskRow):
        super().__init__()
        self._picture, self._row = picture, task
        self._ratio = self._ratio_before = self.app.ratio
        self._typed = ""  # digits
        self._allowed = 0.0  # points of error

    @property
    def ratio(self) -> float:
        return self._ratio

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(f"Prune {self._row.name}")
            yield Static(classes="ratio")
            yield SweepChart(self.app.marks.colour(self._row.index))
            yield PrunedLayersPane(self._picture, id="layers")
            yield Static(classes="room")
            keys = "enter prunes   ← → or digits set the ratio   m costs ≤ 1, 2, 5   j k   esc"
            yield Static(keys, classes="keys")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(PrunedLayersPane))
        picture = self.app.picture
        if not (picture.previews or picture.busy or self.app.readonly):
            self.app.submit(Preview())
        self._show()

    def redraw(self) -> None:
        """Show new measurements."""
        self._show_ratio()
        self._show_sweep()

    def on_resize(self, event: events.Resize) -> None:
        roomy = event.size.height >= ROOMY
        self.query_one(SweepChart).roomy = roomy
        around = 18 if roomy else 11  # lines
        self.query_one(PrunedLayersPane).styles.max_height = max(3, event.size.height - around)
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
        self.query_one(PrunedLayersPane).move(how)

    def action_allow(self) -> None:
        """Set the largest measured ratio that costs at most 1 point of error; at the next calls 2, 5 and 1 again."""
        self._allowed = next((points for points in ALLOWED if points > self._allowed), ALLOWED[0])
        ratio = within(self.app.picture.previews, self._allowed)
        if ratio is None:
            self.app.notify("the error without pruning is not measured yet", severity="warning", markup=False)
        else:
            self._typed = ""
            self._set(ratio)

    def action_prune(self) -> None:
        self.app.stop_previews()
        self.dismiss(Prune(ratio=self._ratio, task=self._row.name))

    def action_cancel(self) -> None:
        self.app.stop_previews()
        self.app.ratio = self._ratio_before
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
        layers = capacity.after_pruning(self._picture.layers, self._ratio)
        total = capacity.total(layers)
        pane = self.query_one(PrunedLayersPane)
        pane.pruned, pane.total = layers, total
        pane.redraw()
        self._show_ratio()
        self.query_one(".room", Static).update(self._room(layers, total))
        self._show_sweep()

    def _show_ratio(self) -> None:
        """Show the ratio, and below it the largest ratios that cost at most 1, 2 and 5 points of error."""
        total = self.query_one(PrunedLayersPane).total
        shown = f"{self._ratio:.2f}" if round(self._ratio, 2) == self._ratio else f"{self._ratio:.6g}"
        text = Text.assemble("ratio ", (f" {shown} ", "bold reverse"))
        text.append(f"   frees {total.freed:,} of {total.kept + total.freed:,} weights, keeps {total.kept:,}\n")
        picture = self.app.picture
        largest = [(points, within(picture.previews, points)) for points in ALLOWED]
        if largest[0][1] is not None:
            text.append("largest ratio that costs", "dim")
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

    def _room(self, layers: list[PrunedLayer], total: PrunedLayer) -> Text:
        """What would be free for later tasks, and how the task is retrained."""
        task = self._picture.document.tasks[-1]
        free = total.free + total.freed
        lines = [f"free afterwards: {percent(free, total.weights)} = {format.long(free)}"]
        if (more := capacity.more_tasks(free, total.kept)) is not None:
            lines[0] += f", room for {more} more of this size"
        owns = percent(capacity.next_owns(layers, self._ratio), total.weights)
        lines.append(f"the next task, pruned at the same ratio, would own {owns}")
        epochs, rate = task.recipe.retraining_epochs, task.recipe.retraining_lr
        lines.append(f"retraining: {epochs} {'epoch' if epochs == 1 else 'epochs'}, learning rate {rate:g}")
        return Text("\n".join(lines))


def typed_ratio(text: str) -> float | None:
    """Typed digits as a ratio: 6 is 0.6, 75 is 0.75; with a point, as written. None if they are not a ratio."""
    if text in ("", "0.", "."):
        return 0.0
    try:
        ratio = float(text if "." in text else f"0.{text}")
    except ValueError:
        return None
    return ratio if 0 <= ratio <= 1 and len(text) <= 8 else None
