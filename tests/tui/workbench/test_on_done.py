"""`--on-done` in the workbench: for every job of the file that ends, and what goes wrong with it in one line."""

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate, Preview
from packnet_core.schema.events import JobFinished, JobQueued
from tests.tui.made_up import append, at_rest, begun, entries, job
from tests.tui.still import opened


async def test_a_command_that_fails_is_one_line_in_the_log_and_a_toast(tmp_path):
    path = at_rest(tmp_path / "model.safetensors")
    async with opened(path, on_done="echo no mail >&2; exit 3") as desk:
        append(path, job(7, Evaluate()))
        said = "--on-done ended with status 3: no mail"
        await desk.until(lambda: desk.app.said == [said])
        await desk.until(lambda: [line.text for line in desk.app.picture.log].count(said) == 1)


async def test_it_runs_once_per_job_also_for_a_cancelled_one_and_for_a_screen_that_only_watches(tmp_path):
    path = at_rest(tmp_path / "model.safetensors")
    told = tmp_path / "told"
    async with opened(path, readonly=True, on_done=f'echo "$PACKNET_JOB $PACKNET_OUTCOME" >> {told}') as desk:
        append(path, entries([JobQueued(command=Evaluate())], job=7))
        append(path, entries([JobFinished(outcome="cancelled", message="", seconds=0, status=1)], job=7))
        await desk.until(lambda: told.exists() and told.read_text() == "7 cancelled\n")
        append(path, job(8, Preview()))  # of a dialog: nobody waits for it
        with Paths(path).locked():
            append(path, entries([begun(Evaluate())], job=9))
            await desk.until(lambda: desk.app.picture.job)
        append(path, job(9, Evaluate())[1:])
        await desk.until(lambda: told.read_text() == "7 cancelled\n9 done\n")
        assert desk.app.said == []
