"""The forecast: how many more tasks fit at the ratio in hand, layer by layer, and in which order to add them."""

from textwrap import wrap
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from packnet_core.schema.commands import Order
from packnet_tui.state.adding_order import order_in_words
from packnet_tui.state.fits import decided_ratio, fills_first, sentence, what_fits
from packnet_tui.state.format import NAME, cut_middle, fitting
from packnet_tui.workbench.actions import WATCHES
from packnet_tui.workbench.screens.ratio_screen import RatioScreen, shown_ratio
from packnet_tui.workbench.widgets.forecast_pane import ForecastPane

AROUND = 4  # lines of the dialog beside the layers, what fits and the order: border, ratio, keys
LOW = 22  # lines of a terminal from which there is an empty line above the order
LAYERS = 4  # lines that the layers keep if the order is long


class ForecastScreen(RatioScreen[None]):
    """Arrows and digits set the ratio; Enter keeps it."""

    DEFAULT_CSS = """
    ForecastScreen .ratio { height: 1; }
    ForecastScreen .order { margin-top: 1; }
    ForecastScreen.low .order { margin-top: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,F,shift+f", "dismiss", "keep the ratio and close"),
        Binding("o", "order", "measure which data set is best added first"),
    ]
    ABOUT = (
        "How many more tasks fit. Each takes all free weights, is pruned at the ratio in hand, and keeps the rest. An "
        "open task that is not pruned yet is pruned first, at the same ratio, or at that of the running job. A task "
        "fits if it keeps at least 1 % of the weights."
    )

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Forecast: what fits"
            yield Static(classes="ratio")
            yield Static(classes="fits")
            yield ForecastPane(what_fits(self.app.picture, self.ratio))
            yield Static(classes="order")
            yield Static(classes="keys quiet")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(ForecastPane))
        self.show()

    def redraw(self) -> None:
        """Show the app's picture as it is now."""
        self.show()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < LOW, "low")
        self.call_after_refresh(self.show)

    def show(self) -> None:
        if not self.is_mounted:
            return
        picture, height = self.app.picture, self.app.size.height
        found = what_fits(picture, self.ratio)
        pane = self.query_one(ForecastPane)
        pane.found = found
        first = picture.tasks[-1] if picture.tasks and picture.tasks[-1].phase == "trained" else None
        own = decided_ratio(picture)
        at = "it" if own is None else f"{own:g}"
        note = f"{cut_middle(first.name, NAME)} is pruned at {at} first" if first else ""
        ratio = Content.assemble(
            "ratio ",
            (f" {shown_ratio(self.ratio)} ", "bold reverse"),
            f"   {fitting(self.inside - 14, note and f'{note}, then each further task', note)}",
        )
        self.query_one(".ratio", Static).update(ratio)
        low = self.has_class("low")
        answer, first_to_fill = wrap(sentence(found), self.inside), wrap(fills_first(found), self.inside)
        fits = Content.assemble(("\n".join(answer), "bold"), "\n" + "\n".join(first_to_fill))
        self.query_one(".fits", Static).update(fits)
        others = AROUND + len(answer) + len(first_to_fill) + (not low)
        order = [
            part for line in order_in_words(picture) for part in wrap(line, self.inside, subsequent_indent="     ")
        ]
        order = order[: max(1, height - others - LAYERS)]
        self.query_one(".order", Static).update(Content("\n".join(order)))
        keys = fitting(
            self.inside,
            "← → or digits set the ratio   enter keeps it   o order of new tasks   j k scroll   esc goes back",
            "← → or digits set the ratio   enter keeps it   o order   j k   esc goes back",
            "← → digits ratio   enter keeps it   o order   esc",
        )
        self.query_one(".keys", Static).update(Content(keys))
        pane.styles.max_height = max(LAYERS, height - others - len(order))
        pane.redraw()

    def action_order(self) -> None:
        """Ask for data sets, to measure which is the hardest."""
        from packnet_tui.workbench.screens.order_form import OrderForm

        if self.app.readonly:
            self.app.notify(WATCHES, severity="warning", markup=False)
            return
        form = OrderForm(self.app.picture)
        self.app.hold_keys()
        self.app.push_screen(form, self._submit)
        form.call_after_refresh(self.app.release_keys)

    def _submit(self, command: Order | None) -> None:
        if command:
            self.app.submit(command)
