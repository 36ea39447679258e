"""What fits has one answer: the API, `packnet forecast`, pane 2, the what-if, the form and the forecast agree."""

import pytest
from textual.widgets import Static

import packnet_core
from packnet_core.schema.document import MOST_TASKS
from packnet_tui.cli.main import packnet
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.forecast_screen import ForecastScreen
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import SEALED, TINY, VGG16, document, task, write
from tests.tui.still import opened, outcome

STATES = {
    "no task": ((), VGG16),
    "first trained": ((task("one", None, 20.0, "trained"),), VGG16),
    "trained": ((*SEALED, task("cars", None, 17.1, "trained")), VGG16),
    "pruned": ((*SEALED, task("cars", 0.75, 17.1, "pruned")), VGG16),
    "retrained": ((*SEALED, task("cars", 0.75, 17.1, "retrained")), VGG16),
    "sealed": (SEALED, VGG16),
    "small": ((task("one", 0.5, 20.0), task("two", 0.6, 20.0, "retrained")), TINY),
    "full": ((*SEALED, task("cars", 0.0, 17.1, "retrained")), VGG16),
    "full and sealed": ((*SEALED, task("cars", 0.0, 17.1)), VGG16),
    "254 tasks": (tuple(task(f"t{n}", 0.99, 20.0) for n in range(MOST_TASKS)), VGG16),
}


def words(text: str) -> str:
    """A text of the screen in one line, without the border of a pane."""
    return " ".join(text.replace("│", " ").replace("┃", " ").split())


@pytest.mark.parametrize("ratio", [0.5, 0.75, 0.99])
@pytest.mark.parametrize("state", STATES)
async def test_all_give_the_same_answer(tmp_path, capsys, state, ratio):
    path = write(tmp_path / "model.safetensors", document(*STATES[state]))
    assert packnet(["forecast", str(path), str(ratio)]) == 0
    answer = capsys.readouterr().out.splitlines()[-1]
    numbers = ("no further", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
               "twelve")  # fmt: skip
    count = packnet_core.open(path).forecast(ratio)[-1].tasks
    assert f"{numbers[count] if count < len(numbers) else count} " in answer
    async with opened(path, (200, 60)) as desk:
        desk.app.ratio = ratio
        desk.bench.redraw()
        await desk.pilot.pause()
        assert answer in words(desk.text(desk.bench.query_one(TasksPane)))
        await desk.press("F")
        screen = await desk.sees(ForecastScreen)
        assert answer in words(str(screen.query_one(".fits", Static).content))
        await desk.press("escape")
        await desk.press("p")
        if isinstance(desk.app.screen, Question):
            await desk.press("y")
        if desk.app.picture.open_task:
            screen = await desk.sees(PruneScreen)
            assert answer in words(str(screen.query_one(".room", Static).content))
            await desk.press("escape")
        await desk.press("a")
        if isinstance(desk.app.screen, AddForm):
            await desk.fill(prune=str(ratio))
            assert answer[1:] in outcome(desk)
        else:
            assert state in ("first trained", "trained", "full", "full and sealed", "254 tasks")
