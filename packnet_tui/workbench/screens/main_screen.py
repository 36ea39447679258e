"""The main screen: five panes, a status line and the keys; its layout, and the actions that only show or move."""

import shlex
from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from packnet_tui.state.look import OF_PANE_3, ORDERS
from packnet_tui.state.typed_lines import typed_lines
from packnet_tui.workbench.actions import bindings
from packnet_tui.workbench.complete_line import complete_line
from packnet_tui.workbench.screens.file_actions import FileActions
from packnet_tui.workbench.screens.typed_commands import TypedCommands
from packnet_tui.workbench.widgets.curves_pane import CurvesPane
from packnet_tui.workbench.widgets.files_strip import FilesStrip
from packnet_tui.workbench.widgets.footer import Footer
from packnet_tui.workbench.widgets.layer_pane import LayerPane
from packnet_tui.workbench.widgets.log_pane import LogPane
from packnet_tui.workbench.widgets.occupancy_pane import OccupancyPane
from packnet_tui.workbench.widgets.pane import Lines, Pane
from packnet_tui.workbench.widgets.prompt import Prompt
from packnet_tui.workbench.widgets.status_line import StatusLine
from packnet_tui.workbench.widgets.tasks_pane import TasksPane

WIDE_SIZE, SMALL_SIZE = (110, 30), (80, 24)  # columns and lines that all five panes need, and that panes 1 to 3 need
SOME_IMAGES = 500  # of an evaluation on some; the line to type has it, to be changed
LOW = 14  # lines that tasks and job log need together


