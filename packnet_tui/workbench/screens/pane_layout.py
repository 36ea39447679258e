"""The layout of the main screen: which panes it shows, how large they are, and what of that is kept."""

from collections.abc import Iterable

from msgspec.structs import replace
from textual import events
from textual.screen import Screen
from textual.widgets import Static

from packnet_tui.state.look import LAYER_ORDERS
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.widgets.curves_pane import CurvesPane
from packnet_tui.workbench.widgets.files_strip import FilesStrip
from packnet_tui.workbench.widgets.occupancy_pane import OccupancyPane
from packnet_tui.workbench.widgets.pane import Pane
from packnet_tui.workbench.widgets.tasks_pane import TasksPane

WIDE_SIZE, SMALL_SIZE = (110, 30), (80, 24)  # columns and lines that all five panes need, and that panes 1 to 3 need
OF_CURVES = ("log_scale", "smooth", "follow", "charts")  # what is kept of pane 3
LOW = 14  # lines that tasks and job log need together


class PaneLayout(Screen[None]):
    """The part of the main screen that arranges the panes, by its size and as the user chose."""

    app: AppInterface

    def redraw(self) -> None:
        """Show the app's picture as it is now."""
        raise NotImplementedError

    def share_height(self) -> None:
        """Give the list of layers the lines that it needs, and the mosaic the rest; if that is hidden, the curves."""
        whole, occupancy = self.query_one("#panes").size.height, self.query_one(OccupancyPane)
        alone, wanted = self.has_class("zoomed"), occupancy.wanted_height
        occupancy.styles.height = min(wanted, round(0.6 * whole)) if self.has_class("wide") and not alone else None
        right = self.query_one("#right")
        right.styles.height = min(max(11, whole - wanted), 16) if self.has_class("small") and not alone else None

    def on_resize(self, event: events.Resize) -> None:
        wide = event.size.width >= WIDE_SIZE[0] and event.size.height >= WIDE_SIZE[1]
        tiny = event.size.width < SMALL_SIZE[0] or event.size.height < SMALL_SIZE[1]
        self.set_class(wide, "wide")
        self.set_class(tiny, "tiny")
        self.set_class(event.size.height < LOW, "low")
        self.set_class(not wide and not tiny, "small")
        if tiny:
            here, wanted = (f"{width}×{height}" for width, height in (event.size, SMALL_SIZE))
            text = f" this terminal is {here}; the panes need {wanted}"
            text = text if len(text) <= event.size.width else f" small: needs {wanted}"
            self.query_one("#too-small", Static).update(text)
        self.query_one(FilesStrip).fit(event.size, WIDE_SIZE[1] if wide else event.size.height)
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        if isinstance(self.focused, Pane) and not self.focused.region:  # there is no more room for it
            self.set_focus(self.query_one(TasksPane))
        self.redraw()

    @property
    def panes(self) -> list[Pane]:
        return sorted(self.query(Pane), key=lambda pane: pane.number)

    def zoom(self, pane: Pane | None) -> None:
        """Show only one pane, or all panes for None."""
        self.set_class(pane is not None, "zoomed")
        for other in self.panes:
            other.set_class(other is pane, "alone")
        for side in self.query("#left, #right"):
            side.set_class(pane is not None and pane in side.walk_children(Pane), "alone")
        self.call_after_refresh(self._resized)

    def action_pane(self, which: str) -> None:
        panes = self.panes
        shown = [pane for pane in panes if pane.display and pane.region] or panes
        here = self.focused if isinstance(self.focused, Pane) else panes[0]
        if which.isdigit():
            pane = panes[int(which) - 1]
            if self.has_class("zoomed") or pane not in shown:  # a pane without room is shown alone
                self.zoom(pane)
        elif which in ("next", "previous"):
            order = panes if self.has_class("zoomed") else shown
            pane = order[(order.index(here) + (1 if which == "next" else -1)) % len(order)]
            if self.has_class("zoomed"):
                self.zoom(pane)
        else:
            pane = _beside(here, shown, which)
        self.set_focus(pane)

    def action_zoom(self) -> None:
        self.zoom(None if self.has_class("zoomed") else self.focused if isinstance(self.focused, Pane) else None)
        self.remember()

    def action_order(self) -> None:
        """Show the layers in the next order."""
        pane = self.query_one(OccupancyPane)
        pane.set_order(LAYER_ORDERS[(LAYER_ORDERS.index(pane.order) + 1) % len(LAYER_ORDERS)])
        self.remember()

    def remember(self) -> None:
        """Keep the layout for the next session."""
        curves, alone = self.query_one(CurvesPane), next((p for p in self.panes if p.has_class("alone")), None)
        look = replace(self.app.look, zoomed=alone.number if alone else 0, order=self.query_one(OccupancyPane).order)
        self.app.remember(replace(look, **{name: getattr(curves, name) for name in OF_CURVES}))

    def recall(self) -> Pane | None:
        """Use the layout of the last session. Returns the pane that is shown alone, if any."""
        look, curves = self.app.look, self.query_one(CurvesPane)
        for name in OF_CURVES:
            setattr(curves, name, getattr(look, name))
        self.query_one(OccupancyPane).order = look.order
        if pane := next((pane for pane in self.panes if pane.number == look.zoomed), None):
            self.zoom(pane)
        return pane

    def action_log_scale(self) -> None:
        self._switch("log_scale")

    def action_smooth(self) -> None:
        self._switch("smooth")

    def action_follow(self) -> None:
        self._switch("follow")

    def _switch(self, what: str) -> None:
        curves = self.query_one(CurvesPane)
        setattr(curves, what, not getattr(curves, what))
        curves.redraw()
        self.remember()

    def action_charts(self) -> None:
        self.query_one(CurvesPane).switch_charts()
        self.remember()


def _beside(here: Pane, panes: Iterable[Pane], which: str) -> Pane:
    """The pane to the left or right of a pane, the nearest in height; the pane itself if there is no other."""
    side = [
        pane
        for pane in panes
        if (pane.region.right <= here.region.x if which == "left" else pane.region.x >= here.region.right)
    ]
    return min(side, key=lambda pane: abs(pane.region.y - here.region.y), default=here)
