"""Pictures of the workbench. Look at one that differs before accepting it: pytest tests/tui --snapshot-update."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from packnet_core.packfile.paths import Paths
from packnet_tui.workbench.screens.main_screen import MainScreen
from tests.tui.made_up import at_rest, running
from tests.tui.still import SMALL, TOO_SMALL, WIDE, Still, dense, drawn

BaselineChoice = Callable[..., bool]


@pytest.fixture(autouse=True)
def _noon_is_noon_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def same(snap_compare: BaselineChoice, tmp_path: Path) -> BaselineChoice:
    """Whether a state of a file looks as it did, after some keys; its lock is held, as if a job ran."""

    def compare(
        state: Callable[[Path], Path],
        size: tuple[int, int],
        *keys: str,
        theme: str = "",
        **options: bool,
    ) -> bool:
        path = state(tmp_path / "model.safetensors")
        app = Still(path, **options)

        async def ready(pilot: Pilot[None]) -> None:
            await app.looked.wait()
            app.theme = theme or app.theme
            await pilot.pause()
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
            while any(worker.group == "look" and not worker.is_finished for worker in app.workers):
                await pilot.pause(0.01)
            for field in app.screen.query(Input):
                field.cursor_blink = False
            await pilot.pause()
            while not drawn(app):
                await pilot.pause(0.01)
            await pilot.pause()
            assert isinstance(app.screen, MainScreen) != bool(keys)

        (tmp_path / "model.packnet").mkdir(exist_ok=True)
        with Paths(path).locked():
            return snap_compare(app, terminal_size=size, run_before=ready)

    return compare


@pytest.mark.parametrize("size", [WIDE, SMALL, TOO_SMALL], ids=["120x40", "80x24", "60x18"])
@pytest.mark.parametrize("state", [running, at_rest])
def test_the_workbench(same, state, size):
    assert same(state, size)


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x40", "80x24"])
def test_without_colour(same, monkeypatch, size):
    monkeypatch.setenv("NO_COLOR", "1")
    assert same(running, size)


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x40", "80x24"])
def test_in_ascii(same, size):
    assert same(running, size, ascii=True)


def test_in_light(same):
    assert same(running, WIDE, theme="textual-light")


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x40", "80x24"])
def test_the_runs_of_a_task(same, size):
    assert same(at_rest, size, "2", "enter", "j")


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x40", "80x24"])
@pytest.mark.parametrize(
    ("state", "key"),
    [(dense, "p"), (at_rest, "a"), (running, "F"), (at_rest, "question_mark")],
    ids=["prune", "add", "forecast", "help"],
)
def test_a_dialog(same, state, key, size):
    assert same(state, size, key)


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x40", "80x24"])
@pytest.mark.parametrize("data", ["torchvision:Flowers102", "torchvision:Flower"], ids=["seen", "half-typed"])
def test_data_being_typed(same, data, size):
    keys = ("colon" if character == ":" else character for character in data)
    assert same(at_rest, size, "a", *"flowers", "tab", *keys)
