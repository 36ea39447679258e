"""`?` in a dialog says what it is and which keys it has; they are its bindings."""

import pytest
from textual.binding import Binding

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate, Train
from packnet_core.schema.events import JobQueued, JobStarted
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.baseline_choice import BaselineChoice
from packnet_tui.workbench.screens.dialog_help import DialogHelp
from packnet_tui.workbench.screens.job_choice import JobChoice
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.screens.runs_screen import RunsScreen
from packnet_tui.workbench.screens.train_form import TrainForm
from tests.tui import made_up
from tests.tui.still import dense, opened

SCREENS = (AddForm, BaselineChoice, JobChoice, PruneScreen, Question, RunsScreen, TrainForm)


def busy(path):
    made_up.at_rest(path)
    made_up.append(path, made_up.entries([JobStarted(command=Train(), pid=7, device="cpu")], job=9))
    made_up.append(path, made_up.entries([JobQueued(command=Evaluate())], job=10))
    return path


@pytest.mark.parametrize(
    ("state", "keys", "kind", "says"),
    [
        (dense, ("p",), PruneScreen, ("75 is 0.75", "m the largest ratio that costs at most 1, 2, 5 points")),
        (made_up.at_rest, ("d",), Question, ("Nothing happens without a yes", "y yes")),
        (made_up.at_rest, ("b",), BaselineChoice, ("in percent on the test images", "b measure the marked method")),
        (made_up.at_rest, ("2", "enter"), RunsScreen, ("the newest first", "s smooth the training loss")),
        (busy, ("x",), JobChoice, ("A waiting job is removed", "x stop the marked job")),
    ],
)
async def test_every_dialog_has_help(tmp_path, state, keys, kind, says):
    path = state(tmp_path / "model.safetensors")
    (tmp_path / "model.packnet").mkdir(exist_ok=True)
    with Paths(path).locked():  # as if a process did the job
        async with opened(path) as desk:
            await desk.press(*keys)
            await desk.sees(kind)
            for key in ("question_mark", "f1"):
                await desk.press(key)
                await desk.sees(DialogHelp)
                box = desk.app.screen.query_one("VerticalScroll")
                shown = " ".join(desk.text(box).replace("┃", " ").split())
                assert all(text in shown for text in says), shown
                await desk.press("question_mark")
                await desk.sees(kind)


@pytest.mark.parametrize("kind", SCREENS)
def test_each_key_of_a_dialog_is_described(kind):
    assert kind.ABOUT
    own = [
        each
        for base in kind.__mro__
        if base.__module__.startswith("packnet")
        for each in base.__dict__.get("BINDINGS", ())
    ]
    silent = {key for each in own if isinstance(each, Binding) and not each.description for key in each.key.split(",")}
    assert silent <= {"ctrl+c", "question_mark"}
