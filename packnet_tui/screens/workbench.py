"""The one screen: five panes, a status line, the keys; and what each key does."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Static

from packnet_core import tasks
from packnet_core.commands import Add, Drop, Evaluate, Prune, Train, summary
from packnet_tui.actions import ACTIONS, bindings, blocked
from packnet_tui.screens.ask import Ask
from packnet_tui.widgets.curves import Curves
from packnet_tui.widgets.footer import Footer
from packnet_tui.widgets.layer import LayerDetail
from packnet_tui.widgets.log import Log
from packnet_tui.widgets.occupancy import Occupancy
from packnet_tui.widgets.pane import Lines, Pane
from packnet_tui.widgets.status import StatusLine
from packnet_tui.widgets.tasks import Tasks

if TYPE_CHECKING:
    from packnet_tui.app import PacknetApp

WIDE, SMALL = (110, 30), (80, 24)  # from which sizes on all five panes, and the usual ones, have room


class Workbench(Screen[None]):
    """A function of the app's picture. What changes something goes to the app's `submit`."""

    BINDINGS = bindings()
    app: "PacknetApp"

    def compose(self) -> ComposeResult:
        occupancy, tasks = Occupancy(id="occupancy"), Tasks(id="tasks")
        yield StatusLine()
        yield Static(id="too-small")
        with Container(id="panes"):
            with Container(id="left"):
                yield occupancy
                yield LayerDetail(occupancy, id="layer")
            with Container(id="right"):
                yield tasks
                yield Curves(tasks, id="curves")
                yield Log(id="log")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(Occupancy).focus()

    def redraw(self) -> None:
        """Bring every line up to date with the app's picture."""
        if not self.is_mounted:
            return
        wanted = min(len(self.app.picture.tasks) + 4, 14)  # a line a task, titles, what is free
        fixed = self.has_class("wide") and not self.has_class("zoomed")
        self.query_one(Tasks).styles.height = max(wanted, 7) if fixed else None
        for lines in self.query(Lines):
            lines.redraw()

    @on(Pane.Moved)
    def _moved(self) -> None:
        self.query_one(LayerDetail).redraw()
        self.query_one(Curves).redraw()

    # -- the room there is ------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        wide = event.size.width >= WIDE[0] and event.size.height >= WIDE[1]
        tiny = event.size.width < SMALL[0] or event.size.height < SMALL[1]
        self.set_class(wide, "wide")
        self.set_class(tiny, "tiny")
        self.set_class(not wide and not tiny, "small")
        if tiny:
            here, wanted = (f"{width}×{height}" for width, height in (event.size, SMALL))
            text = self.app.marks(f" this terminal is {here}; the panes need {wanted}")
            self.query_one("#too-small", Static).update(text)
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        if isinstance(self.focused, Pane) and not self.focused.region:  # there is no room for it any more
            self.query_one(Tasks).focus()
        self.redraw()

    @property
    def panes(self) -> list[Pane]:
        return sorted(self.query(Pane), key=lambda pane: pane.number)

    def zoom(self, pane: Pane | None) -> None:
        """Let one pane have the whole screen; or none."""
        self.set_class(pane is not None, "zoomed")
        for other in self.panes:
            other.set_class(other is pane, "alone")
        for side in self.query("#left, #right"):
            side.set_class(pane is not None and pane in side.walk_children(Pane), "alone")
        self.call_after_refresh(self.redraw)

    # -- actions: looking and moving --------------------------------------------------------------------------------

    def action_move(self, how: str) -> None:
        if isinstance(self.focused, Pane):
            self.focused.move(how)

    def action_pane(self, which: str) -> None:
        panes = self.panes
        shown = [pane for pane in panes if pane.display and pane.region] or panes
        here = self.focused if isinstance(self.focused, Pane) else panes[0]
        if which.isdigit():
            pane = panes[int(which) - 1]
            if self.has_class("zoomed") or pane not in shown:  # a pane without a place is shown alone
                self.zoom(pane)
        elif which in ("next", "previous"):
            order = panes if self.has_class("zoomed") else shown
            pane = order[(order.index(here) + (1 if which == "next" else -1)) % len(order)]
            if self.has_class("zoomed"):
                self.zoom(pane)
        else:
            pane = _beside(here, shown, which)
        pane.focus()

    def action_zoom(self) -> None:
        self.zoom(None if self.has_class("zoomed") else self.focused if isinstance(self.focused, Pane) else None)

    def action_unzoom(self) -> None:
        focused = self.focused
        self.zoom(None)
        if isinstance(focused, Pane) and focused.number > 3 and self.has_class("small"):
            self.query_one(Occupancy).focus()

    def action_log_scale(self) -> None:
        curves = self.query_one(Curves)
        curves.log_scale = not curves.log_scale
        curves.redraw()

    def action_smooth(self) -> None:
        curves = self.query_one(Curves)
        curves.smooth = not curves.smooth
        curves.redraw()

    def action_follow(self) -> None:
        curves = self.query_one(Curves)
        curves.follow = not curves.follow
        curves.redraw()

    def action_runs(self) -> None:
        from packnet_tui.screens.runs import RunsScreen

        selected = self.query_one(Tasks).selected
        if selected:
            self.app.push_screen(RunsScreen(selected))

    def action_hold(self) -> None:
        self.app.hold(not self.app.held)

    def action_help(self) -> None:
        from packnet_tui.screens.help import Help

        self.app.push_screen(Help(self.app.marks))

    def action_palette(self) -> None:
        self.app.action_command_palette()

    def action_theme(self) -> None:
        self.app.search_themes()

    def action_suspend(self) -> None:
        self.app.action_suspend_process()

    def action_leave(self) -> None:
        self.app.exit()

    # -- actions: work ----------------------------------------------------------------------------------------------

    @work(exclusive=True, group="work")
    async def action_add(self) -> None:
        from packnet_tui.screens.add import AddForm

        if self._refused("add"):
            return
        command = await self.app.push_screen_wait(AddForm(self.app.picture))
        if command and (confirmed := await self._confirm_seal(command)):
            await self._submit(confirmed)

    async def _confirm_seal(self, command: Add) -> Add | None:
        """The command, once it is clear that what it seals for good is wanted."""
        newest = self.app.picture.document.open_task
        if newest is None or newest.error is None or not tasks.no_better_than_chance(newest):
            return command
        question = Ask(
            f"{newest.name} is no better than chance. Seal it for good?",
            f"Its error is {newest.error.top1:.2f} %; always answering the largest class gives {newest.chance:.2f} %. "
            "Later tasks use its weights and suffer from them. Train it on (t) or drop it (d) instead.",
            yes="seal it",
        )
        return replace(command, yes=True) if await self.app.push_screen_wait(question) else None

    @work(exclusive=True, group="work")
    async def action_prune(self) -> None:
        from packnet_tui.screens.prune import PruneScreen

        picture = self.app.picture
        task = picture.open_task
        if self._refused("prune") or task is None:
            return
        if task.phase != "trained":
            again = Ask(
                f"{task.name} was pruned already. Prune it again?",
                "The ratio is a share of what it owns now.",
                yes="prune again",
            )
            if not await self.app.push_screen_wait(again):
                return
        command = await self.app.push_screen_wait(PruneScreen(picture, task))
        if command:
            await self._submit(command)

    @work(exclusive=True, group="work")
    async def action_train(self) -> None:
        from packnet_tui.screens.train import TrainForm

        if self._refused("train"):
            return
        picture = self.app.picture
        if picture.interrupted:
            self.app.submit(Train())
        elif picture.document.open_task and (
            command := await self.app.push_screen_wait(TrainForm(picture.document.open_task))
        ):
            await self._submit(command)

    def action_evaluate(self) -> None:
        task = self.query_one(Tasks).selected
        if self._refused("evaluate") or task is None:
            return
        self.app.submit(Evaluate(tasks=(self.app.picture.document.tasks[task.index - 1].name,)))

    def action_evaluate_all(self) -> None:
        if not self._refused("evaluate_all"):
            self.app.submit(Evaluate())

    @work(exclusive=True, group="work")
    async def action_stop(self) -> None:
        if self._refused("stop"):
            return
        picture = self.app.picture
        number, command = (picture.job.number, picture.job.command) if picture.job else picture.queue[0]
        resumable = not isinstance(command, Evaluate | Drop)
        what = "It stops after the step under way" + (", and t goes on with it later." if resumable else ".")
        if await self.app.push_screen_wait(Ask(f"Stop {summary(command)}?", what, yes="stop it", no="let it run")):
            self.app.stop_job(number)

    @work(exclusive=True, group="work")
    async def action_drop(self) -> None:
        if self._refused("drop"):
            return
        picture = self.app.picture
        task = picture.document.tasks[-1]
        owned = picture.document.owned[-1]
        text = f"Its {owned:,} weights become free, its head is removed. That can't be undone."
        if await self.app.push_screen_wait(Ask(f"Drop {task.name}?", text, yes="drop it")):
            await self._submit(Drop(task=task.name))

    async def _submit(self, command: Add | Prune | Train | Drop) -> None:
        """Have it done, once it is clear that a stopped job that could be gone on with may be lost."""
        stopped = self.app.picture.interrupted
        if stopped is None or (isinstance(command, Train) and command.resumes):
            self.app.submit(command)
            return
        question = Ask(
            f"Give up {summary(stopped)}?",
            f"It was stopped, and t would go on with it. {summary(command)} starts from the file as it was saved.",
            yes="give it up",
        )
        if await self.app.push_screen_wait(question):
            self.app.submit(replace(command, yes=True))

    def _refused(self, method: str) -> bool:
        """Whether an action makes no sense now; if so, says why."""
        action = next(action for action in ACTIONS if action.method == method)
        why = blocked(action, self.app.picture, self.app.readonly)
        if why:
            self.app.notify(why, severity="warning", markup=False)
        return why is not None


def _beside(here: Pane, panes: Iterable[Pane], which: str) -> Pane:
    """The pane to the left or right of one, the nearest in height; itself where there is none."""
    side = [
        pane
        for pane in panes
        if (pane.region.right <= here.region.x if which == "left" else pane.region.x >= here.region.right)
    ]
    return min(side, key=lambda pane: abs(pane.region.y - here.region.y), default=here)
