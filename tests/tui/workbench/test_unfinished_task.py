"""A stopped addition leaves an unfinished task: a row of its own, which `d`, `x` and `:discard` give up."""

import re

import pytest
from msgspec.structs import replace
from textual.widgets import Static

from packnet_core.jobs import run_job
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Discard, Drop, Evaluate, Prune, Undo
from packnet_core.schema.events import EngineStarted, Epoch
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.forecast_screen import ForecastScreen
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.widgets.curves_pane import CurvesPane
from packnet_tui.workbench.widgets.layer_pane import LayerPane
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import (
    SEALED,
    append,
    begun,
    checkpoint,
    document,
    ended,
    entries,
    interrupt,
    task,
    training,
    write,
)
from tests.tui.still import SMALL, WIDE, Desk, opened
from tests.worlds import add, images, pack_file, work

BIRDS = Add(task="birds", data="/data/birds")
CARS = task("cars", 0.75, 18.36, "retrained")
CUT = Prune(ratio=0.5)


def stopped(path, command=BIRDS, epoch=3, epochs=8, **left):
    """Three tasks, the last one open, and a job that was stopped in an epoch."""
    given = document((*SEALED, CARS))
    write(path, given)
    interrupt(path, given, command, epoch=epoch, epochs=epochs, **left)
    events = [begun(command), *training(getattr(command, "task", None) or "cars", epochs, epoch - 1, 96.0, 17.5)]
    append(path, entries([EngineStarted(pid=7)], job=0))
    append(path, entries([*events, ended("stopped", "stopped")], job=5))
    return path


def rows(desk: Desk) -> list[str]:
    """The rows of pane 2, without its frame."""
    lines = [" ".join(line.strip("│┃ ").split()) for line in desk.text(desk.bench.query_one(TasksPane)).splitlines()]
    return [line for line in lines if re.match(r"(> )?\*?\d [a-z]", line)]


async def typed(desk: Desk, line: str) -> None:
    await desk.press("colon")
    await desk.write(line)
    await desk.press("enter")


@pytest.mark.parametrize(("size", "says"), [(WIDE, "stopped 3/8"), (SMALL, "stopped")])
async def test_it_is_a_row_of_its_own_with_its_curve(tmp_path, size, says):
    async with opened(stopped(tmp_path / "model.safetensors"), size=size) as desk:
        await desk.press("2")
        *others, newest = rows(desk)
        assert newest.startswith("> *4 birds")
        assert newest.endswith(says)
        assert "cars" in others[-1]
        assert not any("stopped" in row for row in others)
        assert desk.bench.query_one(CurvesPane).curve.task == "birds"
        await desk.press("k")
        assert desk.bench.query_one(CurvesPane).curve is None  # cars was trained before this journal began


async def test_the_task_before_it_is_open_as_in_the_file(tmp_path):
    async with opened(stopped(tmp_path / "model.safetensors")) as desk:
        assert [row.phase for row in desk.app.picture.tasks] == ["sealed", "sealed", "retrained", "trained"]


@pytest.mark.parametrize("keys", [["d"], ["x"], ["2", "k", "x"], [*"\x3a"]], ids=["d", "x", "x elsewhere", ":discard"])
@pytest.mark.parametrize(("answer", "given_up"), [("enter", False), ("y", True)])
async def test_d_x_and_discard_ask_to_give_it_up_and_nothing_else(tmp_path, keys, answer, given_up):
    async with opened(stopped(tmp_path / "model.safetensors")) as desk:
        await (typed(desk, "discard") if keys == [":"] else desk.press(*keys))
        await desk.sees(Question)
        said = " ".join(desk.text(desk.app.screen.query_one("Vertical")).replace("┃", " ").split())
        assert "Give up the unfinished task birds?" in said
        assert "It was interrupted (training, epoch 3 of 8). Its checkpoint is removed" in said
        assert "The file stays as it is: no other task changes." in said
        await desk.press(answer)
        await desk.sees(MainScreen)
        assert desk.asked == ([Discard(task="birds")] if given_up else [])


