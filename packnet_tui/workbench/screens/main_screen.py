"""The main screen: five panes, a status line and the keys; the actions that only show or move."""

import asyncio
import shlex
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from packnet_tui.state.typed_lines import typed_lines
from packnet_tui.workbench.actions import bindings
from packnet_tui.workbench.complete_line import complete_line
from packnet_tui.workbench.screens.file_actions import FileActions
from packnet_tui.workbench.screens.pane_layout import PaneLayout
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

SOME_IMAGES = 500  # of an evaluation on some; the line to type has it, to be changed


class MainScreen(PaneLayout, FileActions, TypedCommands):
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
        self._asking = self.recall() or self.query_one(OccupancyPane)
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
        self.share_height()
        for lines in self.query(Lines):
            lines.redraw()

    def redraw_files(self) -> None:
        if self.is_mounted:
            self.query_one(FilesStrip).redraw()

    @on(Pane.Moved, "#occupancy")
    def _layer_chosen(self) -> None:
        self.query_one(LayerPane).redraw()

    @on(Pane.Moved, "#tasks")
    def _task_chosen(self) -> None:
        self.query_one(CurvesPane).redraw()

    # -- actions ----------------------------------------------------------------------------------------------------

    def action_move(self, how: str) -> None:
        if isinstance(self.focused, Pane):
            self.focused.move(how)

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
        self.remember()
        if isinstance(focused, Pane) and focused.number > 3 and self.has_class("small"):
            self.set_focus(self.query_one(OccupancyPane))

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

    async def action_evaluate_some(self) -> None:
        task = self.query_one(TasksPane).selected
        if task is not None and not self._refused("evaluate_some"):
            await self.action_command(f"eval {shlex.quote(task.name)} --limit {SOME_IMAGES}")

    async def action_command(self, text: str = "") -> None:
        earlier = await asyncio.to_thread(typed_lines)  # it waits for the disk
        self._asking = self.focused if isinstance(self.focused, Pane) else self.query_one(OccupancyPane)
        complete = partial(complete_line, file=self.app.path, words=self.words)
        self.query_one(Footer).display = False
        self.query_one(Prompt).ask(":", text, complete, earlier)

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
