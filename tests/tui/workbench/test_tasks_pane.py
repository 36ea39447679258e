"""Pane 2: one word for the state and one figure for the drift, in columns of their own, as far as there is room."""

import pytest

from packnet_core.packfile.paths import Paths
from packnet_tui.workbench.widgets.curves_pane import CurvesPane
from packnet_tui.workbench.widgets.footer import Footer
from packnet_tui.workbench.widgets.status_line import StatusLine
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import SEALED, append, at_rest, document, entries, evaluated, running, task, write
from tests.tui.still import SMALL, TOO_SMALL, WIDE, Desk, empty, opened

LONG = "a_rather_long_task_name_1"


def lines(desk: Desk) -> list[list[str]]:
    """The words of the pane's rows, the headings first."""
    return [line.strip("│┃ ").split() for line in desk.text(desk.bench.query_one(TasksPane)).splitlines()[1:-1]]


async def test_state_and_drift_have_columns_of_their_own(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        heads, *rows = lines(desk)
        assert heads[-5:] == ["owns", "error", "now", "state", "drift"]
        assert [row[-3:] for row in rows[:2]] == [["sealed", "0.00", "="]] * 2
        assert rows[2][-3:] == ["retrained", "0.00", "="]


@pytest.mark.parametrize("phase", ["trained", "pruned", "retrained"])
async def test_each_state_is_one_word(tmp_path, phase):
    path = write(
        tmp_path / "model.safetensors",
        document((*SEALED, task("cars", None if phase == "trained" else 0.5, 17.1, phase))),
    )
    async with opened(path) as desk:
        assert [row[-2] for row in lines(desk)[1:4]] == ["sealed", "sealed", phase]


async def test_an_open_tasks_drift_is_shown_too(tmp_path):
    path = write(tmp_path / "model.safetensors", document((*SEALED, task("cars", 0.5, 17.0, "retrained"))))
    append(path, entries([evaluated("cars", 17.5)]))
    async with opened(path) as desk:
        await desk.until(lambda: lines(desk)[3][-3:] == ["retrained", "+0.50", "!"])


@pytest.mark.parametrize(
    ("size", "ends"), [(SMALL, ["50.0%", "28.42"]), (WIDE, ["50.0%", "28.42", "–", "sealed", "–"])]
)
async def test_a_file_without_its_journal_has_the_errors_of_its_header(tmp_path, size, ends):
    async with opened(write(tmp_path / "model.safetensors", document(SEALED)), size) as desk:
        assert lines(desk)[1][-len(ends) :] == ends
        assert "no training of cubs in the journal" in desk.text(desk.bench.query_one(CurvesPane))


async def test_while_a_job_works_on_a_task_its_phase_is_the_state(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            assert lines(desk)[3][-2:] == ["retrain", "–"]


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (120, ["owns", "error", "now", "state", "drift"]),  # in half of it
        (140, ["prune", "owns", "error", "now", "state", "drift"]),
        (80, ["owns", "error"]),
    ],
)
async def test_columns_go_before_names_are_cut_short(tmp_path, width, columns):
    path = write(tmp_path / "model.safetensors", document([task(LONG, 0.5, 20.0), task("birds", 0.5, 20.0)]))
    async with opened(path, (width, 40)) as desk:
        heads, first, *_ = lines(desk)
        assert heads[2:] == columns
        assert first[1].startswith("a_")
        assert first[1].endswith("e_1")
        assert "…" in first[1]


@pytest.mark.parametrize("size", [WIDE, SMALL, TOO_SMALL], ids=str)
async def test_without_tasks_the_hint_is_not_cut(tmp_path, size):
    async with opened(empty(tmp_path / "model.safetensors"), size) as desk:
        (hint,) = [" ".join(words) for words in lines(desk) if "task" in words]
        assert hint.removesuffix(" ┃") in ("no task yet: a adds the first one", "no task yet: a adds one")


async def test_in_a_small_terminal_the_curves_get_the_lines_that_few_layers_leave(tmp_path):
    path = write(tmp_path / "model.safetensors", document(SEALED, {"conv.weight": (8, 4, 3, 3)}))
    async with opened(path, SMALL) as desk:
        assert desk.bench.query_one("#right").size.height == 16
    async with opened(at_rest(tmp_path / "vgg.safetensors"), SMALL) as desk:
        assert desk.bench.query_one("#right").size.height == 11


async def test_the_footer_of_a_small_terminal_names_what_can_be_done_first(tmp_path):
    path = running(tmp_path / "running.safetensors")
    with Paths(path).locked():
        async with opened(path, SMALL) as desk:
            shown = desk.text(desk.bench.query_one(Footer))
            assert "x stop" in shown
            assert "p prune" not in shown
    async with opened(at_rest(tmp_path / "rest.safetensors"), SMALL) as desk:
        shown = desk.text(desk.bench.query_one(Footer))
        assert "p prune" in shown
        assert "x stop" not in shown
        for words in ("a add", "e eval", ": command", "? help", "q leave"):
            assert words in shown


async def test_long_names_are_cut_in_the_middle_on_every_pane_question_and_list(tmp_path):
    name = "a_very_long_name_of_a_task_of_many_birds_1"
    tasks = [task("first", 0.5, 20.0), task(name, 0.5, 20.0, "retrained")]
    path = write(tmp_path / "model.safetensors", document(tasks))
    append(path, entries([evaluated(name, 20.0)]))
    short = "a_very_long…many_birds_1"
    async with opened(path, (140, 40)) as desk:
        assert "a_very_l…y_birds_1" in desk.text(desk.bench.query_one(TasksPane))
        assert short in desk.text(desk.bench.query_one("#layer"))
        assert short in desk.text(desk.bench.query_one("#log"))
        for keys, what in ((["d"], "Drop "), (["p"], ""), (["2", "b"], "Compare "), (["t"], "Retrain ")):
            await desk.press(*keys)
            await desk.until(lambda what=what: f"{what}a_very_long" in desk.text(desk.app.screen), keys)
            assert f"{what}{short}" in desk.text(), keys
            await desk.press("escape")
            await desk.until(lambda: desk.app.screen is desk.bench)
        assert name not in desk.text(desk.bench.query_one(StatusLine))