class MainScreen(FileActions, TypedCommands):
    """Shows the app's picture."""

    BINDINGS = bindings()

    def compose(self) -> ComposeResult:
        occupancy, tasks = OccupancyPane(id="occupancy"), TasksPane(id="tasks")
        yield StatusLine()
        yield Static(id="too-small")
        yield FilesStrip()
        with Container(id="panes"):
            with Container(id="left"):
                yield occupancy
                yield LayerPane(occupancy, id="layer")
            with Container(id="right"):
                yield tasks
                yield CurvesPane(tasks, id="curves")
                yield LogPane(id="log")
        yield Footer()
        yield Prompt()

    def on_mount(self) -> None:
        self._asking: Pane = self.query_one(OccupancyPane)
        self._recall()
        self.set_focus(self._asking)

    def redraw(self) -> None:
        """Show the app's picture as it is now."""
        if not self.is_mounted:
            return
        tasks = self.query_one(TasksPane)
        # one line per task, heading, border, what is wrong and feet
        feet = len(tasks.free(tasks.content_size.width)) + bool(tasks.compared()) + len(tasks.warning())
        wanted = min(len(self.app.picture.tasks) + 3 + feet, 14)
        fixed = self.has_class("wide") and not self.has_class("zoomed")
        tasks.styles.height = max(wanted, 7) if fixed else None
        self._share_height()
        for lines in self.query(Lines):
            lines.redraw()

    def redraw_files(self) -> None:
        if self.is_mounted:
            self.query_one(FilesStrip).redraw()

    def _share_height(self) -> None:
        """Give the list of layers the lines that it needs, and the mosaic the rest; if that is hidden, the curves."""
        whole, occupancy = self.query_one("#panes").size.height, self.query_one(OccupancyPane)
        alone, wanted = self.has_class("zoomed"), occupancy.wanted_height
        occupancy.styles.height = min(wanted, round(0.6 * whole)) if self.has_class("wide") and not alone else None
        right = self.query_one("#right")
        right.styles.height = min(max(11, whole - wanted), 16) if self.has_class("small") and not alone else None

    @on(Pane.Moved, "#occupancy")
    def _layer_chosen(self) -> None:
        self.query_one(LayerPane).redraw()

    @on(Pane.Moved, "#tasks")
    def _task_chosen(self) -> None:
        self.query_one(CurvesPane).redraw()

    # -- layout -----------------------------------------------------------------------------------------------------

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

    # -- actions ----------------------------------------------------------------------------------------------------

    def action_move(self, how: str) -> None:
        if isinstance(self.focused, Pane):
            self.focused.move(how)

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
        self._remember()

    def action_order(self) -> None:
        """Show the layers in the next order."""
        pane = self.query_one(OccupancyPane)
        pane.set_order(ORDERS[(ORDERS.index(pane.order) + 1) % len(ORDERS)])
        self._remember()

    def _remember(self) -> None:
        """Keep the layout for the next session."""
        curves, alone = self.query_one(CurvesPane), next((p for p in self.panes if p.has_class("alone")), None)
        look = replace(self.app.look, zoomed=alone.number if alone else 0, order=self.query_one(OccupancyPane).order)
        self.app.remember(replace(look, **{name: getattr(curves, name) for name in OF_PANE_3}))

    def _recall(self) -> None:
        """Use the layout of the last session."""
        look, curves = self.app.look, self.query_one(CurvesPane)
        for name in OF_PANE_3:
            setattr(curves, name, getattr(look, name))
        self.query_one(OccupancyPane).order = look.order
        if pane := next((pane for pane in self.panes if pane.number == look.zoomed), None):
            self.zoom(pane)
            self._asking = pane

    def action_enter(self) -> None:
        self.action_pane("4")

    def action_enlarge(self) -> None:
        self.zoom(self.query_one(LayerPane))

    def action_highlight(self, owner: int) -> None:
        """Show one owner in pane 4 if that is alone on the screen; else the digit leads to a pane, as everywhere."""
        layer = self.query_one(LayerPane)
        if layer.has_class("alone"):
            if not layer.highlight(owner):
                self.app.notify(f"there is no task {owner}; esc goes back to all panes", severity="warning")
        elif 1 <= owner <= len(self.panes):
            self.action_pane(str(owner))

    def action_unzoom(self) -> None:
        focused = self.focused
        if isinstance(focused, LayerPane) and focused.highlighted is not None:
            focused.highlight(None)
            return
        if isinstance(focused, Pane) and focused.needle:
            focused.filter("")
            return
        if isinstance(focused, CurvesPane) and focused.reading is not None:
            focused.reading = None
            focused.redraw()
            return
        self.zoom(None)
        self._remember()
        if isinstance(focused, Pane) and focused.number > 3 and self.has_class("small"):
            self.set_focus(self.query_one(OccupancyPane))

    def action_log_scale(self) -> None:
        curves = self.query_one(CurvesPane)
        curves.log_scale = not curves.log_scale
        curves.redraw()
        self._remember()

    def action_smooth(self) -> None:
        curves = self.query_one(CurvesPane)
        curves.smooth = not curves.smooth
        curves.redraw()
        self._remember()

    def action_follow(self) -> None:
        curves = self.query_one(CurvesPane)
        curves.follow = not curves.follow
        curves.redraw()
        self._remember()

    def action_charts(self) -> None:
        self.query_one(CurvesPane).switch_charts()
        self._remember()

    def action_read(self, which: str) -> None:
        self.query_one(CurvesPane).read({"left": -1, "right": 1, "far_left": -10, "far_right": 10}[which])

    def action_runs(self) -> None:
        from packnet_tui.workbench.screens.runs_screen import RunsScreen

        selected = self.query_one(TasksPane).selected
        if selected:
            self.app.push_screen(RunsScreen(selected))

    def action_hold(self) -> None:
        self.app.hold(not self.app.held)

    def action_match(self, which: str) -> None:
        if isinstance(self.focused, Pane):
            self.focused.match(which)

    def action_filter(self) -> None:
        if isinstance(self.focused, Pane):
            self._asking = self.focused
            self.query_one(Footer).display = False
            self.query_one(Prompt).ask("/", self._asking.needle)

    def action_evaluate_some(self) -> None:
        task = self.query_one(TasksPane).selected
        if task is not None and not self._refused("evaluate_some"):
            self.action_command(f"eval {shlex.quote(task.name)} --limit {SOME_IMAGES}")

    def action_command(self, text: str = "") -> None:
        self._asking = self.focused if isinstance(self.focused, Pane) else self.query_one(OccupancyPane)
        complete = partial(complete_line, file=self.app.path, words=self.words)
        self.query_one(Footer).display = False
        self.query_one(Prompt).ask(":", text, complete, typed_lines())

    @on(Prompt.Typed)
    async def _line_typed(self, message: Prompt.Typed) -> None:
        if message.sign == "/":
            self._asking.filter(message.text if message.kept else "")
        if message.done:
            self.query_one(Footer).display = True
            self.set_focus(self._asking)
            if message.sign == ":" and message.kept and message.text.strip():
                await self.run_line(message.text.strip())

    def action_help(self) -> None:
        from packnet_tui.workbench.screens.help_screen import HelpScreen

        self.app.push_screen(HelpScreen(self.app.actions))

    def action_palette(self) -> None:
        self.app.action_command_palette()

    def action_theme(self) -> None:
        self.app.search_themes()

    def action_suspend(self) -> None:
        self.app.action_suspend_process()

    def action_leave(self) -> None:
        self.app.exit()


def _beside(here: Pane, panes: Iterable[Pane], which: str) -> Pane:
    """The pane to the left or right of a pane, the nearest in height; the pane itself if there is no other."""
    side = [
        pane
        for pane in panes
        if (pane.region.right <= here.region.x if which == "left" else pane.region.x >= here.region.right)
    ]
    return min(side, key=lambda pane: abs(pane.region.y - here.region.y), default=here)
