"""Questions before actions that can't be undone; the default answer is no."""

import pytest
from msgspec.structs import replace

from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Drop, Evaluate, Prune, Train
from packnet_core.schema.events import EngineStarted, JobStarted
from packnet_tui.state.format import file_size
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.job_choice import JobChoice
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.screens.train_form import TrainForm
from tests.tui.made_up import SEALED, append, at_rest, document, entries, interrupt, running, task, write
from tests.tui.still import Desk, dense, opened, sealed

ADD = Add(task="cars", data="torchvision:MNIST", prune=0.75)
STOPPED = Add(task="birds", data="/data/birds", prune=0.75)
NO = [["enter"], ["n"], ["escape"], ["q"], ["left", "right", "enter"]]
YES = [["y"], ["right", "enter"], ["tab", "enter"]]


async def filled(desk: Desk) -> None:
    await desk.press("a")
    await desk.sees(AddForm)
    await desk.fill(task="cars", data="torchvision:MNIST")
    await desk.press("enter")


async def answered(desk: Desk, keys: list[str], question: str) -> None:
    await desk.sees(Question)
    assert question in desk.text()
    await desk.press(*keys)
    await desk.sees(MainScreen)


@pytest.mark.parametrize(("keys", "stopped"), [*((keys, []) for keys in NO), *((keys, [3]) for keys in YES)])
async def test_stop_asks(tmp_path, keys, stopped):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("x")
            await desk.sees(JobChoice)
            await desk.press("enter")
            await answered(desk, keys, "Stop add cars --prune 0.75?")
            assert (desk.app.engine.stopped, desk.asked) == (stopped, [])


