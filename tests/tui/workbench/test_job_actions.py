"""Keys that send a command to the engine, and the reasons that are shown if they do not."""

import pytest

from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Evaluate, Train
from packnet_core.schema.events import Note
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from tests.tui import made_up
from tests.tui.made_up import append, at_rest, entries, running
from tests.tui.still import dense, empty, opened, sealed

ALL = ("a", "p", "t", "e", "E", "b", "x", "d")


@pytest.mark.parametrize(("keys", "name"), [(["e"], "cars"), (["2", "k", "e"], "cubs"), (["2", "g", "e"], "imagenet")])
async def test_evaluate_the_chosen_task(tmp_path, keys, name):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press(*keys)
        assert desk.asked == [Evaluate(tasks=(name,))]


async def test_a_task_that_is_being_added_is_evaluated_afterwards(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("e")
            assert desk.asked == [Evaluate(tasks=("cars",))]


async def test_a_task_is_asked_for_by_its_name_as_the_file_is_read(tmp_path):
    odd = made_up.task("a\x1b[2Jb", 0.5, 1.0)
    path = made_up.write(tmp_path / "model.safetensors", made_up.document((odd,)))
    async with opened(path) as desk:
        await desk.press("e")
        assert desk.asked == [Evaluate(tasks=(r"a\x1b[2Jb",))]
    assert read_header(path).document.index(r"a\x1b[2Jb") == 1


async def test_evaluate_all_of_them(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("E")
        assert desk.asked == [Evaluate()]


async def test_commands_given_at_the_start_are_submitted_first(tmp_path):
    first = [Add(task="cars", data="sklearn:digits"), Evaluate()]
    async with opened(sealed(tmp_path / "model.safetensors"), submit=first) as desk:
        await desk.until(lambda: desk.app.engine.started)
        assert desk.asked == first


@pytest.mark.parametrize("key", ALL)
async def test_readonly_refuses_with_a_word_and_starts_no_engine(tmp_path, key):
    async with opened(at_rest(tmp_path / "model.safetensors"), readonly=True) as desk:
        await desk.press(key)
        await desk.until(lambda: desk.app.said)
        assert desk.app.said == ["this screen only watches (--readonly)"]
        assert "read only" in desk.text()
        assert isinstance(desk.app.screen, MainScreen)
        assert (desk.asked, desk.app.engine.started) == ([], False)


SEALED_CUBS = (
    "task 'cubs' is sealed and can't be pruned any more; only the newest task can, until the next one is added"
)


@pytest.mark.parametrize(
    ("state", "key", "says"),
    [
        (empty, "p", "there is no task to be pruned yet; a adds one"),
        (empty, "t", "there is no task to be trained yet; a adds one"),
        (empty, "e", "there is no task to evaluate yet; a adds one"),
        (empty, "E", "there is no task to evaluate yet; a adds one"),
        (empty, "b", "there is no second task to compare yet; a adds one"),
        (empty, "x", "no job runs"),
        (empty, "d", "there is no task to drop yet; a adds one"),
        (sealed, "p", SEALED_CUBS),
        (dense, "a", "task 'cars' still owns every weight that is not sealed; p prunes it"),
    ],
)
async def test_actions_that_are_not_possible_are_refused_with_a_reason(tmp_path, state, key, says):
    async with opened(state(tmp_path / "model.safetensors")) as desk:
        await desk.press(key)
        await desk.until(lambda: desk.app.said)
        assert desk.app.said == [says]
        assert desk.asked == []


@pytest.mark.parametrize("key", ["p", "t", "d"])
async def test_while_a_job_runs_it_names_the_job(tmp_path, key):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press(key)
            await desk.until(lambda: desk.app.said)
            assert "add cars --prune 0.75" in desk.app.said[0]
            assert desk.asked == []


async def test_the_next_task_can_be_put_in_the_queue_while_a_job_runs(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("a")
            await desk.fill(task="birds", data="torchvision:MNIST")
            await desk.press("enter")
            await desk.sees(MainScreen)
            assert desk.asked == [Add(task="birds", data="torchvision:MNIST", prune=0.75)]


async def test_messages_of_the_engine_are_shown_and_kept_in_the_log(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        desk.app._hear(desk.app.here, "the engine would not start: no space left")
        await desk.until(lambda: desk.app.said)
        append(desk.app.path, entries([Note(text="later")]))
        await desk.until(lambda: "later" in desk.text())
        assert "no space left" in desk.text()
        assert [line.text for line in desk.app.picture.log if line.level == "warning"] == desk.app.said


async def test_further_training_needs_only_an_open_task(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("t", "enter")
        await desk.sees(MainScreen)
        assert desk.asked == [Train(task="cars")]


@pytest.mark.parametrize("line", ["prune 0.5", "train --epochs 2", "drop cars"])
async def test_a_typed_command_waits_for_the_running_job_as_its_key_does(tmp_path, line):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.press("colon")
            await desk.write(line)
            await desk.press("enter")
            await desk.until(lambda: desk.app.said)
            assert "add cars --prune 0.75" in desk.app.said[0]
            assert desk.asked == []


async def test_a_command_names_the_task_whose_dialog_was_open(tmp_path):
    """Meanwhile another screen may have added a task."""
    path = dense(tmp_path / "model.safetensors")
    async with opened(path) as desk:
        await desk.press("p")
        await desk.sees(PruneScreen)
        made_up.write(path, made_up.document((*made_up.SEALED, made_up.task("birds", 0.5, 17.1, "retrained"))))
        await desk.until(lambda: desk.app.picture.tasks[-1].name == "birds")
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert [command.task for command in desk.asked] == ["cars"]
