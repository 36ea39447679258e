"""The runs of every task: folded from the journal, and their screen."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Drop, Evaluate, Prune, Train
from packnet_core.schema.events import EngineLeft, EngineStarted, Entry, JobFinished, JobStarted, Note, Pruned
from packnet_core.schema.recipes import Recipe
from packnet_tui.state.runs import KEPT, MOST_RUNS, Run, Runs, fold, of_task
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.runs_screen import RunsScreen, in_words, recipe_in_words, took
from packnet_tui.workbench.widgets.curves_pane import CurveView
from packnet_tui.workbench.widgets.plot import Plot
from tests.tui.made_up import (
    NOON,
    SEALED,
    append,
    at_rest,
    document,
    entries,
    evaluated,
    running,
    task,
    training,
    write,
)
from tests.tui.still import SMALL, WIDE, Desk, opened

ADD = Add(task="cars", data="/data/cars", recipe=Recipe(epochs=10, lr=0.01), prune=0.75)
CUT = Pruned(task="cars", ratio=0.6, freed=3, kept=1, before=17.5, after=61.0)
DROP = Drop(task="cars")


def begun(command, pid=7):
    return JobStarted(command=command, pid=pid, device="cpu")


def ended(outcome="done", message="done", seconds=60.0):
    return JobFinished(outcome=outcome, message=message, seconds=seconds, status=0)


def job(number: int, command, *events, end=None) -> list[Entry]:
    return entries([begun(command), *events, end or ended()], job=number, at=NOON + 1000 * number)


def add(number=1, best=17.5, epochs=4) -> list[Entry]:
    return job(number, ADD, *training("cars", epochs, epochs, 96.0, best), evaluated("cars", best))


def test_a_run_is_what_was_asked_and_what_came_of_it():
    (run,) = fold(add(3))
    assert (run.job, run.command, run.at, run.device) == (3, ADD, NOON + 3000, "cpu")
    assert (run.outcome, run.seconds, run.error("cars"), run.tasks) == ("done", 60.0, 17.5, ("cars",))
    assert (run.recipe, run.data, run.ratio) == (ADD.recipe, "/data/cars", 0.75)
    assert run.curve.end == 4


def test_each_job_has_a_curve_of_its_own():
    story = [
        *add(1),
        *job(2, Prune(ratio=0.6), CUT, *training("cars", 2, 2, 61.0, 18.0, retrain=True, before=17.5)),
        *job(3, Evaluate(), evaluated("cars", 18.0)),
    ]
    first, pruning, check = fold(story)
    assert (first.curve.end, first.curve.pruned) == (4, ())
    assert (pruning.curve.end, pruning.curve.pruned, pruning.curve.before) == (2, ((0, 0.6),), (0, 17.5))
    assert check.curve is None


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        (Prune(ratio=0.6, recipe={"retrain_epochs": 9}), Recipe(epochs=10, lr=0.01, retrain_epochs=9)),
        (Train(recipe={"lr": 0.5}, data="/other"), Recipe(epochs=10, lr=0.5)),
        (Train(), ADD.recipe),
    ],
)
def test_a_later_job_has_the_tasks_recipe_with_its_own_changes(command, changed):
    run = fold([*add(1), *job(2, command)])[-1]
    assert (run.tasks, run.recipe, run.data) == (("cars",), changed, getattr(command, "data", None) or "/data/cars")


def test_a_recipe_that_makes_no_sense_is_not_shown():
    assert fold([*add(1), *job(2, Train(recipe={"lr": -1.0}), end=ended("failed"))])[-1].recipe is None


def test_a_task_that_was_added_before_the_journal_begins_is_known_by_what_is_done_with_it():
    (run,) = fold(job(9, Prune(ratio=0.6), CUT))
    assert (run.tasks, run.recipe, run.ratio, run.validation) == (("cars",), None, 0.6, 61.0)


def test_evaluating_all_concerns_every_task_that_was_measured():
    runs = fold(job(1, Evaluate(), evaluated("imagenet", 28.0), evaluated("cubs", 22.0)))
    assert [len(of_task(runs, name)) for name in ("imagenet", "cubs", "cars")] == [1, 1, 0]
    assert runs[0].error("cubs") == 22.0


def test_a_job_that_runs_is_there_and_grows():
    runs = Runs()
    for entry in add(1)[:30]:
        runs.read(entry)
    (run,) = runs.all()
    assert (run.outcome, run.seconds, len(run.curve.loss)) == ("", None, 27)
    for entry in add(1)[30:]:
        runs.read(entry)
    assert [run.outcome for run in runs.all()] == ["done"]


@pytest.mark.parametrize("sign", [EngineStarted(pid=8), EngineLeft(pid=7, reason="idle"), begun(Evaluate())])
def test_a_job_without_an_end_died(sign):
    runs = fold([*add(1)[:30], *entries([sign], job=2)])
    assert (runs[0].outcome, runs[0].curve.task) == ("died", "cars")


def test_a_dropped_namesakes_runs_are_marked_and_the_new_ones_are_not():
    story = [*add(1, best=30.0), *job(2, DROP), *add(3), *job(4, Evaluate(), evaluated("cars", 17.5))]
    found = of_task(fold(story), "cars")
    assert [(run.job, former) for run, former in found] == [(4, False), (3, False), (2, True), (1, True)]


def test_a_drop_that_failed_leaves_the_task_what_it_was():
    found = of_task(fold([*add(1), *job(2, DROP, end=ended("failed"))]), "cars")
    assert [former for _, former in found] == [False, False]


def test_what_is_kept_is_bounded():
    long = add(1, epochs=3 * KEPT)
    (run,) = fold(long)
    assert max(len(run.curve.loss), len(run.curve.validation_error), len(run.curve.validation_loss)) <= KEPT
    many = [entry for i in range(MOST_RUNS + 7) for entry in job(i, Evaluate(), evaluated("cubs", 1.0))]
    runs = fold(many)
    assert (len(runs), runs[-1].job) == (MOST_RUNS, MOST_RUNS + 6)


JOBS = st.sampled_from([ADD, DROP, Prune(ratio=0.6), Train(), Evaluate()])


@given(st.lists(st.tuples(JOBS, st.integers(0, 30), st.booleans()), max_size=8))
def test_any_journal_gives_a_run_for_each_job_in_order(jobs):
    story = []
    for number, (command, steps, whole) in enumerate(jobs, 1):
        events = [begun(command), *list(training("cars", 2, 2, 96.0, 17.5))[:steps]]
        story += entries([*events, ended()] if whole else events, job=number)
    runs = fold(story)
    assert [(run.job, run.command) for run in runs] == [(i, command) for i, (command, *_) in enumerate(jobs, 1)]
    assert [run.outcome for run in runs[:-1]] == ["done" if whole else "died" for *_, whole in jobs[:-1]]
    assert fold(story) == runs


def test_a_name_out_of_a_journal_never_steers_the_terminal():
    (run,) = fold(
        job(1, Add(task="a\x1b[2J", data="/d\x1b[2J"), evaluated("a\x1b[2J", 1.0), end=ended("failed", "\x07"))
    )
    assert (run.tasks, run.message) == ((r"a\x1b[2J",), r"\x07")
    assert all(line.plain.isprintable() for line in in_words(run, 80))


def test_a_recipe_is_told_in_full():
    words = recipe_in_words(Recipe(epochs=10, lr=0.01))
    assert words == [
        "optimizer sgd", "learning rate 0.01", "momentum 0.9", "weight decay 0", "batch size 32", "epochs 10",
        "rate / 10 after 5 epochs", "retraining 5 epochs", "its rate 0.001", "seed 0",
    ]  # fmt: skip


def test_what_was_asked_beyond_the_paper_is_said_and_the_rest_is_not():
    words = recipe_in_words(Recipe(schedule="cosine", warmup_epochs=2, clip=1.5, channels_last=True, pick="last"))
    assert {
        "schedule cosine",
        "warm-up epochs 2",
        "gradients clipped at 1.5",
        "channels last",
        "pick epoch last",
    } <= set(words)
    assert not any("rate / 10" in word or "precision" in word for word in words)
    assert not {"channels last", "pick epoch best"} & set(recipe_in_words(Recipe()))


@pytest.mark.parametrize("width", [30, 50, 78, 118])
def test_the_words_of_a_run_fit(width):
    (run,) = fold(add(1))
    lines = in_words(run, width)
    assert all(line.cell_len <= width for line in lines[1:])
    assert all(word in " · ".join(line.plain for line in lines) for word in recipe_in_words(run.recipe))


@pytest.mark.parametrize(("seconds", "says"), [(None, "–"), (9.0, "9.0 s"), (390.0, "06:30"), (3723, "1:02:03")])
def test_how_long_it_took(seconds, says):
    assert took(Run(1, NOON, ADD, seconds=seconds)) == says


# -- the screen -------------------------------------------------------------------------------------------------------


@pytest.fixture
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def twice(path):
    """Cars was dropped once and added again."""
    write(path, document((*SEALED, task("cars", 0.75, 17.5, "retrained"))))
    append(path, [*add(1, best=30.0), *job(2, DROP), *add(3), *job(4, Evaluate(), evaluated("cars", 17.5))])
    return path


async def at_runs(desk: Desk) -> RunsScreen:
    await desk.press("2", "enter")
    return await desk.sees(RunsScreen)


def rows(desk: Desk) -> list[str]:
    return [line.strip("┃ ") for line in desk.text().splitlines() if line.startswith("┃")]


async def test_enter_on_a_task_shows_its_runs_newest_first(tmp_path, utc):
    async with opened(twice(tmp_path / "model.safetensors")) as desk:
        await at_runs(desk)
        _, *lines = rows(desk)
        assert [" ".join(line.split()) for line in lines if line] == [
            "> 4 23 Nov 13:06 eval done 01:00 17.50",
            "3 23 Nov 12:50 add cars --prune 0.75 done 01:00 17.50",
            "2 23 Nov 12:33 drop cars (a former cars) done 01:00 –",
            "1 23 Nov 12:16 add cars --prune 0.75 (a former cars) done 01:00 30.00",
        ]


async def test_the_chosen_run_is_told_in_full_with_its_curve(tmp_path):
    async with opened(twice(tmp_path / "model.safetensors")) as desk:
        screen = await at_runs(desk)
        assert "job 4: eval" in desk.text()
        assert [plot for plot in screen.query(Plot) if plot.region] == []
        for key, says in (("j", "validation 19.67"), ("G", "validation 31.83"), ("k", "job 2: drop cars")):
            await desk.press(key)
            await desk.until(lambda says=says: says in desk.text(), says)
        await desk.press("k")
        await desk.until(lambda: "validation 19.67" in desk.text(), "the curve of job 3")
        for words in (
            "job 3: add cars --prune 0.75 on cpu",
            "data /data/cars",
            "learning rate 0.01",
            "prune ratio 0.75",
        ):
            assert words in desk.text()


@pytest.mark.parametrize("key", ["escape", "q", "h"])
async def test_it_goes_back_to_where_one_was(tmp_path, key):
    async with opened(twice(tmp_path / "model.safetensors")) as desk:
        await at_runs(desk)
        await desk.press(key)
        await desk.sees(MainScreen)
        assert desk.bench.focused.number == 2


async def test_enter_elsewhere_opens_nothing(tmp_path):
    async with opened(twice(tmp_path / "model.safetensors")) as desk:
        for pane in "1345":
            await desk.press(pane, "enter")
            assert isinstance(desk.app.screen, MainScreen)


async def test_a_task_without_runs_says_so(tmp_path):
    async with opened(write(tmp_path / "model.safetensors", document(SEALED))) as desk:
        await at_runs(desk)
        assert "the journal tells of none" in desk.text()


async def test_l_and_s_work_here_too(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        screen = await at_runs(desk)
        await desk.press("j")
        await desk.until(lambda: "pruned 0.75" in desk.text(), "the curve")
        seen = {desk.text(screen.query_one(CurveView))}
        for key in ("l", "s"):
            await desk.press(key)
            seen.add(desk.text(screen.query_one(CurveView)))
        assert len(seen) == 3


async def test_a_job_that_goes_on_is_seen_to_end_while_one_looks(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await at_runs(desk)
            await desk.until(lambda: "runs" in rows(desk)[1], "the job to run")
            append(path, entries([Note(text="x"), evaluated("cars", 18.36), ended("stopped", "stopped")], job=3))
            await desk.until(lambda: "stopped" in rows(desk)[1], "the job to end")
            assert "18.36" in rows(desk)[1]


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=str)
async def test_ascii_draws_nothing_else(tmp_path, size):
    async with opened(at_rest(tmp_path / "model.safetensors"), size, ascii=True) as desk:
        await at_runs(desk)
        await desk.press("j")
        await desk.until(lambda: "pruned 0.75" in desk.text(), "the curve")
        assert [line for line in desk.text().splitlines() if not line.isascii()] == []
