"""Several files in one workbench: their lines, going from one to the other, what is wrong with some."""

import os
import threading
from contextlib import ExitStack

import pytest

from packnet_core.errors import FileError
from packnet_core.packfile import trust
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.events import EngineStarted, JobFinished, JobStarted, Note
from packnet_tui.workbench import app as app_module
from packnet_tui.workbench import open_file
from packnet_tui.workbench.in_terminal import last_lines
from packnet_tui.workbench.open_file import open_files
from packnet_tui.workbench.screens.file_choice import FileChoice
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.widgets.curves_pane import CurvesPane
from packnet_tui.workbench.widgets.files_strip import FilesStrip
from packnet_tui.workbench.widgets.occupancy_pane import OccupancyPane
from tests.tui.cli import handmade
from tests.tui.made_up import NOON, SEALED, TINY, append, at_rest, document, entries, evaluated, running, write
from tests.tui.still import SMALL, TOO_SMALL, WIDE, Desk, Still, dense, empty, opened
from tests.waiting import DEADLINE


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Files that are not shown are polled as often as the one that is, and nobody passes by."""
    monkeypatch.setattr(open_file, "POLL_IDLE", 0.1)
    monkeypatch.setattr(open_file, "POLL_BUSY", 0.1)
    monkeypatch.setattr(app_module, "PASSING", 0.0)


@pytest.fixture
def three(tmp_path):
    """A file at rest, one in which a job runs, and one without tasks."""
    paths = [
        at_rest(tmp_path / "a.safetensors"),
        running(tmp_path / "b.safetensors"),
        empty(tmp_path / "c.safetensors"),
    ]
    with Paths(paths[1]).locked():
        yield paths


def strip(desk: Desk) -> list[str]:
    return desk.text(desk.bench.query_one(FilesStrip)).splitlines()


def columns(line: str) -> list[str]:
    return [column.strip() for column in line.split("  ") if column.strip()]


async def settled(desk: Desk) -> None:
    await desk.until(lambda: all(file.looked and file.row.state != "opening" for file in desk.app.files), "all files")
    await desk.pilot.pause()


async def test_each_file_has_a_line_and_the_one_that_is_shown_is_marked(three):
    async with opened(three) as desk:
        await desk.until(lambda: "retrain cars 2/5" in desk.text(), "the job of b")
        first, second, third = strip(desk)
        assert columns(first) == ["> 1 a.safetensors", "3 tasks", "free 28.1 %", "○ idle"]
        assert columns(second) == [
            "2 b.safetensors", "3 tasks", "free 28.1 %", "● runs", "retrain cars 2/5, 1 waiting", "ETA 01:18",
        ]  # fmt: skip
        assert columns(third) == ["3 c.safetensors", "0 tasks", "free 100.0 %", "○ idle"]


@pytest.mark.parametrize(
    ("size", "lines"), [((200, 60), 3), (WIDE, 3), ((120, 32), 1), (SMALL, 1), ((80, 20), 1)], ids=str
)
async def test_the_lines_take_what_room_there_is(three, size, lines):
    async with opened(three, size) as desk:
        await settled(desk)
        assert len(strip(desk)) == lines
        if lines == 1:
            assert strip(desk)[0].split()[:3] == ["1/3", "a", "○"]
            assert "b ● 01:18" in strip(desk)[0]


async def test_many_files_leave_the_panes_their_room(tmp_path):
    paths = [empty(tmp_path / f"{i}.safetensors") for i in range(20)]
    async with opened(paths) as desk:
        await settled(desk)
        assert len(strip(desk)) == 10
        assert all(pane.region.height > 2 for pane in desk.bench.panes)
        await desk.press(*["right_square_bracket"] * 15)
        assert "> 16 15.safetensors" in desk.text()


async def test_one_file_has_no_line_and_the_keys_say_so(three):
    async with opened(three[0]) as desk:
        assert desk.bench.query_one(FilesStrip).region.height == 0
        for key in ("left_square_bracket", "right_square_bracket", "B"):
            await desk.press(key)
        assert desk.app.said == ["only one file is open; several: packnet-tui open A B C"] * 3


async def test_brackets_go_round_and_all_panes_follow(three):
    async with opened(three) as desk:
        await settled(desk)
        for key, name in (("]", "b"), ("]", "c"), ("]", "a"), ("[", "c"), ("[", "b")):
            await desk.press({"]": "right_square_bracket", "[": "left_square_bracket"}[key])
            assert desk.app.path.stem == name
            assert f"{name}.safetensors   vgg16" in desk.text().splitlines()[0]
        await desk.until(lambda: "RETRAIN cars 2/5" in desk.text())
        assert "> 2 b.safetensors" in desk.text()


async def test_a_file_that_was_only_glanced_at_is_read_whole_once_it_is_shown(three):
    long = [JobFinished(outcome="done", message="eval: done", seconds=1, status=0), EngineStarted(pid=8)]
    append(three[0], entries(long, job=5, at=NOON + 900))  # nothing before it matters to what runs now
    async with opened(three[::-1]) as desk:
        await settled(desk)
        assert three[0] == desk.app.files[2].path
        assert not desk.app.files[2].picture.curves
        await desk.press("left_square_bracket")
        await desk.until(lambda: desk.app.picture.curves, "the curves")
        assert [run.job for run in desk.app.picture.runs] == [3, 4]


async def test_each_file_keeps_its_places_and_its_ratio(three):
    async with opened(three) as desk:
        await desk.press("j", "j")
        desk.app.ratio = 0.6
        await desk.press("3", "left", "right_square_bracket")
        occupancy, curves = desk.bench.query_one(OccupancyPane), desk.bench.query_one(CurvesPane)
        assert (occupancy.cursor, curves.reading, desk.app.ratio) == (0, None, 0.75)
        await desk.press("left_square_bracket")
        assert (occupancy.cursor, desk.app.ratio) == (2, 0.6)
        assert curves.reading is not None


async def test_a_click_on_a_line_goes_to_its_file(three):
    async with opened(three) as desk:
        await settled(desk)
        await desk.pilot.click(FilesStrip, offset=(20, 2))
        await desk.until(lambda: desk.app.path == three[2])
        await desk.pilot.click(FilesStrip, offset=(20, 0))
        await desk.until(lambda: desk.app.path == three[0])


async def test_a_filter_stays_with_its_file(three):
    async with opened(three) as desk:
        await desk.press("slash", *"classifier", "enter", "right_square_bracket")
        assert "features.0 " in desk.text()
        await desk.press("left_square_bracket")
        assert "features.0 " not in desk.text()


async def test_the_list_shows_all_files_and_enter_goes_to_one(three):
    for keys in (("B", "j", "j", "enter"), ("colon", *"files", "enter", "j", "j", "B")):
        async with opened(three) as desk:
            await desk.until(lambda desk=desk: "retrain cars" in desk.text())
            await desk.press(*keys[:-3])
            screen = await desk.sees(FileChoice)
            assert "ETA 01:18" in desk.text(screen)
            await desk.press(*keys[-3:])
            await desk.sees(MainScreen)
            assert desk.app.path == three[2]


async def test_the_list_follows_what_happens(three):
    async with opened(three, SMALL) as desk:
        await settled(desk)
        await desk.press("B")
        await desk.sees(FileChoice)
        append(three[2], entries([JobStarted(command=Evaluate(), pid=7, device="cpu")], job=1, at=NOON))
        with Paths(three[2]).locked():
            await desk.until(lambda: "● runs  eval" in desk.text(), "the job of c")


async def test_the_end_of_a_job_in_another_file_is_told_with_its_name(three):
    async with opened(three) as desk:
        await settled(desk)
        end = JobFinished(outcome="done", message="x", seconds=1, status=0)
        append(three[1], entries([end], job=3, at=NOON + 500))
        await desk.until(lambda: desk.app.said, "the toast")
        assert desk.app.said == ["b.safetensors: add cars --prune 0.75 is done"]
        append(three[0], entries([JobStarted(command=Evaluate(), pid=7, device="cpu"), end], job=9, at=NOON + 2000))
        await desk.until(lambda: desk.app.picture.runs[-1].job == 9)
        assert len(desk.app.said) == 1  # what happens in the file that is shown is seen there


async def test_the_death_of_an_engine_in_another_file_is_told(tmp_path):
    paths = [at_rest(tmp_path / "a.safetensors"), running(tmp_path / "b.safetensors")]
    with ExitStack() as lock:
        lock.enter_context(Paths(paths[1]).locked())
        async with opened(paths) as desk:
            await settled(desk)
            lock.close()
            await desk.until(lambda: "✗ died" in desk.text(), "the death")
            assert desk.app.said[0].startswith("b.safetensors: engine died")


# -- files that can't be read -----------------------------------------------------------------------------------------


def foreign(path):
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    return path


async def test_wrong_files_are_lines_with_their_errors_and_the_others_work(three, tmp_path):
    (tmp_path / "torn.safetensors").write_bytes(b"not a pack file, surely")
    wrong = [tmp_path / "none.safetensors", tmp_path / "torn.safetensors", foreign(tmp_path / "plain.safetensors")]
    async with opened([*wrong, *three], (160, 50)) as desk:
        await settled(desk)
        assert desk.app.path == three[0]
        lines = strip(desk)
        assert [line.split()[1] for line in lines[:3]] == [path.name for path in wrong]
        assert [("✗ unreadable" in line) for line in lines] == [True] * 3 + [False] * 3
        assert "there is no file" in lines[0]
        assert "a plain safetensors file" in lines[2]
        await desk.press("left_square_bracket")
        assert desk.app.path == three[2]  # past those that can't be shown
        await desk.press("B", "home", "enter")
        assert desk.app.path == three[2]
        assert "there is no file" in desk.app.said[-1]


async def test_a_file_that_comes_to_be_is_opened_and_one_that_goes_is_told(three, tmp_path):
    late = tmp_path / "late.safetensors"
    async with opened([*three, late]) as desk:
        await settled(desk)
        assert "✗ unreadable" in strip(desk)[3]
        empty(late)
        await desk.until(lambda: "0 tasks" in strip(desk)[3], "the new file")
        three[2].unlink()
        await desk.until(lambda: "✗ unreadable" in strip(desk)[2], "the missing file")
        assert [text.partition(":")[0] for text in desk.app.said] == ["c.safetensors"]
        await desk.press("right_square_bracket", "right_square_bracket")
        assert desk.app.path == three[2]  # its last picture stays
        write(three[2], document(SEALED, TINY))
        await desk.until(lambda: "2 tasks" in strip(desk)[2] and "✗" not in strip(desk)[2], "the file to be back")
        assert len(desk.app.picture.tasks) == 2


def test_if_all_are_wrong_none_is_opened(tmp_path):
    with pytest.raises(FileError, match=r"x\.safetensors.*y\.safetensors"):
        app_module.PacknetApp(tmp_path / "x.safetensors", tmp_path / "y.safetensors")


def test_the_same_file_is_opened_once(three, tmp_path):
    link, hard = tmp_path / "link.safetensors", tmp_path / "hard.safetensors"
    link.symlink_to(three[0])
    os.link(three[0], hard)
    found = open_files(
        [three[0], three[1], link, hard, tmp_path / "b.safetensors", tmp_path / "x", tmp_path / "." / "x"]
    )
    assert [file.path for file in found] == [three[0], three[1], tmp_path / "x"]


# -- engines ----------------------------------------------------------------------------------------------------------


async def test_an_engine_starts_only_for_a_file_that_is_shown_and_stays_connected_no_longer(three):
    async with opened(three) as desk:
        await settled(desk)
        assert [file.engine is not None for file in desk.app.files] == [True, False, False]
        await desk.press("right_square_bracket")
        await desk.until(lambda: desk.app.files[1].engine, "its engine")
        assert [file.engine is not None for file in desk.app.files] == [False, True, False]
        await desk.press("x", "enter", "y")
        await desk.until(lambda: desk.app.engines[three[1]].stopped == [3], "the request to stop")
        assert desk.app.engines[three[0]].stopped == []


async def test_a_file_that_is_passed_by_gets_no_engine(three, monkeypatch):
    monkeypatch.setattr(app_module, "PASSING", 3600.0)
    async with opened(three) as desk:
        await desk.press("right_square_bracket", "right_square_bracket")
        assert desk.app.path == three[2]
        assert not any(file.engine for file in desk.app.files)
        assert set(desk.app.engines) == {three[0]}


async def test_a_command_goes_to_the_file_that_is_shown_and_starts_its_engine_at_once(three, monkeypatch, tmp_path):
    monkeypatch.setattr(app_module, "PASSING", 3600.0)
    other = dense(tmp_path / "d.safetensors")
    async with opened([three[0], other]) as desk:
        await desk.press("right_square_bracket", "E")
        assert desk.app.engines[other].asked == [Evaluate()]
        assert desk.app.engines[other].started
        assert desk.app.engines[three[0]].asked == []


async def test_what_was_to_be_submitted_never_reaches_a_file_gone_to_meanwhile(three, monkeypatch):
    gone, look = threading.Event(), open_file.OpenFile.look

    def slow(file, *given):
        assert file.name != "a.safetensors" or gone.wait(DEADLINE)
        return look(file, *given)

    monkeypatch.setattr(open_file.OpenFile, "look", slow)
    app = Still(*three, submit=[Evaluate()])
    async with app.run_test(size=WIDE) as pilot:
        desk = Desk(app, pilot)
        await desk.press("right_square_bracket")
        assert app.path == three[1]
        gone.set()
        await settled(desk)
        await desk.until(lambda: app.engine.started, "the engine of b")
        assert app.engine.asked == []


async def test_readonly_starts_no_engine_for_any_file(three):
    async with opened(three, readonly=True) as desk:
        await desk.press("right_square_bracket", "E", "right_square_bracket", "right_square_bracket")
        assert not any(file.engine for file in desk.app.files)


async def test_a_message_of_another_files_engine_names_it_and_is_in_its_log(three):
    async with opened(three) as desk:
        await settled(desk)
        desk.app._hear(desk.app.files[2], "no space left")
        await desk.until(lambda: desk.app.said == ["c.safetensors: no space left"])
        await desk.press("left_square_bracket")
        await desk.until(lambda: "no space left" in [line.text for line in desk.app.picture.log])


async def test_code_that_a_file_names_is_asked_about_when_it_is_shown_and_only_once(three, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(trust, "_try", lambda _: None)
    own = handmade.write(tmp_path / "own.safetensors", handmade.document())
    async with opened([three[0], own]) as desk:
        await settled(desk)
        assert isinstance(desk.app.screen, MainScreen)
        await desk.press("right_square_bracket")
        await desk.sees(Question)
        assert not desk.app.engine.started
        await desk.press("n")
        await desk.until(lambda: desk.app.engine.started)
        await desk.press("left_square_bracket", "right_square_bracket")
        await desk.until(lambda: desk.app.files[1].engine)
        assert isinstance(desk.app.screen, MainScreen)


async def test_held_all_lines_stay_as_they_are(three):
    async with opened(three) as desk:
        await settled(desk)
        await desk.press("space")
        append(three[2], entries([evaluated("x", 1.0), Note(text="x")], job=1))
        write(three[2], document(SEALED))
        await desk.until(lambda: len(desk.app.files[2].picture.tasks) == 2, "the news")
        await desk.pilot.pause()
        assert "0 tasks" in strip(desk)[2]
        await desk.press("space")
        assert "2 tasks" in strip(desk)[2]


def test_the_last_lines_name_each_file_whose_job_goes_on(three):
    files = open_files(three)
    assert last_lines(files) == []
    for file in files:
        file.look(shown=False)
    assert last_lines(files) == [
        "b.safetensors: add cars --prune 0.75 continues without this screen",
        f"open them with: packnet-tui open {' '.join(map(str, three))}",
    ]
    assert last_lines(files[1:2]) == [
        f"add cars --prune 0.75 continues without this screen; open it with: packnet-tui open {three[1]}"
    ]


async def test_ascii_draws_nothing_else(three):
    for size in (WIDE, SMALL, TOO_SMALL):
        async with opened(three, size, ascii=True) as desk:
            await settled(desk)
            await desk.press("3", "left", "B")
            await desk.sees(FileChoice)
            assert [line for line in desk.text().splitlines() if not line.isascii()] == []
