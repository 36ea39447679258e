"""The screen of a task's runs: the list, and the selected run in full."""

import time

import pytest

from packnet_core.jobs.history import Run, fold
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Drop, Evaluate, Train
from packnet_core.schema.events import Note, Resumed
from packnet_core.schema.recipes import Recipe
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.runs_screen import RunsScreen, error, recipe_in_words, run_in_words, took
from packnet_tui.workbench.widgets.curves_pane import CurveView
from packnet_tui.workbench.widgets.plot import Plot
from tests.tui.made_up import (
    ADD,
    NOON,
    SEALED,
    add,
    append,
    at_rest,
    document,
    ended,
    entries,
    evaluated,
    job,
    running,
    task,
    training,
    write,
)
from tests.tui.still import SMALL, WIDE, Desk, opened

DROP = Drop(task="cars")


def test_a_name_out_of_a_journal_never_steers_the_terminal():
    hostile = Add(task="a\x1b[2J", data="/d\x1b[2J")
    (run,) = fold(job(1, hostile, evaluated("a\x1b[2J", 1.0), end=ended("failed", "\x07"))).runs
    lines = [line.plain for line in run_in_words(run, 80)]
    assert all(line.isprintable() for line in lines)
    assert lines[0].startswith(r"job 1: add a\x1b[2J")
    assert lines[1] == r"\x07"


def test_all_fields_of_a_recipe_are_shown():
    words = recipe_in_words(Recipe(epochs=10, lr=0.01))
    assert words == [
        "optimizer sgd", "learning rate 0.01", "momentum 0.9", "weight decay 0", "batch size 32", "epochs 10",
        "rate / 10 after 5 epochs", "retraining 5 epochs", "its rate 0.001", "seed 0",
    ]  # fmt: skip


def test_one_epoch_is_not_called_epochs():
    words = recipe_in_words(Recipe(epochs=2, lr=0.01))
    assert {"rate / 10 after 1 epoch", "retraining 1 epoch"} <= set(words)


def test_of_the_other_fields_only_those_that_differ_from_the_paper_are_shown():
    words = recipe_in_words(Recipe(schedule="cosine", warmup_epochs=2, clip=1.5, channels_last=True, pick="last"))
    assert {
        "schedule cosine",
        "warm-up epochs 2",
        "gradients clipped at 1.5",
        "channels last",
        "kept epoch last",
    } <= set(words)
    assert not any("rate / 10" in word or "precision" in word for word in words)
    assert not {"channels last", "kept epoch best"} & set(recipe_in_words(Recipe()))


@pytest.mark.parametrize("width", [30, 50, 78, 118])
def test_the_words_of_a_run_fit(width):
    (run,) = fold(add(1)).runs
    lines = run_in_words(run, width)
    assert all(line.cell_len <= width for line in lines[1:])
    assert all(word in " · ".join(line.plain for line in lines) for word in recipe_in_words(run.recipe))


@pytest.mark.parametrize(("seconds", "says"), [(None, "–"), (9.0, "9.0 s"), (390.0, "06:30"), (3723, "1:02:03")])
def test_how_long_it_took(seconds, says):
    assert took(Run(1, NOON, ADD, seconds=seconds)) == says


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


def test_an_error_on_some_images_is_marked():
    (run,) = fold(job(1, Evaluate(limit=500), evaluated("cars", 17.5))).runs
    assert error(run, "cars") == "≈17.50"


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
            "2 23 Nov 12:33 drop cars (former task cars) done 01:00 –",
            "1 23 Nov 12:16 add cars --prune 0.75 (former task cars) done 01:00 30.00",
        ]


async def test_the_selected_run_is_shown_in_full_with_its_curve(tmp_path):
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
async def test_leaving_goes_back_to_the_selected_task(tmp_path, key):
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
        assert "no runs in the journal" in desk.text()


async def test_a_run_without_a_curve_leaves_its_place_empty(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        screen = await at_runs(desk)  # at the newest run, an evaluation
        assert desk.text(screen.query_one(CurveView)).strip() == ""


async def test_l_and_s_work_on_the_screen_of_runs_too(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        screen = await at_runs(desk)
        await desk.press("j")
        await desk.until(lambda: "pruned 0.75" in desk.text(), "the curve")
        seen = {desk.text(screen.query_one(CurveView))}
        for key in ("l", "s"):
            await desk.press(key)
            seen.add(desk.text(screen.query_one(CurveView)))
        assert len(seen) == 3


def legends(screen: RunsScreen) -> list[str]:
    return ["".join(text for text, _ in plot.chart.legend) for plot in screen.query(Plot) if plot.region]


@pytest.mark.parametrize("key", ["m", "space"])
async def test_a_marked_run_is_drawn_beside_the_selected_one(tmp_path, key):
    async with opened(twice(tmp_path / "model.safetensors")) as desk:
        screen = await at_runs(desk)
        await desk.press("j", key)
        await desk.until(lambda: len(legends(screen)) == 2, "the curve")
        assert rows(desk)[2].startswith("> ×") or rows(desk)[2].startswith(">×")
        assert not any("×" in legend for legend in legends(screen))  # the marked run itself
        await desk.press("G")
        await desk.until(lambda: "job 1" in legends(screen)[0], "both curves")
        assert legends(screen) == ["loss  ─ job 1 1.22  × job 3 0.755", "error %  • job 1 31.83  × job 3 19.67"]
        plots = [plot for plot in screen.query(Plot) if plot.region]
        assert all(len({style for line, style in plot.chart.lines if line}) == 2 for plot in plots)
        assert all("×" in desk.text(plot.query_one("#plot")) for plot in plots)
        await desk.press("k", key)  # job 2, which trained nothing
        assert desk.app.said == ["this run has no curve: it trained nothing"]
        await desk.press("G")
        await desk.until(lambda: legends(screen) and "×" in legends(screen)[0], "both curves again")
        await desk.press("k", "k", key, "G")
        await desk.until(lambda: legends(screen) and "×" not in legends(screen)[0], "one curve")


async def test_c_chooses_the_charts_of_a_run(tmp_path):
    async with opened(twice(tmp_path / "model.safetensors")) as desk:
        screen = await at_runs(desk)
        await desk.press("j")
        for count, starts in ((1, "loss"), (1, "error"), (2, "loss")):
            await desk.press("c")
            await desk.until(lambda count=count: len(legends(screen)) == count)
            assert legends(screen)[0].startswith(starts)


async def test_the_end_of_a_running_job_is_shown_at_once(tmp_path):
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


async def test_a_run_that_was_resumed_says_by_which_job(tmp_path, utc):
    path = write(tmp_path / "model.safetensors", document((*SEALED, task("cars", 0.75, 17.5, "retrained"))))
    stopped = ended("stopped", "add cars --prune 0.75: stopped; packnet train model.safetensors resumes it")
    append(path, job(1, ADD, *training("cars", 4, 2, 96.0, 17.5), end=stopped))
    append(path, job(2, Train(), Resumed(task="cars", command=ADD), evaluated("cars", 17.5)))
    async with opened(path) as desk:
        await at_runs(desk)
        said = [" ".join(line.split()) for line in rows(desk)]
        assert any(line.startswith("> 2 23 Nov 12:33 train (resumes add cars --prune 0.75) done") for line in said)
        assert any(line.startswith("1 23 Nov 12:16 add cars --prune 0.75 (resumed by job 2) stopped") for line in said)
        await desk.press("j")
        assert "add cars --prune 0.75: stopped; resumed by job 2" in desk.text()
        assert "resumes it" not in desk.text()
