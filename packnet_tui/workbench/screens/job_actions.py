"""The actions that send commands to the engine, with the forms and questions that come first."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TypeVar

from msgspec.structs import replace
from textual import work
from textual.screen import Screen

from packnet_core.errors import RequestError
from packnet_core.jobs import chance, rules
from packnet_core.jobs.ratios import empties
from packnet_core.jobs.unfinished import Unfinished
from packnet_core.schema.commands import (
    Add,
    Command,
    Compare,
    Discard,
    Drop,
    Evaluate,
    Immediate,
    Prune,
    ReadOnly,
    Train,
    Undo,
)
from packnet_tui.state.format import NAME, cut_middle, short_summary
from packnet_tui.state.job_words import discarding, dropping, file_bytes
from packnet_tui.state.picture import TaskRow
from packnet_tui.workbench.actions import HELPFUL, blocked, blocked_command, by_key
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.widgets.tasks_pane import TasksPane

Answer = TypeVar("Answer")
Main = TypeVar("Main", bound="JobActions")


def opening(action: "Callable[[Main], Coroutine[None, None, None]]") -> "Callable[[Main], None]":
    """Make an action that opens a screen: a worker that waits for its answer; keys are held until it is open."""

    def start(self: "Main") -> None:
        self.app.hold_keys()
        self.run_worker(done(self), exclusive=True, group="work")

    async def done(self: "Main") -> None:
        try:
            await action(self)
        finally:
            self.app.release_keys()

    return start


class JobActions(Screen[None]):
    """The part of the main screen that sends commands to the engine. It never waits for the engine.

    Keys that are typed while a screen opens wait for that screen (`hold_keys`).
    """

    app: AppInterface

    def redraw(self) -> None:
        """Show the app's picture as it is now."""
        raise NotImplementedError

    @opening
    async def action_add(self) -> None:
        from packnet_tui.workbench.screens.add_form import AddForm

        if self._refused("add"):
            return
        command = await self._ask_for(AddForm(self.app.picture.as_saved))
        if command:
            await self._submit(command)

    @opening
    async def action_prune(self) -> None:
        from packnet_tui.workbench.screens.prune_screen import PruneScreen

        picture = self.app.picture.as_saved
        task = picture.open_task
        if self._refused("prune") or task is None:
            return
        if await self._confirm_again() and (command := await self._ask_for(PruneScreen(picture, task))):
            await self._submit(command)

    @opening
    async def action_train(self) -> None:
        from packnet_tui.workbench.screens.train_form import TrainForm

        if self._refused("train"):
            return
        picture = self.app.picture
        if picture.interrupted:
            self.app.submit(Train())
        elif picture.document.open_task and (command := await self._ask_for(TrainForm(picture.document.open_task))):
            await self._submit(command)

    def action_evaluate(self) -> None:
        task = self.query_one(TasksPane).selected
        if self._refused("evaluate") or task is None or self._is_unfinished(task):
            return
        self.app.submit(Evaluate(tasks=(task.name,)))  # a task that is being added is evaluated afterwards

    def action_evaluate_all(self) -> None:
        if not self._refused("evaluate_all"):
            self.app.submit(Evaluate())

    @opening
    async def action_compare(self) -> None:
        from packnet_tui.workbench.screens.baseline_choice import BaselineChoice

        task = self.query_one(TasksPane).selected
        if self._refused("compare") or task is None or self._is_unfinished(task):
            return
        if task.index == 1:
            text = f"the other tasks begin with {cut_middle(task.name, NAME)}'s network; choose one of them (2, then j)"
            self.app.notify(text, severity="warning", markup=False)
        elif baseline := await self._ask_for(BaselineChoice(task, self.app.picture)):
            self.app.submit(Compare(baseline=baseline, tasks=(task.name,)))

    @opening
    async def action_forecast(self) -> None:
        from packnet_tui.workbench.screens.forecast_screen import ForecastScreen

        await self._ask_for(ForecastScreen())
        self.redraw()  # with the ratio that was kept

    @opening
    async def action_stop(self) -> None:
        if self._refused("stop"):
            return
        picture = self.app.picture
        if not picture.busy:
            await self._check_and_submit(Discard())
            return
        waiting = dict(picture.queue)
        number = picture.job.number if picture.job else next(iter(waiting))
        if len(waiting) + (picture.job is not None) > 1:
            from packnet_tui.workbench.screens.job_choice import JobChoice

            chosen = await self._ask_for(JobChoice(picture))
            if chosen is None:
                return
            number = chosen
        if number in waiting:  # it has not begun, so no question is needed
            self.app.stop_job(number)
            return
        assert picture.job is not None
        command = picture.job.command
        resumable = not isinstance(command, ReadOnly | Immediate)
        what = "It stops after the step under way" + ("; t resumes it later." if resumable else ".")
        if await self._ask_for(Question(f"Stop {short_summary(command)}?", what, yes="stop it", no="let it run")):
            self.app.stop_job(number)

    @opening
    async def action_drop(self) -> None:
        if self._refused("drop"):
            return
        picture = self.app.picture
        await self._check_and_submit(Discard() if picture.unfinished else Drop(task=picture.document.tasks[-1].name))

    def action_undo(self) -> None:
        if not self._refused("undo"):
            self.do_command(Undo())

    @work(exclusive=True, group="work")
    async def do_command(self, command: Command) -> None:
        """Send a typed command, after the same questions as for its key."""
        try:
            await self._check_and_submit(command)
        finally:
            self.app.release_keys()

    async def _check_and_submit(self, command: Command) -> None:
        picture = self.app.picture
        if why := blocked_command(type(command), picture, self.app.readonly):
            self.app.notify(why, severity="warning", markup=False)
            return
        damaged = isinstance(command, Discard) and picture.stopped is None  # or there is none: the engine looks
        if not (picture.working or damaged):  # else the running job may allow it; the engine checks again
            try:
                certain = command if isinstance(command, ReadOnly | Undo) else replace(command, yes=True)
                rules.check(picture.document, certain, Unfinished(picture.stopped))
            except RequestError as error:
                self.app.notify(by_key(error), severity="warning", markup=False)
                return
        if isinstance(command, ReadOnly | Immediate):
            if isinstance(command, Discard) and picture.stopped:
                command = replace(command, task=command.task or picture.stopped.task)
            if not (isinstance(command, Drop | Discard) and not command.yes) or await self._confirm_loss(command):
                self.app.submit(rules.named(picture.document, command))
            return
        if not (isinstance(command, Prune) and not command.yes) or await self._confirm_again():
            await self._submit(command)

    # -- questions --------------------------------------------------------------------------------------------------

    async def _confirm_seal(self, command: Add) -> Add | None:
        """Ask whether to seal an open task that is hardly better than chance. Returns the command, or None for no."""
        document, words = self.app.picture.document, self.app.picture.against_chance
        newest = document.open_task
        if newest is None or newest.error is None or not words:
            return command
        keys = {action.method: action.shown for action in self.app.actions}
        ways = " or ".join(f"{way} ({keys[name]})" for name, way in chance.remedies(document).items())
        question = Question(
            f"{cut_middle(newest.name, NAME)} is {words}. Seal it for good?",
            f"Its error is {newest.error.top1:.2f} %; always answering the largest class gives {newest.chance:.2f} %. "
            f"Later tasks use its weights, and would be worse. {ways.capitalize()} instead.",
            yes="seal it",
        )
        return replace(command, yes=True) if await self._ask_for(question) else None

    async def _confirm_again(self) -> bool:
        """Whether to prune; asks if the open task was pruned already."""
        task = self.app.picture.as_saved.open_task
        if task is None or task.phase == "trained":
            return True
        again = f"{cut_middle(task.name, NAME)} was pruned already. Prune it again?"
        question = Question(again, "The ratio is a share of what it owns now.", yes="prune again")
        return await self._ask_for(question) is True

    async def _confirm_emptying(self, command: Add | Prune) -> bool:
        """Whether to prune a task so that no weight is left."""
        task = command.task if isinstance(command, Add) else "the task"
        text = "It would be no better than chance, and worth nothing to later tasks. That can't be undone."
        return await self._ask_for(Question(f"Free every weight of {task}?", text, yes="free them all")) is True

    def _empties(self, command: Add | Prune) -> bool:
        with suppress(RequestError):  # a running job may change what it says; the engine checks again
            return empties(self.app.picture.document, command)
        return False

    async def _confirm_loss(self, command: Drop | Discard) -> bool:
        """Whether to drop a task, or to give up the interrupted job."""
        picture = self.app.picture
        if isinstance(command, Drop):
            size = await asyncio.to_thread(file_bytes, self.app.path)
            text, effect = dropping(command.task, picture.document, picture.stopped, size, undo="u")
            return await self._ask_for(Question(text, effect, yes="drop it")) is True
        if picture.stopped is None:
            return True
        return await self._ask_for(Question(*discarding(picture.stopped, picture.document), yes="give it up")) is True

    async def _submit(self, command: Add | Prune | Train) -> None:
        """Send a command; first ask whether to seal a bad task for good and to give up an interrupted job."""
        command, said_yes = rules.named(self.app.picture.document, command), command.yes
        if isinstance(command, Add) and not said_yes:
            confirmed = await self._confirm_seal(command)
            if confirmed is None:
                return
            command = confirmed
        if isinstance(command, Add | Prune) and not said_yes and self._empties(command):
            if not await self._confirm_emptying(command):
                return
            command = replace(command, yes=True)
        stopped = self.app.picture.interrupted
        if stopped is None or said_yes or (isinstance(command, Train) and command.resumes):
            self.app.submit(command)
            return
        question = Question(
            f"Give up {short_summary(stopped)}?",
            "It was stopped, and t would resume it. "
            f"{short_summary(command)} starts from the file as it was last saved.",
            yes="give it up",
        )
        if await self._ask_for(question):
            self.app.submit(replace(command, yes=True))

    async def _ask_for(self, screen: Screen[Answer]) -> Answer | None:
        answer = self.app.push_screen(screen, wait_for_dismiss=True)
        screen.call_after_refresh(self.app.release_keys)
        try:
            return await answer
        finally:
            self.app.hold_keys()  # until the next screen is open, or the action ends

    def _is_unfinished(self, task: TaskRow) -> bool:
        """Whether the file has no such task yet, because its addition was interrupted; if so, show what to do."""
        if task.name != self.app.picture.unfinished:
            return False
        self.app.notify(f"{task.name} is unfinished; {HELPFUL['resume']}", severity="warning", markup=False)
        return True

    def _refused(self, method: str) -> bool:
        """Whether an action can't be done now; if so, show the reason."""
        action = next(action for action in self.app.actions if action.method == method)
        why = blocked(action, self.app.picture, self.app.readonly)
        if why:
            self.app.notify(why, severity="warning", markup=False)
        return why is not None
