"""A file that names code for its network: the screen asks before that may run."""

import pytest

from packnet_core.errors import RequestError
from packnet_core.packfile import trust
from packnet_tui.workbench.command_line import parse
from packnet_tui.workbench.screens.main_screen import MainScreen
from packnet_tui.workbench.screens.question import Question
from tests.tui.cli import handmade
from tests.tui.still import Still


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(trust, "_try", lambda _: None)
    return handmade.write(tmp_path / "net.safetensors", handmade.document())


async def until(pilot, condition):
    for _ in range(100):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError("it did not happen")


@pytest.mark.parametrize(("key", "trusted"), [("y", True), ("n", False), ("enter", False), ("escape", False)])
async def test_the_screen_asks_before_the_engine_starts(path, key, trusted):
    app = Still(path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, Question) and len(app.screen.query("Static")) > 1)
        assert not app.engine.started
        assert "tiny:net builds its network" in str(app.screen.query("Static")[1].render())
        await pilot.press(key)
        await until(pilot, lambda: app.engine.started)
        assert isinstance(app.screen, MainScreen)
    assert trust.is_trusted(path, "tiny:net") == trusted


async def test_a_readonly_screen_does_not_ask(path):
    app = Still(path, readonly=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.5)
        assert isinstance(app.screen, MainScreen)


async def test_trusted_code_is_not_asked_about(path):
    trust.trust(path, "tiny:net")
    app = Still(path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.engine.started)
        assert isinstance(app.screen, MainScreen)


def test_a_typed_command_does_not_trust(path):
    with pytest.raises(RequestError, match=r"packnet-tui open .* --trust tiny:net"):
        parse("eval --trust tiny:net", path)
    assert not trust.is_trusted(path, "tiny:net")
