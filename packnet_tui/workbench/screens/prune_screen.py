"""The screen to choose a pruning ratio for the open task: what it would keep and free, and what that would cost."""

from textwrap import wrap
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from packnet_core.schema.commands import Preview, Prune
from packnet_tui.state import capacity, format
from packnet_tui.state.capacity import PrunedLayer
from packnet_tui.state.chart import within
from packnet_tui.state.fits import again, sentence, what_fits
from packnet_tui.state.format import cut_middle, fitting, percent
from packnet_tui.state.picture import Picture, TaskRow
from packnet_tui.state.what_if import ALLOWED, costs_in_words, error_in_words
from packnet_tui.workbench.screens.ratio_screen import RatioScreen, shown_ratio
from packnet_tui.workbench.screens.recipe_words import retrained
from packnet_tui.workbench.widgets.pruned_layers_pane import PrunedLayersPane
from packnet_tui.workbench.widgets.sweep_chart import SweepChart

ROOMY = 36  # lines of a terminal with room for a chart
LOW = 22  # lines of a terminal from which what fits is said in a whole sentence
CHART = 10  # lines
AROUND = 8  # other lines of the dialog: its border, ratio, error, the row of errors, costs, keys


class PruneScreen(RatioScreen[Prune]):
    """Arrows and digits set the ratio; Enter prunes at it."""

    DEFAULT_CSS = """
    PruneScreen .ratio, PruneScreen .error, PruneScreen .costs { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "prune", "prune at the ratio, then retrain"),
        Binding("m", "allow", "the largest ratio that costs at most 1, 2, 5 points"),
    ]
    ABOUT = (
        "Choose which share of the open task's own weights becomes free, in every layer, smallest first (§3). "
        "Digits set the ratio: 6 is 0.6, 75 is 0.75. Errors are those right after pruning, in percent on validation "
        "images; retraining recovers most of them. Nothing is changed before Enter."
    )

    def __init__(self, picture: Picture, task: TaskRow):
        super().__init__()
        self._picture, self._row = picture, task
        self._allowed = 0.0  # points of error
        self._asked = False  # whether the engine was asked to measure

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(f"Prune {cut_middle(self._row.name, format.NAME)}")
            yield Static(classes="ratio")
            yield Static(classes="error")
            yield SweepChart(self.app.marks.colour(self._row.index))
            yield Static(classes="costs")
            yield PrunedLayersPane(self._picture, id="layers")
            yield Static(classes="room quiet")
            yield Static(classes="keys quiet")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(PrunedLayersPane))
        self._measure()
        self.show()

    def redraw(self) -> None:
        """Show new measurements."""
        if self.is_mounted:
            self._measure()
            self._show_errors()

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(SweepChart).roomy = event.size.height >= ROOMY
        self.call_after_refresh(self.show)

    def _measure(self) -> None:
        """Ask the engine once to measure the errors, as soon as it has nothing else to do."""
        picture = self.app.picture
        if not (self._asked or picture.previews or picture.busy or self.app.readonly):
            self._asked = True
            self.app.submit(Preview())

    def action_allow(self) -> None:
        """Set the largest measured ratio that costs at most 1 point of error; at the next calls 2, 5 and 1 again."""
        self._allowed = next((points for points in ALLOWED if points > self._allowed), ALLOWED[0])
        ratio = within(self.app.picture.previews, self._allowed)
        if ratio is None:
            self.app.notify("the error without pruning is not measured yet", severity="warning", markup=False)
        else:
            self._typed = ""
            self.set_ratio(ratio)

    def action_prune(self) -> None:
        self.app.stop_previews()
        self.dismiss(Prune(ratio=self.ratio, task=self._row.name))

    def action_cancel(self) -> None:
        self.app.stop_previews()
        super().action_cancel()

    def show(self) -> None:
        if not self.is_mounted:
            return
        layers = capacity.after_pruning(self._picture.layers, self.ratio)
        total = capacity.total(layers)
        pane = self.query_one(PrunedLayersPane)
        pane.pruned, pane.total = layers, total
        pane.redraw()
        self._show_ratio(total)
        room = self._room(total)
        self.query_one(".room", Static).update(Content("\n".join(room)))
        keys = fitting(
            self.inside,
            "enter prunes   ← → or digits set the ratio   m ratio for ≤ 1, 2, 5 points   j k scroll   esc",
            "enter prunes   ← → digits ratio   m ratio for ≤ 1, 2, 5 points   j k   esc",
            "enter prunes  ← → digits ratio  m ≤ 1, 2, 5 points  esc",
        )
        self.query_one(".keys", Static).update(Content(keys))
        self._show_errors()
        around = AROUND + len(room) + CHART * self.query_one(SweepChart).charted
        pane.styles.max_height = max(2, self.app.size.height - around)

    def _show_ratio(self, total: PrunedLayer) -> None:
        chosen, own = f" {shown_ratio(self.ratio)} ", total.kept + total.freed
        words = fitting(
            self.inside - len(chosen) - 6,
            f"   frees {total.freed:,} of {own:,} weights, keeps {total.kept:,}",
            f"   frees {format.long(total.freed)} of {format.long(own)} weights, keeps {format.long(total.kept)}",
            f"  frees {format.long(total.freed)}, keeps {format.long(total.kept)}",
        )
        self.query_one(".ratio", Static).update(Text.assemble("ratio ", (chosen, "bold reverse"), words))

    def _show_errors(self) -> None:
        """Show the error at the ratio in hand, the row of measured ones, and the ratios that cost few points."""
        picture = self.app.picture
        words = error_in_words(picture, self.ratio, self._asked)
        unit = "   in %, right after pruning"
        text = Text(words, "bold" if picture.previews else "")
        if picture.previews and len(words + unit) <= self.inside:
            text.append(unit, "dim not bold")
        self.query_one(".error", Static).update(text)
        self.query_one(".costs", Static).update(Content(costs_in_words(picture.previews)))
        self.query_one(SweepChart).show(picture.previews, self.ratio, self.inside)

    def _room(self, total: PrunedLayer) -> list[str]:
        """What would be free for later tasks, how many of them fit, and how the task is retrained."""
        task = self._picture.document.tasks[-1]
        free = total.free + total.freed
        first = f"free afterwards: {percent(free, total.weights)} = {format.long(free)} weights"
        brief = self.app.size.height < LOW
        fits = sentence(what_fits(self._picture, self.ratio), brief)
        lines = [fits]
        if self._row.phase != "trained":  # else pruning it is what makes room
            lines = [f"now: {fits}", f"pruned again: {sentence(again(self._picture, self.ratio), brief)}"]
        retraining = f"retraining: {retrained(task.recipe)}"
        if len(first) + len(retraining) + 3 <= self.inside:
            lines = [f"{first} · {retraining}", *lines]
        else:
            lines = [first, *lines, retraining]
        return [part for line in lines for part in wrap(line, self.inside, subsequent_indent="  ")]