async def test_the_first_task_of_a_file_can_be_given_up_too(tmp_path):
    path = write(tmp_path / "model.safetensors", document(()))
    interrupt(path, document(()), BIRDS, epoch=1, epochs=8)
    async with opened(path) as desk:
        await desk.press("d")
        await desk.sees(Question)
        await desk.press("y")
        assert desk.asked == [Discard(task="birds")]


@pytest.mark.parametrize("line", ["drop cars", "drop birds", "drop cars --yes"])
async def test_a_typed_drop_is_refused_meanwhile_with_what_to_do(tmp_path, line):
    async with opened(stopped(tmp_path / "model.safetensors")) as desk:
        await typed(desk, line)
        await desk.until(lambda: desk.app.said)
        assert desk.app.said == [
            "nothing was dropped: an interrupted job waits, add birds; t resumes it, x gives it up"
        ]
        assert desk.asked == []


@pytest.mark.parametrize("key", ["e", "b"])
async def test_it_can_be_neither_evaluated_nor_compared(tmp_path, key):
    async with opened(stopped(tmp_path / "model.safetensors")) as desk:
        await desk.press(key)
        await desk.until(lambda: desk.app.said)
        assert desk.app.said == ["birds is unfinished; t resumes it, x gives it up"]
        assert desk.asked == []


async def test_it_stays_a_row_while_another_task_is_evaluated(tmp_path):
    path = stopped(tmp_path / "model.safetensors")
    append(path, entries([begun(Evaluate())], job=6))
    with Paths(path).locked():
        async with opened(path) as desk:
            assert desk.app.picture.job.command == Evaluate()
            assert desk.app.picture.unfinished == "birds"


async def test_of_a_stopped_pruning_d_drops_the_task_and_x_gives_up_the_job(tmp_path):
    pruned = document((*SEALED, replace(CARS, prune_ratio=0.875, phase="pruned")))
    path = stopped(tmp_path / "model.safetensors", CUT, epoch=2, epochs=5, left=pruned)
    async with opened(path) as desk:
        assert rows(desk)[-1].endswith("stopped 2/5")
        assert desk.app.picture.layers == pruned.layers
        await desk.press("d")
        await desk.sees(Question)
        said = " ".join(desk.text(desk.app.screen.query_one("Vertical")).replace("┃", " ").split())
        assert "Drop cars?" in said
        assert "Its interrupted job (prune 0.5) is given up." in said
        await desk.press("y")
        await desk.sees(MainScreen)
        await desk.press("x")
        await desk.sees(Question)
        said = " ".join(desk.text(desk.app.screen.query_one("Vertical")).replace("┃", " ").split())
        assert "Give up the interrupted job (prune 0.5)?" in said
        assert "cars stays as it was last saved: retrained." in said
        await desk.press("y")
        assert desk.asked == [Drop(task="cars"), Discard(task="cars")]


async def test_a_stop_in_the_last_evaluation_shows_what_the_checkpoint_holds(tmp_path):
    """The file has the task dense, and nothing free; the job had pruned and retrained it."""
    dense, done = document((*SEALED, task("cars", None, 17.1, "trained"))), document((*SEALED, CARS))
    path = write(tmp_path / "model.safetensors", dense)
    interrupt(path, dense, Add(task="cars", data="/d", prune=0.75), left=done, epoch=6, epochs=5)
    async with opened(path, (140, 40)) as desk:
        assert desk.app.picture.layers == done.layers
        assert f"free {100 * done.free / done.weights:.1f} %" in desk.text().splitlines()[0]
        (*_, row) = rows(desk)
        assert "0.75" in row
        assert row.endswith("stopped 5/5")


