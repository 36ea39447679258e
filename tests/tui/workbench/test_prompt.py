"""`/` filters what a pane lists, `:` takes a command as the shell would."""

import sys
import threading
from collections import deque

import pytest
from msgspec.structs import replace

from packnet_core.schema.commands import Add, Drop, Evaluate, Prune, Train
from packnet_core.schema.recipes import Recipe
from packnet_tui.cli.program import HELP_ORDER
from packnet_tui.workbench.command_line import COMMANDS
from packnet_tui.workbench.complete_line import complete_line
from packnet_tui.workbench.screens.help_screen import HelpScreen
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.widgets.log_pane import LogPane
from packnet_tui.workbench.widgets.occupancy_pane import OccupancyPane
from packnet_tui.workbench.widgets.prompt import Prompt
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import at_rest
from tests.tui.still import dense, opened

OPENED: deque[tuple[str, bool]] = deque(maxlen=500)  # files that were opened, and whether by the screen's own thread
sys.addaudithook(
    lambda event, args: (
        OPENED.append((str(args[0]), threading.current_thread() is threading.main_thread()))
        if event == "open"
        else None
    )
)
WORDS = {"theme": ["textual-dark", "textual-light"], "help": [*COMMANDS], "order": []}


async def typed(desk, line):
    await desk.press("colon")
    await desk.write(line)
    await desk.press("enter")


