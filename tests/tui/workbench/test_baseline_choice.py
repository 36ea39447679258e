"""A task compared with baselines: read from the journal, requested by a key, shown beside its error."""

from typing import get_args

import pytest

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Baseline, Compare, Drop, Evaluate, Preview
from packnet_core.schema.document import Error
from packnet_core.schema.events import Compared, JobFinished, JobStarted, PhaseStarted, Previewed, Progress
from packnet_tui.state.baseline_words import ORDER
from packnet_tui.state.story import Story
from packnet_tui.workbench.screens.baseline_choice import WAYS, BaselineChoice
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.screens.runs_screen import RunsScreen
from packnet_tui.workbench.widgets.status_line import job_in_words
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import NOON, SEALED, TINY, append, at_rest, document, entries, evaluated, task, training
from tests.tui.still import SMALL, TOO_SMALL, WIDE, opened, sealed

CARS = document((*SEALED, task("cars", 0.75, 18.36, "retrained")), TINY)
ADD = Add(task="cars", data="/data/cars", prune=0.75)
INDIVIDUAL = Compare(baseline="individual", tasks=("cars",))
DONE = JobFinished(outcome="done", message="done", seconds=1, status=0)


def started(command):
    return JobStarted(command=command, pid=7, device="cpu")


def compared(name, baseline, error, after=None):
    return Compared(task=name, baseline=baseline, error=Error(top1=error, top5=None, images=5794), after=after)


BOTH = [started(INDIVIDUAL), compared("cars", "individual", 14.3), compared("cars", "classifier", 34.4), DONE]
RUNS = [
    started(INDIVIDUAL),
    PhaseStarted(phase="compare", task="cars", epochs=8, images=1600),
    Progress(task="cars", done=0, images=1600, epoch=1, epochs=8),
    Progress(task="cars", done=400, images=1600, epoch=2, epochs=8),
]


def folded(*events, shown=CARS):
    story = Story()
    story.read(entries(events))
    return story.picture(shown)


def measured(path):
    """A file at rest whose third task was compared."""
    at_rest(path)
    append(path, entries([*BOTH, compared("cubs", "lwf", 40.4, "cars")], job=5, at=NOON + 700))
    return path


# -- comparisons in the journal --------------------------------------------------------------------------------------


def test_the_newest_error_by_each_baseline_is_beside_the_tasks():
    picture = folded(*BOTH, compared("cubs", "lwf", 30.0, "cubs"), compared("cubs", "lwf", 40.4, "cars"))
    assert [dict(row.compared) for row in picture.tasks] == [
        {},
        {"lwf": 40.4},
        {"individual": 14.3, "classifier": 34.4},
    ]
    assert picture.tasks[2].closed == pytest.approx(100 * (34.4 - 18.36) / (34.4 - 14.3))
    assert [row.now for row in picture.tasks] == [None] * 3  # an error of a copy proves no drift


@pytest.mark.parametrize(
    "later",
    [
        [started(Drop(task="cars")), DONE],
        [started(ADD), PhaseStarted(phase="train", task="cars", epochs=9, images=54)],
    ],
    ids=["dropped", "added anew"],
)
def test_comparisons_of_a_dropped_task_of_the_same_name_are_forgotten(later):
    assert folded(*BOTH).tasks[-1].compared
    assert not folded(*BOTH, *later).tasks[-1].compared


def test_a_running_comparison_leaves_curves_and_sweep_unchanged():
    before = [started(Preview()), Previewed(task="cars", ratio=0.5, error=20.0, images=100), DONE]
    picture = folded(*before, *RUNS)
    job = picture.job
    assert (job.phase, job.task, job.done, job.images) == ("compare", "cars", 400, 1600)
    assert picture.tasks[2].working == "compare"
    assert (picture.curve, picture.curves) == (None, {})
    assert picture.previews == ((0.5, 20.0),)
    assert job_in_words(picture)[0] == "● COMPARE cars with individual: 25 % done, epoch 2 of 8, ETA 00:03"


def test_training_continues_its_own_curve_after_a_comparison():
    first = [started(ADD), *training("cars", 2, 2, 96.0, 17.5), DONE]
    assert folded(*first, *RUNS, DONE).curve == folded(*first).curve


def test_the_log_has_a_line_for_a_comparison():
    texts = [line.text for line in folded(*RUNS, compared("cars", "individual", 14.3), DONE).log]
    assert texts[1] == "cars with individual: test error 14.30 %"
    assert folded(compared("cubs", "lwf", 40.4, "cars")).log[-1].text == "cubs with lwf: test error 40.40 %, after cars"


def test_a_comparison_is_a_run_with_its_error_and_without_a_curve():
    picture = folded(*RUNS, compared("cars", "individual", 14.3), DONE)
    (run,) = picture.runs
    assert (run.tasks, run.errors["cars"].top1, picture.run_curves) == (("cars",), 14.3, {})


def test_every_baseline_can_be_asked_for_and_shown():
    assert set(WAYS) == set(ORDER) == set(get_args(Baseline))