async def test_forms_show_the_file_from_which_their_job_would_begin(tmp_path):
    pruned = document((*SEALED, replace(CARS, prune_ratio=0.9, phase="pruned")))
    path = stopped(tmp_path / "model.safetensors", CUT, left=pruned)
    saved = read_header(path).document
    async with opened(path) as desk:
        await desk.press("p")
        await desk.sees(Question)  # it was pruned before: again?
        await desk.press("y")
        screen = await desk.sees(PruneScreen)
        assert screen._picture.layers == saved.layers
        await desk.press("escape")
        await desk.press("a")
        assert (await desk.sees(AddForm))._picture.open_task.prune_ratio == CARS.prune_ratio


async def test_hostile_counts_in_a_checkpoint_are_not_shown(tmp_path):
    given = document((*SEALED, CARS))
    path = write(tmp_path / "model.safetensors", given)
    odd = checkpoint(given, BIRDS).document
    first, *others = odd.layers
    for owned in ((1, 2), (10**9,) * 4, (0,) * 9):
        interrupt(path, given, BIRDS, left=replace(odd, layers=(replace(first, owned=owned), *others)))
        async with opened(path) as desk:
            assert len(desk.app.picture.tasks) == 3
            assert desk.app.picture.stopped is None


# -- on a real file ---------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    data = images(tmp_path / "data.npz")
    path = pack_file(tmp_path / "model.safetensors")
    for name in ("one", "two"):
        work(path, add(name, data, yes=True))
    return path


async def test_the_screen_follows_when_it_is_given_up_elsewhere(path, tmp_path):
    jobs = run_job.run(path, add("three", tmp_path / "data.npz", yes=True))
    next(entry for entry in jobs if isinstance(entry.event, Epoch))
    jobs.close()
    async with opened(path) as desk:
        assert [row.stopped for row in desk.app.picture.tasks] == ["", "", "stopped 2/2"]
        work(path, Discard())
        await desk.until(lambda: len(desk.app.picture.tasks) == 2, "the row to go")
        await desk.until(lambda: "the interrupted job, add three" in desk.text(), "the log")
        assert desk.app.picture.stopped is None


async def test_u_brings_a_dropped_task_back_with_its_curve_and_its_errors(path):
    work(path, Evaluate())
    async with opened(path) as desk:
        before, curve = desk.app.picture.tasks, desk.app.picture.curves["two"]
        work(path, Drop(task="two"))
        await desk.until(lambda: desk.app.picture.undo == "two", "the former file")
        await desk.until(lambda: desk.app.picture.job is None and "two" not in desk.app.picture.curves)
        await desk.press("u")
        await desk.until(lambda: desk.asked)
        assert desk.asked == [Undo(task="two")]
        work(path, Undo(task="two"))
        await desk.until(lambda: len(desk.app.picture.tasks) == 2 and desk.app.picture.job is None)
        await desk.until(lambda: desk.app.picture.tasks == before, "the same rows")
        assert desk.app.picture.curves["two"] == curve
        assert desk.app.picture.undo == ""
        desk.app.said.clear()
        await typed(desk, "undo")
        assert desk.app.said == ["the last change of the file was not a drop, so there is nothing to undo"]


async def test_u_without_the_former_file_says_so(path):
    work(path, Drop(task="two"))
    for kept in Paths(path).formers():
        kept.unlink()
    async with opened(path) as desk:
        await desk.press("u")
        await desk.until(lambda: desk.app.said)
        assert desk.app.said == ["the former file is gone, so the drop can't be undone"]
        assert desk.asked == []


async def test_what_it_will_be_pruned_at_is_its_own_ratio_in_pane_4_and_in_the_forecast(tmp_path):
    path = stopped(tmp_path / "model.safetensors", replace(BIRDS, prune=0.9))
    async with opened(path, WIDE) as desk:
        assert desk.app.ratio == 0.75
        assert " pruned at 0.9, birds keeps " in desk.text(desk.bench.query_one(LayerPane))
        await desk.press("F", "5")
        screen = await desk.sees(ForecastScreen)
        assert "birds is pruned at 0.9 first" in str(screen.query_one(".ratio", Static).content)