async def test_a_filter_hides_the_other_layers_as_it_is_typed_and_esc_shows_all(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        pane = desk.bench.query_one(OccupancyPane)
        await desk.press("slash", *"ssifier")
        assert "classifier.0" in desk.text(pane)
        assert "features" not in desk.text(pane)
        assert "shown 2 of 15" in desk.text(pane)
        await desk.press("enter")
        assert desk.bench.focused is pane
        assert "/ssifier" in str(pane.border_title)
        assert pane.selected.name == "classifier.0.weight"
        await desk.press("n")
        assert pane.selected.name == "classifier.3.weight"
        await desk.press("n")
        assert pane.selected.name == "classifier.0.weight"
        await desk.press("N")
        assert pane.selected.name == "classifier.3.weight"
        await desk.press("escape")
        assert "features.0" in desk.text(pane)
        assert pane.selected.name == "classifier.3.weight"


async def test_a_filter_given_up_while_typing_shows_all(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("slash", *"zzz")
        assert "no match for 'zzz'" in desk.text()
        await desk.press("escape")
        assert "features.0" in desk.text()
        assert "q leave" in desk.text()


async def test_tasks_and_the_log_are_filtered_too(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await desk.press("2", "slash", *"CUB", "enter")
        pane = desk.bench.query_one(TasksPane)
        assert "cubs" in desk.text(pane)
        assert "imagenet" not in desk.text(pane)
        await desk.press("e")
        assert desk.asked == [Evaluate(tasks=("cubs",))]
        await desk.press("5", "slash", *"saved", "enter")
        assert "train cars" not in desk.text(desk.bench.query_one(LogPane))


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("prune 0.6 --retrain-epochs 3", Prune(ratio=0.6, recipe={"retrain_epochs": 3}, task="cars")),
        ("train --epochs 4 --lr 0.01", Train(recipe={"epochs": 4, "lr": 0.01}, task="cars")),
        ("eval cubs imagenet", Evaluate(tasks=("cubs", "imagenet"))),
        ("eval", Evaluate()),
        ("eval cubs --limit 500", Evaluate(tasks=("cubs",), limit=500)),
    ],
)
async def test_a_typed_command_equals_that_of_the_shell(tmp_path, line, command):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await typed(desk, line)
        await desk.until(lambda: desk.asked)
        assert desk.asked == [command]


async def test_the_palette_and_a_name_lead_to_an_evaluation_on_some_images(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("2", "k")
        await typed(desk, "evaluate_some")
        await desk.until(lambda: desk.bench.query_one(Prompt).display)
        assert desk.bench.query_one(Prompt).text == "eval cubs --limit 500"
        await desk.press("enter")
        await desk.until(lambda: desk.asked)
        assert desk.asked == [Evaluate(tasks=("cubs",), limit=500)]


async def test_data_is_found_from_where_the_screen_was_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await typed(desk, "add 'blue birds' --data birds --epochs 3")
        await desk.until(lambda: desk.asked)
        recipe = Recipe(epochs=3)
        assert desk.asked == [Add(task="blue birds", data=str(tmp_path / "birds"), recipe=recipe)]


async def test_a_typed_drop_asks_unless_it_says_yes(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        await typed(desk, "drop cars")
        await desk.sees(Question)
        await desk.press("enter")
        await desk.sees(MainScreen)
        assert desk.asked == []
        await typed(desk, "drop cars --yes")
        await desk.until(lambda: desk.asked)
        assert desk.asked == [replace(Drop(task="cars"), yes=True)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("prune 1.5", "is a share from 0 to 1"),
        ("prune", "give a ratio, such as 0.75"),
        ("drop cubs", "only the newest task"),
        ("eval --limit 0", "'--limit'"),
        ("eval --on-done true", "--on-done is for a shell"),
        ("fly", "there is no command 'fly'; tab completes all there are"),
        ("prun 0.5", "there is no command 'prun'; did you mean prune?"),
        ("themes", "did you mean theme?"),
        ("theme nosuch", "there is no theme 'nosuch'; the themes are "),
        ("help prun", "did you mean prune?"),
        ("eval --json", "for scripts, type in a shell: packnet eval --json"),
        ("watch", "panes 3 and 5 show the running job"),
        ("stop --yes", "x stops a job; the engine ends by itself after q, or in a shell: packnet stop /"),
        ("new x.safetensors --arch vgg16", "type it in a shell"),
        ("demo", "packnet-tui demo in a shell"),
        ("paper plan", "type it in a shell"),
        ("open other.safetensors", "packnet-tui open FILE"),
        ("help zoom", "z   show only this pane"),
        ("add 'birds", "No closing quotation"),
    ],
)
async def test_a_wrong_command_says_why(tmp_path, line, said):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        if line != "prune":  # alone it is the key's action
            await typed(desk, line)
        else:
            await typed(desk, "prune --limit 3")
        await desk.until(lambda: any(said in text for text in desk.app.said), said)
        assert desk.asked == []


async def test_actions_go_by_their_names_too(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await typed(desk, "help")
        await desk.sees(HelpScreen)
        await desk.press("escape")
        await typed(desk, "prune")
        await desk.sees(PruneScreen)


async def test_readonly_takes_no_command(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors"), readonly=True) as desk:
        await typed(desk, "prune 0.5")
        await desk.until(lambda: any("only watches" in text for text in desk.app.said))
        assert desk.asked == []


def test_every_command_of_the_shell_is_done_here_or_says_what_to_do_instead():
    assert {*HELP_ORDER, "open"} == set(COMMANDS)


async def test_a_theme_is_chosen_by_its_name(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await typed(desk, "theme textual-light")
        await desk.until(lambda: desk.app.theme == "textual-light")


# -- completion, and earlier lines ----------------------------------------------------------------------------------


def line(desk):
    return desk.bench.query_one(Prompt).text


async def test_tab_completes_and_the_line_keeps_the_focus(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("colon", *"pru", "tab")
        assert line(desk) == "prune "
        await desk.press("tab", "shift+tab", "p", "e")  # which would ask to prune, and evaluate, if they were keys
        assert line(desk) == "prune pe"
        assert desk.app.screen is desk.bench
        assert not desk.asked
        await desk.press("escape", "slash", "tab", "p")
        assert line(desk) == "p"


async def test_tab_lists_what_it_could_be(tmp_path):
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await desk.press("colon", "p", "tab", "tab")
        assert "prune  preview" in desk.text(desk.bench.query_one(Prompt))
        await desk.press("r", "u")
        assert "preview" not in desk.text(desk.bench.query_one(Prompt))


@pytest.mark.parametrize(
    ("start", "completed"),
    [
        ("th", ["theme "]),
        ("in", ["inspect "]),
        ("inspect --", ["inspect --json "]),
        ("verify --j", ["verify --json "]),
        ("export cu", ["export cubs "]),
        ("export cubs FOLDER/im", ["export cubs FOLDER/images/", r"export cubs FOLDER/im\ of\ a.npz "]),
        ("sizes vgg16_", ["sizes vgg16_bn "]),
        ("forecast --feat", ["forecast --features "]),
        ("help exp", ["help export "]),
        ("theme textual-l", ["theme textual-light "]),
        ("theme textual-light x", []),
        ("save-svg FOLDER/ima", ["save-svg FOLDER/images/"]),
        ("eval cu", ["eval cubs "]),
        ("eval cubs c", ["eval cubs cars "]),
        ("eval --", [f"eval --{name} " for name in ("data", "device", "limit", "mixed", "on-bad-image")]),
        ("drop ", ["drop cars "]),
        ("prune 0.5 --layer classifier.3", ["prune 0.5 --layer classifier.3="]),
        ("prune 0.5 --max-", ["prune 0.5 --max-drop "]),
        ("train --optimizer a", ["train --optimizer adamw "]),
        ("add x --data FOLDER/im", [r"add x --data FOLDER/images/", r"add x --data FOLDER/im\ of\ a.npz "]),
        (r"add x --data FOLDER/im\ of", [r"add x --data FOLDER/im\ of\ a.npz "]),
        ("nosuch ", []),
    ],
)
def test_completions_are_those_of_the_shell(tmp_path, start, completed):
    path = dense(tmp_path / "model.safetensors")
    (tmp_path / "images").mkdir()
    (tmp_path / "im of a.npz").touch()
    there = [text.replace("FOLDER", str(tmp_path)) for text in (start, *completed)]
    assert sorted(complete_line(there[0], path, WORDS)) == sorted(there[1:])


async def test_earlier_lines_come_back_also_in_the_next_session(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = dense(tmp_path / "model.safetensors")
    async with opened(path) as desk:
        for text in ("eval cubs", "nosuch", "eval cubs"):
            await typed(desk, text)
        await desk.until(lambda: len(desk.asked) == 2)
    async with opened(path) as desk:
        await desk.press("colon", "x", "up")
        assert line(desk) == "eval cubs"
        await desk.press("up", "up")
        assert line(desk) == "nosuch"
        await desk.press("down", "down", "down")
        assert line(desk) == "x"


async def test_without_a_place_for_them_lines_are_forgotten(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    async with opened(dense(tmp_path / "model.safetensors")) as desk:
        await typed(desk, "eval cubs")
        await desk.until(lambda: desk.asked)
        await desk.press("colon", "up")
        assert line(desk) == ""


async def test_no_disk_holds_up_the_screen_while_a_line_is_typed_and_sent(tmp_path):
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        OPENED.clear()
        await typed(desk, "eval cubs")
        await desk.until(lambda: desk.asked)
        await desk.press("colon", "up")
        ours = [(path, waits) for path, waits in OPENED if path.endswith(("typed.txt", "model.safetensors"))]
        assert {path.rpartition("/")[2] for path, _ in ours} == {"typed.txt", "model.safetensors"}
        assert not any(waits for _, waits in ours)
        assert desk.bench.query_one(Prompt).text == "eval cubs"
