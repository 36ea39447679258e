"""The list of jobs to stop follows what happens meanwhile."""

from textual.widgets import OptionList

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.events import JobFinished, JobQueued
from packnet_tui.workbench.screens.dialog_help import DialogHelp
from packnet_tui.workbench.screens.job_choice import JobChoice
from packnet_tui.workbench.screens.main_screen import MainScreen
from tests.tui.made_up import append, entries, running
from tests.tui.still import opened


def ended(job):
    return entries([JobFinished(outcome="done", message="done", seconds=1, status=0)], job)


async def test_the_cursor_stays_on_its_job_while_others_end(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            number = desk.app.picture.job.number
            for job in (98, 99):
                append(path, entries([JobQueued(command=Evaluate())], job))
            await desk.until(lambda: 99 in dict(desk.app.picture.queue))
            await desk.press("x")
            screen = await desk.sees(JobChoice)
            count = screen.query_one(OptionList).option_count
            await desk.press(*"j" * (count - 1))
            append(path, ended(number))
            await desk.until(lambda: screen.query_one(OptionList).option_count == count - 1)
            await desk.press("x")
            await desk.sees(MainScreen)
            assert desk.app.engine.stopped == [99]


async def test_without_jobs_it_closes(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            picture = desk.app.picture
            await desk.press("x")
            await desk.sees(JobChoice)
            for job in (picture.job.number, *dict(picture.queue)):
                append(path, ended(job))
            await desk.sees(MainScreen)
            assert desk.app.said == ["all jobs have ended"]
            assert desk.app.engine.stopped == []


async def test_if_the_jobs_end_behind_its_help_that_stays_and_it_closes_afterwards(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            picture = desk.app.picture
            await desk.press("x")
            await desk.sees(JobChoice)
            await desk.press("question_mark")
            await desk.sees(DialogHelp)
            for job in (picture.job.number, *dict(picture.queue)):
                append(path, ended(job))
            await desk.until(lambda: not desk.app.picture.busy)
            desk.app.show()
            await desk.sees(DialogHelp)
            await desk.press("escape")
            await desk.sees(MainScreen)
            assert desk.app.said == ["all jobs have ended"]
