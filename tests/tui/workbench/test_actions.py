"""The list of actions: keys, footer, help and palette come from it, and it says what can't be done now."""

import pytest

from packnet_core.schema.commands import Add, Evaluate
from packnet_core.schema.events import JobQueued, JobStarted
from packnet_tui.state.story import Story
from packnet_tui.workbench.actions import ACTIONS, GROUPS, bindings, blocked, footer_actions
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.widgets.curves_pane import CurvesPane
from packnet_tui.workbench.widgets.footer import FIRST_TO_GO
from packnet_tui.workbench.widgets.layer_pane import LayerPane
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import SEALED, TINY, checkpoint, document, entries, task
from tests.tui.still import opened, sealed

OPEN = task("cars", 0.75, 18.36, "retrained")
DENSE = task("cars", None, 17.1, "trained")
FULL = task("cars", 0.0, 17.1, "pruned")
TAKEN_BY_TERMINALS = {"ctrl+s", "ctrl+q", "ctrl+j", "ctrl+m", "ctrl+i", "ctrl+o", "ctrl+a", "ctrl+b", "ctrl+h"}


def picture(*tasks, interrupted=None, events=()):
    story = Story()
    story.read(entries(events))
    given = document(tasks, TINY)
    return story.picture(given, interrupted and checkpoint(given, interrupted))


def action(method):
    return next(action for action in ACTIONS if action.method == method)


def test_each_action_is_a_method_of_the_workbench():
    for each in ACTIONS:
        assert callable(getattr(MainScreen, f"action_{each.method}", None)), each.name
        assert each.group in GROUPS
        assert each.help


@pytest.mark.parametrize("pane", [0, 1, 2, 3, 4])
def test_a_key_does_one_thing(pane):
    keys = [key for each in ACTIONS if each.pane == pane for key in each.keys]
    assert len(keys) == len(set(keys)) > 0
    assert len({each.name for each in ACTIONS}) == len(ACTIONS)
    assert not TAKEN_BY_TERMINALS & set(keys)


def test_the_screen_binds_these_keys_and_no_others():
    bound = {key: each.name for each in ACTIONS if not each.pane for key in each.keys}
    assert {key: b.action for b in bindings() for key in b.key.split(",")} == bound
    assert bindings() == MainScreen.BINDINGS


@pytest.mark.parametrize("pane", [TasksPane, CurvesPane, LayerPane])
def test_a_pane_binds_its_own_keys_to_what_the_screen_does(pane):
    bound = {key: f"screen.{each.name}" for each in ACTIONS if each.pane == pane.number for key in each.keys}
    assert {key: b.action for b in pane.BINDINGS for key in b.key.split(",")} == bound


def test_the_footer_names_what_has_a_label_and_readonly_leaves_work_out():
    assert footer_actions(ACTIONS, False) == [each for each in ACTIONS if each.label]
    assert footer_actions(ACTIONS, True) == [each for each in footer_actions(ACTIONS, False) if not each.works]
    assert set(FIRST_TO_GO) <= {each.name for each in footer_actions(ACTIONS, False)}


def test_all_that_changes_something_needs_the_engine():
    assert {each.name for each in ACTIONS if each.works} == {
        "add", "prune", "train", "evaluate", "evaluate_all", "evaluate_some", "compare", "stop", "drop", "undo",
    }  # fmt: skip


async def test_help_and_palette_name_every_action(tmp_path):
    async with opened(sealed(tmp_path / "model.safetensors"), size=(120, 60)) as desk:
        palette = [command.title for command in desk.app.get_system_commands(desk.app.screen)]
        assert palette == [a.help for a in ACTIONS if a.group != "move" and a.name != "palette"]
        await desk.press("question_mark")
        for each in ACTIONS:
            assert not each.keys or each.help in desk.text(), each.name


@pytest.mark.parametrize(
    ("method", "shown", "says"),
    [
        ("add", picture(*SEALED, DENSE), "task 'cars' still owns every weight that is not sealed; p prunes it"),
        (
            "add",
            picture(*SEALED, FULL),
            "no task can be added; p prunes the open task to free some",
        ),
        ("add", picture(task("all", 0.0, 1.0, "sealed")), "no weight is free"),
        ("prune", picture(), "there is no task to be pruned yet; a adds one"),
        ("prune", picture(*SEALED), "task 'cubs' is sealed and can't be pruned any more; only the newest task can"),
        ("prune", picture(OPEN, events=[JobQueued(command=Evaluate())]), "wait until eval is done, or stop it with x"),
        ("train", picture(), "there is no task to be trained yet; a adds one"),
        ("train", picture(*SEALED), "task 'cubs' is sealed and can't be trained any more"),
        ("train", picture(OPEN, events=[JobStarted(command=Evaluate(), pid=1, device="cpu")]), "eval is not done yet"),
        ("evaluate", picture(), "there is no task to evaluate yet; a adds one"),
        ("evaluate_all", picture(), "there is no task to evaluate yet; a adds one"),
        ("compare", picture(), "there is no second task to compare yet; a adds one"),
        ("compare", picture(OPEN), "there is no second task to compare yet; a adds one"),
        ("stop", picture(OPEN), "no job runs"),
        ("drop", picture(), "there is no task to drop yet; a adds one"),
        ("drop", picture(OPEN), "the first task can't be dropped: all later ones build on it"),
        ("drop", picture(*SEALED, events=[JobQueued(command=Evaluate())]), "wait until eval is done"),
        ("undo", picture(*SEALED), "the last change of the file was not a drop, so there is nothing to undo"),
    ],
)
def test_a_command_that_is_not_allowed_now_says_what_to_do(method, shown, says):
    assert says in blocked(action(method), shown)


@pytest.mark.parametrize(
    ("method", "shown"),
    [
        ("add", picture()),
        ("add", picture(*SEALED)),
        ("add", picture(OPEN)),
        ("add", picture(*SEALED, DENSE, events=[JobQueued(command=Evaluate())])),
        ("prune", picture(DENSE)),
        ("prune", picture(OPEN)),
        ("train", picture(DENSE)),
        ("train", picture(interrupted=Add(task="cars", data="/data/cars"))),
        ("stop", picture(interrupted=Add(task="cars", data="/data/cars"))),
        ("drop", picture(OPEN, interrupted=Add(task="boats", data="/data/boats"))),
        ("evaluate", picture(*SEALED)),
        ("evaluate_all", picture(*SEALED)),
        ("compare", picture(*SEALED)),
        ("stop", picture(events=[JobQueued(command=Evaluate())])),
        ("drop", picture(*SEALED)),
    ],
)
def test_possible_actions_are_not_blocked(method, shown):
    assert blocked(action(method), shown) is None


def test_a_screen_that_only_watches_refuses_all_work_and_nothing_else():
    for each in ACTIONS:
        assert (blocked(each, picture(*SEALED), readonly=True) is not None) == each.works


def test_the_footer_shows_the_key_that_does_it():
    assert [
        each.keys[0] for each in footer_actions(ACTIONS, False) if each.shown.isalpha() and len(each.shown) == 1
    ] == [each.shown for each in footer_actions(ACTIONS, False) if each.shown.isalpha() and len(each.shown) == 1]