async def test_a_job_that_waits_is_chosen_from_the_list_and_taken_out_unasked(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("x")
            await desk.sees(JobChoice)
            assert "runs   add cars --prune 0.75" in desk.text()
            assert "waits  add flowers --prune 0.75" in desk.text()
            await desk.press("j", "x")
            await desk.sees(MainScreen)
            assert desk.app.engine.stopped == [4]
            await desk.press("x")
            await desk.sees(JobChoice)
            await desk.press("escape")
            await desk.sees(MainScreen)
            assert desk.app.engine.stopped == [4]


@pytest.mark.parametrize(("command", "resumable"), [(ADD, True), (Prune(ratio=0.5), True), (Evaluate(), False)])
async def test_stop_says_whether_the_job_can_be_resumed(tmp_path, command, resumable):
    path = sealed(tmp_path / "model.safetensors")
    append(path, entries([EngineStarted(pid=7), JobStarted(command=command, pid=7, device="cpu")], job=9))
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("x")
            await desk.sees(Question)
            assert ("t resumes it" in desk.text()) == resumable


@pytest.mark.parametrize(
    ("keys", "asked"), [*((keys, []) for keys in NO), *((keys, [Drop(task="cars")]) for keys in YES)]
)
async def test_drop_asks(tmp_path, keys, asked):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("d")
        await answered(desk, keys, "Drop cars?")
        assert desk.asked == asked


async def test_drop_says_how_many_weights_go_and_how_to_undo_it(tmp_path):
    path = at_rest(tmp_path / "model.safetensors")
    async with opened(path) as desk:
        await desk.press("d")
        await desk.sees(Question)
        said = " ".join(desk.text(desk.app.screen.query_one("Vertical")).replace("┃", " ").split())
        assert f"Its {read_header(path).document.owned[-1]:,} weights become free" in said
        kept = f"The former file ({file_size(path.stat().st_size)}) is kept until the next job that changes the file"
        assert f"{kept}; u brings it back." in said


@pytest.mark.parametrize(("key", "sealing"), [("enter", False), ("y", True)])
async def test_sealing_a_task_no_better_than_chance_asks(tmp_path, key, sealing):
    chance = replace(task("flowers", 0.75, 99.5, "retrained"), chance=99.5)
    async with opened(write(tmp_path / "model.safetensors", document((*SEALED, chance)))) as desk:
        await filled(desk)
        await answered(desk, [key], "flowers is no better than chance")
        assert desk.asked == ([replace(ADD, yes=True)] if sealing else [])


async def test_sealing_a_good_one_asks_nothing_more(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(task="flowers", data="torchvision:MNIST")
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Add(task="flowers", data="torchvision:MNIST", prune=0.75)]


def interrupted(path, *tasks):
    given = document((*SEALED, *tasks))
    write(path, given)
    interrupt(path, given, STOPPED)
    append(path, entries([EngineStarted(pid=7)]))
    return path


@pytest.mark.parametrize(("key", "given_up"), [("enter", False), ("y", True)])
@pytest.mark.parametrize("command", [ADD, Prune(ratio=0.75, task="newest")], ids=["add", "prune"])
async def test_giving_up_a_stopped_job_asks_and_then_says_so(tmp_path, command, key, given_up):
    newest = task("newest", None if isinstance(command, Prune) else 0.75, 17.1, "trained")
    newest = newest if isinstance(command, Prune) else replace(newest, phase="retrained")
    async with opened(interrupted(tmp_path / "model.safetensors", newest)) as desk:
        match command:
            case Add():
                await filled(desk)
            case Prune():
                await desk.press("p")
                await desk.sees(PruneScreen)
                await desk.press("enter")
        await desk.until(lambda: "Give up" in desk.text(), "the question")
        await answered(desk, [key], "Give up add birds --prune 0.75?")
        assert desk.asked == ([replace(command, yes=True)] if given_up else [])


async def test_t_resumes_a_stopped_job_at_once(tmp_path):
    async with opened(interrupted(tmp_path / "model.safetensors")) as desk:
        assert "add birds --prune 0.75 is unfinished, t resumes it" in desk.text()
        await desk.press("t")
        await desk.until(lambda: desk.asked)
        assert desk.asked == [Train()]


async def test_evaluating_leaves_a_stopped_job_alone_and_asks_nothing(tmp_path):
    async with opened(interrupted(tmp_path / "model.safetensors")) as desk:
        await desk.press("E")
        assert desk.asked == [Evaluate()]


@pytest.mark.parametrize(("key", "given_up"), [("enter", False), ("y", True)])
async def test_training_asks_if_a_job_was_stopped_while_the_form_was_open(tmp_path, key, given_up):
    path = dense(tmp_path / "model.safetensors")
    async with opened(path) as desk:
        await desk.press("t")
        await desk.sees(TrainForm)
        interrupt(path, read_header(path).document, STOPPED)
        append(path, entries([EngineStarted(pid=7)]))
        await desk.until(lambda: desk.app.picture.interrupted)
        await desk.fill(epochs="3")
        await desk.press("enter")
        await desk.until(lambda: desk.asked or isinstance(desk.app.screen, Question))
        assert desk.asked == []
        await answered(desk, [key], "Give up add birds --prune 0.75?")
        assert desk.asked == ([Train(recipe={"epochs": 3}, task="cars", yes=True)] if given_up else [])


@pytest.mark.parametrize(("key", "emptied"), [("enter", False), ("y", True)])
@pytest.mark.parametrize("way", ["key", "typed", "form"])
async def test_freeing_every_weight_asks(tmp_path, key, emptied, way):
    newest = task("newest", 0.75 if way == "form" else None, 17.1, "retrained" if way == "form" else "trained")
    path = write(tmp_path / "model.safetensors", document((*SEALED, newest)))
    append(path, entries([EngineStarted(pid=7)]))
    async with opened(path) as desk:
        match way:
            case "key":
                await desk.press("p")
                await desk.sees(PruneScreen)
                await desk.press("1", "full_stop", "enter")
            case "typed":
                await desk.press("colon")
                await desk.write("prune 1")
                await desk.press("enter")
            case "form":
                await desk.press("a")
                await desk.sees(AddForm)
                await desk.fill(task="cars", data="torchvision:MNIST", prune="1")
                await desk.press("enter")
        await desk.until(lambda: "Free every weight" in desk.text(), "the question")
        await answered(desk, [key], "Free every weight of")
        asked = replace(ADD, prune=1.0, yes=True) if way == "form" else Prune(ratio=1.0, task="newest", yes=True)
        sent = [command for command in desk.asked if isinstance(command, Add | Prune)]
        assert sent == ([asked] if emptied else [])