# -- the key ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "baseline"), [(["enter"], "individual"), (["j", "enter"], "classifier"), (["down", "j", "b"], "lwf")]
)
async def test_b_asks_which_baseline_and_submits_it(tmp_path, keys, baseline):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("2", "k", "b")
        await desk.sees(BaselineChoice)
        assert "not changed" in desk.text()
        await desk.press(*keys)
        await desk.sees(MainScreen)
        assert desk.asked == [Compare(baseline=baseline, tasks=("cubs",))]


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=str)
async def test_the_dialog_explains_each_baseline_and_how_long_adding_the_task_took(tmp_path, size):
    async with opened(at_rest(tmp_path / "model.safetensors"), size) as desk:
        await desk.press("b")
        await desk.sees(BaselineChoice)
        lines = desk.text().splitlines()
        for name, what in WAYS.items():
            assert any(f"{name:12}{what} " in line for line in lines), name
        assert "Adding it took 6 min 30 s." in desk.text()
        await desk.press("escape")
        await desk.sees(MainScreen)
        assert desk.asked == []


async def test_the_first_task_is_what_the_others_begin_with(tmp_path):
    async with opened(sealed(tmp_path / "model.safetensors")) as desk:
        await desk.press("2", "g", "b")
        assert desk.app.said == ["the other tasks begin with imagenet's network; choose one of them (2, then j)"]
        assert isinstance(desk.app.screen, MainScreen)
        assert desk.asked == []


async def test_a_baseline_is_typed_as_in_the_shell(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("colon")
        await desk.write("baseline classifier cubs cars")
        await desk.press("enter")
        await desk.until(lambda: desk.asked)
        assert desk.asked == [Compare(baseline="classifier", tasks=("cubs", "cars"))]


async def test_a_running_comparison_is_shown_and_stopping_it_promises_no_resume(tmp_path):
    path = at_rest(tmp_path / "model.safetensors")
    append(path, entries(RUNS, job=5, at=NOON + 700))
    with Paths(path).locked():
        async with opened(path) as desk:
            assert "COMPARE cars with individual: 25 % done, epoch 2 of 8" in desk.text()
            await desk.press("x")
            await desk.sees(Question)
            assert "Stop baseline individual cars?" in desk.text()
            assert "t resumes" not in desk.text()


# -- where it is shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "lines"),
    [
        (WIDE, ["individual 14.30 · classifier 34.40", "closes 80 % of the gap to its own network"]),
        (SMALL, ["individual 14.30", "classifier 34.40", "gap closed 80 %"]),
        ((190, 40), ["34.40      14.30       80 %"]),
    ],
    ids=str,
)
async def test_comparisons_are_below_the_tasks_or_in_their_own_columns(tmp_path, size, lines):
    async with opened(measured(tmp_path / "model.safetensors"), size) as desk:
        pane = desk.bench.query_one(TasksPane)
        await desk.until(lambda: all(line in desk.text(pane) for line in lines), lines)
        for name in ("imagenet", "cubs", "cars", "free"):  # nothing gives way for it
            assert name in desk.text(pane)
        height = pane.size.height
        await desk.press("2", "k")
        await desk.until(lambda: "lwf 40.40" in desk.text(pane))
        await desk.press("k")
        assert "lwf" not in desk.text(pane)
        assert pane.size.height == height


async def test_tasks_come_before_what_they_are_compared_with(tmp_path):
    async with opened(measured(tmp_path / "model.safetensors"), TOO_SMALL) as desk:
        text = desk.text(desk.bench.query_one(TasksPane))
        assert all(name in text for name in ("imagenet", "cubs", "cars", "free"))
        assert "closes" not in text


async def test_a_zoomed_pane_has_columns(tmp_path):
    async with opened(measured(tmp_path / "model.safetensors")) as desk:
        await desk.press("2", "z")
        await desk.until(lambda: "classifier individual gap closed" in desk.text())
        (row,) = [line for line in desk.text().splitlines() if "3 cars" in line]
        assert row.split()[-4:-1] == ["34.40", "14.30", "80"]


async def test_a_task_without_comparisons_has_no_columns_for_them(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors"), (190, 40)) as desk:
        assert "gap closed" not in desk.text()
        append(desk.app.path, entries([started(Evaluate()), evaluated("cars", 18.36), DONE], job=5, at=NOON + 700))
        append(desk.app.path, entries(BOTH, job=6, at=NOON + 800))
        await desk.until(lambda: "gap closed" in desk.text())


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=str)
async def test_the_runs_of_a_task_name_all_of_them(tmp_path, size):
    async with opened(measured(tmp_path / "model.safetensors"), size) as desk:
        await desk.press("2", "enter")
        await desk.sees(RunsScreen)
        await desk.until(lambda: "cars 18.36 · individual 14.30 · classifier 34.40" in desk.text())
        assert "closes 80 % of the gap to its own network" in desk.text()
        assert "baseline individual cars" in desk.text()
        assert "add cars --prune 0.75" in desk.text()
