"""Files that few people have: hundreds of layers, dozens of tasks, names of any script and length; any terminal."""

import unicodedata

import pytest
from rich.cells import cell_len

from packnet_tui.workbench.widgets.log_pane import LogPane
from packnet_tui.workbench.widgets.occupancy_pane import OccupancyPane
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import append, document, entries, evaluated, task, write
from tests.tui.still import SMALL, WIDE, opened

DEEP = {f"blocks.{i // 4}.{('query', 'key', 'value', 'out')[i % 4]}.weight": (64, 64) for i in range(400)}
NAMES = (
    "鳥の分類タスク", "тест на птицах", "الطيور", "नमस्ते", "🐦‍⬛👩‍👩‍👧", "a\u0301\u0302\u0303b", "x" * 300, "鳥" * 120,
    "[red]not markup[/]", "a name with spaces", "\u202ereversed", "-1",
)  # fmt: skip

SIZES = (20, 5), (300, 100), (80, 24), (79, 24), (80, 23), (1, 1), (110, 30), (109, 30), (300, 5), (20, 100)


def deep(path, tasks):
    """Four hundred layers, and `tasks` tasks that each took a fifth of the free weights."""
    names = [task(f"task {i}", 0.8, float(i)) for i in range(1, tasks + 1)]
    return write(path, document(names, DEEP, "vit"))


def whole(desk) -> list[str]:
    """The lines of the screen; checks that each is as wide as the screen and has no control characters."""
    width, height = desk.app.size
    lines = desk.text().split("\n")
    assert len(lines) == height
    for line in lines:
        assert cell_len(line) == width, line
        assert not any(unicodedata.category(c) == "Cc" for c in line), repr(line)
    return lines


@pytest.mark.parametrize("size", [WIDE, SMALL])
@pytest.mark.parametrize("tasks", [20, 60])
async def test_hundreds_of_layers_and_dozens_of_tasks(tmp_path, size, tasks):
    path = deep(tmp_path / "deep.safetensors", tasks)
    append(path, entries([evaluated(f"task {i}", float(i)) for i in range(1, tasks + 1)]))
    async with opened(path, size=size) as desk:
        whole(desk)
        await desk.press("1", "G")
        assert "blocks.99.out" in desk.text(desk.bench.query_one(OccupancyPane))
        await desk.press("4")
        detail = desk.text()
        assert "blocks.99.out" in detail
        await desk.press("escape", "2")
        shown = desk.bench.query_one(TasksPane)
        assert f"task {tasks}" in desk.text(shown)  # the newest is the chosen one
        await desk.press("g")
        assert "task 1 " in desk.text(shown)
        whole(desk)
        await desk.press("z")
        whole(desk)


@pytest.mark.parametrize("size", [WIDE, SMALL, (60, 18)])
async def test_names_of_any_script_and_length(tmp_path, size):
    path = write(tmp_path / "names.safetensors", document([task(name, 0.5, 20.0) for name in NAMES]))
    append(path, entries([evaluated(name, 20.0) for name in NAMES]))
    async with opened(path, size=size) as desk:
        whole(desk)
        seen = ""
        await desk.press("2", "z", "g")
        for _ in NAMES:
            seen += desk.text(desk.bench.query_one(TasksPane))
            whole(desk)
            await desk.press("j")
        for part in ("鳥の分類", "тест на", "الطيور", "नमस्ते", "[red]n", "a name", "xxxxx", "-1"):
            assert part in seen
        if size == WIDE:
            await desk.press("escape", "5", "z")
            whole(desk)
            assert "error 20.00 %" in desk.text(desk.bench.query_one(LogPane))


async def test_every_size_of_terminal_is_drawn_whole(tmp_path):
    path = deep(tmp_path / "deep.safetensors", 20)
    async with opened(path) as desk:
        for size in SIZES:
            await desk.pilot.resize_terminal(*size)
            await desk.pilot.pause()
            lines = whole(desk)
            if size[0] >= 20 and size[1] >= 5:
                assert any("80×24" in line for line in lines) == (size[0] < 80 or size[1] < 24), size
                assert any("k t" in line for line in lines), size
        await desk.pilot.resize_terminal(*WIDE)
        await desk.pilot.pause()
        assert desk.text(desk.bench.query_one(OccupancyPane)).strip()
        assert desk.text(desk.bench.query_one(TasksPane)).strip()
