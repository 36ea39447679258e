"""The actions that send commands to the engine, with the forms and questions that come first."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TypeVar

from msgspec.structs import replace
from textual import work
from textual.screen import Screen

from packnet_core.errors import RequestError
from packnet_core.jobs import rules
from packnet_core.schema.commands import Add, Command, Compare, Drop, Evaluate, Prune, ReadOnly, Train, summary
from packnet_tui.workbench.actions import blocked, blocked_command
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.widgets.tasks_pane import TasksPane

Answer = TypeVar("Answer")


def opening(action: "Callable[[JobActions], Coroutine[None, None, None]]") -> "Callable[[JobActions], None]":
    """Make an action that opens a screen: a worker that waits for its answer; keys are held until it is open."""

    def start(self: "JobActions") -> None:
        self.app.hold_keys()
        self.run_worker(done(self), exclusive=True, group="work")

    async def done(self: "JobActions") -> None:
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

    @opening
    async def action_add(self) -> None:
        from packnet_tui.workbench.screens.add_form import AddForm

        if self._refused("add"):
            return
        command = await self._ask_for(AddForm(self.app.picture))
        if command:
            await self._submit(command)

    @opening
    async def action_prune(self) -> None:
        from packnet_tui.workbench.screens.prune_screen import PruneScreen

        picture = self.app.picture
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
        if self._refused("evaluate") or task is None:
            return
        self.app.submit(Evaluate(tasks=(task.name,)))  # a task that is being added is evaluated afterwards

    def action_evaluate_all(self) -> None:
        if not self._refused("evaluate_all"):
            self.app.submit(Evaluate())

    @opening
    async def action_compare(self) -> None:
        from packnet_tui.workbench.screens.baseline_choice import BaselineChoice

        task = self.query_one(TasksPane).selected
        if self._refused("compare") or task is None:
            return
        if task.index == 1:
            text = f"the other tasks begin with {task.name}'s network; choose one of them (2, then j)"
            self.app.notify(text, severity="warning", markup=False)
        elif baseline := await self._ask_for(BaselineChoice(task, self.app.picture)):
            self.app.submit(Compare(baseline=baseline, tasks=(task.name,)))

    @opening
    async def action_stop(self) -> None:
        if self._refused("stop"):
            return
        picture = self.app.picture
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
        resumable = not isinstance(command, ReadOnly | Drop)
        what = "It stops after the step under way" + ("; t resumes it later." if resumable else ".")
        if await self._ask_for(Question(f"Stop {summary(command)}?", what, yes="stop it", no="let it run")):
            self.app.stop_job(number)

    @opening
    async def action_drop(self) -> None:
        if not self._refused("drop"):
            await self._check_and_submit(Drop(task=self.app.picture.document.tasks[-1].name))

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
        if not picture.working:  # else the running job may allow it; the engine checks again
            try:
                certain = command if isinstance(command, ReadOnly) else replace(command, yes=True)
                rules.check(picture.document, certain)
            except RequestError as error:
                self.app.notify(str(error), severity="warning", markup=False)
                return
        if isinstance(command, ReadOnly):
            self.app.submit(command)
            return
        match command:
            case Prune(yes=False) if not await self._confirm_again():
                return
            case Drop(yes=False) if not await self._confirm_drop(command):
                return
        await self._submit(command)

    # -- questions --------------------------------------------------------------------------------------------------

    async def _confirm_seal(self, command: Add) -> Add | None:
        """Ask whether to seal an open task that is hardly better than chance. Returns the command, or None for no."""
        document, words = self.app.picture.document, self.app.picture.against_chance
        newest = document.open_task
        if newest is None or newest.error is None or not words:
            return command
        keys = {action.method: action.shown for action in self.app.actions}
        ways = " or ".join(f"{way} ({keys[name]})" for name, way in rules.ways_out(document).items())
        question = Question(
            f"{newest.name} is {words}. Seal it for good?",
            f"Its error is {newest.error.top1:.2f} %; always answering the largest class gives {newest.chance:.2f} %. "
            f"Later tasks use its weights, and would be worse. {ways.capitalize()} instead.",
            yes="seal it",
        )
        return replace(command, yes=True) if await self._ask_for(question) else None

    async def _confirm_again(self) -> bool:
        """Whether to prune; asks if the open task was pruned already."""
        task = self.app.picture.open_task
        if task is None or task.phase == "trained":
            return True
        again = f"{task.name} was pruned already. Prune it again?"
        question = Question(again, "The ratio is a share of what it owns now.", yes="prune again")
        return await self._ask_for(question) is True

    async def _confirm_emptying(self, command: Add | Prune) -> bool:
        """Whether to prune a task so that no weight is left."""
        task = command.task if isinstance(command, Add) else "the task"
        text = "It would be no better than chance, and worth nothing to later tasks. That can't be undone."
        return await self._ask_for(Question(f"Free every weight of {task}?", text, yes="free them all")) is True

    def _empties(self, command: Add | Prune) -> bool:
        with suppress(RequestError):  # a running job may change what it says; the engine checks again
            return rules.empties(self.app.picture.document, command)
        return False

    async def _confirm_drop(self, command: Drop) -> bool:
        document = self.app.picture.document
        owned = document.owned[document.index(command.task) - 1]
        text = f"Its {owned:,} weights become free, its head is removed. That can't be undone."
        return await self._ask_for(Question(f"Drop {command.task}?", text, yes="drop it")) is True

    async def _submit(self, command: Add | Prune | Train | Drop) -> None:
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
            f"Give up {summary(stopped)}?",
            f"It was stopped, and t would resume it. {summary(command)} starts from the file as it was last saved.",
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

    def _refused(self, method: str) -> bool:
        """Whether an action can't be done now; if so, show the reason."""
        action = next(action for action in self.app.actions if action.method == method)
        why = blocked(action, self.app.picture, self.app.readonly)
        if why:
            self.app.notify(why, severity="warning", markup=False)
        return why is not None
