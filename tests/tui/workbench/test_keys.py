"""A TOML file gives actions other keys; clashes are reported, and the action keeps its usual key."""

import textwrap
import tomllib
from pathlib import Path

import pytest

from packnet_tui.workbench import keys
from packnet_tui.workbench.actions import ACTIONS
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.help_screen import HelpScreen
from tests.tui.made_up import at_rest
from tests.tui.still import opened


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Write one's own keys."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def write(text: str) -> None:
        keys.keys_file().parent.mkdir(parents=True)
        keys.keys_file().write_text(text)

    return write


def by_id(actions, name):
    return next(action for action in actions if action.id == name)


async def test_an_action_has_the_key_it_was_given_and_no_other(tmp_path, given):
    given('[keys]\nadd = ["n", "f5"]\nmatch-next = "ctrl+n"\nhelp = "!"\n')
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        assert "n add" in desk.text()
        await desk.press("a")
        assert not isinstance(desk.app.screen, AddForm)
        await desk.press("f5")
        await desk.sees(AddForm)
        await desk.press("escape")
        await desk.press("exclamation_mark")
        await desk.sees(HelpScreen)
        assert "^n       to the next match" in desk.text()
        assert desk.app.said == []


async def test_a_clash_is_reported_and_the_usual_key_kept(tmp_path, given):
    given('[keys]\nadd = "p"\n')
    async with opened(at_rest(tmp_path / "model.safetensors")) as desk:
        assert any("p would be both add and prune; add keeps its usual key" in text for text in desk.app.said)
        await desk.press("a")
        await desk.sees(AddForm)


def test_two_actions_may_swap_their_keys():
    actions, wrong = keys.remapped({"add": "p", "prune": "a"})
    assert wrong == []
    assert (by_id(actions, "add").keys, by_id(actions, "prune").keys) == (("p",), ("a",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[keys\n", "can't be read"),
        ('add = "n"\n', "one table, [keys]"),
        ("[keys]\nadd = 5\n", "add takes a key or a list of keys"),
        ('[keys]\nadd = ""\n', "add takes a key"),
        ('[keys]\nfly = "n"\n', "there is no action 'fly'"),
        ('[keys]\nadd = "ctrl+s"\n', "terminals and multiplexers"),
        ('[keys]\nadd = "?"\n', "? would be both add and help"),
    ],
)
def test_a_wrong_entry_is_reported_and_changes_nothing(tmp_path, text, said):
    path = tmp_path / "keys.toml"
    path.write_text(text)
    actions, wrong = keys.load_keys(path)
    assert actions == ACTIONS
    assert len(wrong) == 1
    assert said in wrong[0]
    assert str(path) in wrong[0]


def test_without_a_file_all_keys_are_the_usual_ones(tmp_path):
    assert keys.load_keys(tmp_path / "none.toml") == (ACTIONS, [])


def test_no_two_actions_share_a_key():
    assert keys.remapped({}) == (ACTIONS, [])


def test_the_example_in_the_documentation_works():
    text = (Path(__file__).parents[3] / "docs" / "workbench.md").read_text()
    example = text[text.index("[keys]") :].partition("\n\n")[0]
    given = tomllib.loads(textwrap.dedent("    " + example))["keys"]
    actions, wrong = keys.remapped(given)
    assert wrong == []
    assert by_id(actions, "add").keys == (given["add"],)


def test_a_name_may_have_underscores_as_in_former_versions():
    actions, wrong = keys.remapped({"log_scale": "f6", "evaluate-all": "f7"})
    assert not wrong
    assert by_id(actions, "log-scale").keys == ("f6",)
    assert by_id(actions, "evaluate-all").keys == ("f7",)
