"""Pane 2 marks an open task that is close to chance, and shows an error on some images apart from the others."""

import pytest
from msgspec.structs import replace

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Evaluate, Train
from packnet_core.schema.document import Error
from packnet_core.schema.events import JobStarted, PhaseStarted
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.question import Question
from packnet_tui.workbench.widgets.tasks_pane import TasksPane
from tests.tui.made_up import NOON, SEALED, append, at_rest, begun, document, ended, entries, evaluated, task, write
from tests.tui.still import SMALL, WIDE, Desk, opened

MNIST = task("mnist", 0.75, 78.02, "retrained", chance=88.65)


def told(desk: Desk) -> str:
    """Pane 2 in one line."""
    return " ".join(desk.text(desk.bench.query_one(TasksPane)).replace("│", " ").split())


def bad(path, newest=MNIST):
    return write(path, document((*SEALED, newest)))


@pytest.mark.parametrize("size", [WIDE, SMALL, (200, 60)], ids=str)
@pytest.mark.parametrize("ascii", [False, True], ids=["", "ascii"])
async def test_an_open_task_close_to_chance_is_marked_with_what_to_do(tmp_path, size, ascii):
    async with opened(bad(tmp_path / "net.safetensors"), size, ascii=ascii) as desk:
        assert "!78.02" in told(desk)
        if ascii:  # whose borders are other characters
            return
        whole = "error 78.02 %, little better than chance (88.65 %): train it with --recipe best (t), or drop it (d)"
        assert ("! near chance: t with --recipe best, or d" if size == SMALL else f"! mnist: {whole}") in told(desk)
        assert all(name in told(desk) for name in ("imagenet", "cubs", "free"))  # nothing gives way for it


@pytest.mark.parametrize(
    "newest",
    [replace(MNIST, error=Error(top1=3.25, top5=0.1, images=10_000)), replace(MNIST, phase="sealed")],
    ids=["a good one", "a sealed one"],
)
async def test_no_other_task_is_marked(tmp_path, newest):
    async with opened(bad(tmp_path / "net.safetensors", newest)) as desk:
        assert "!" not in told(desk)
        assert "chance" not in told(desk)


async def test_while_a_job_works_on_it_nothing_is_advised(tmp_path):
    path = bad(tmp_path / "net.safetensors")
    again = JobStarted(command=Train(recipe={"epochs": 2}), pid=7, device="cpu")
    phase = PhaseStarted(phase="retrain", task="mnist", epochs=2, images=54)
    append(path, entries([again, phase], job=3))
    with Paths(path).locked():
        async with opened(path) as desk:
            assert "!78.02" in told(desk)
            assert "chance" not in told(desk)


async def test_sealing_a_task_close_to_chance_asks(tmp_path):
    async with opened(bad(tmp_path / "net.safetensors")) as desk:
        await desk.press("a")
        await desk.sees(AddForm)
        await desk.fill(task="cars", data="torchvision:MNIST")
        await desk.press("enter")
        await desk.sees(Question)
        assert "mnist is little better than chance. Seal it for good?" in desk.text()
        assert "Train it with --recipe best (t) or drop it (d)" in desk.text()
        await desk.press("y")
        await desk.until(lambda: desk.asked)
        assert isinstance(desk.asked[0], Add)
        assert desk.asked[0].yes


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=str)
async def test_an_error_on_some_images_is_below_the_tasks_and_no_drift(tmp_path, size):
    path = at_rest(tmp_path / "net.safetensors")
    some = replace(evaluated("cars", 30.0), error=Error(top1=30.0, top5=None, images=500), of=5794)
    append(path, entries([begun(Evaluate(limit=500)), some, ended()], job=5, at=NOON + 700))
    async with opened(path, size) as desk:
        await desk.until(lambda: "≈ 30.00 % on 500 images" in told(desk))
        row = next(line for line in desk.text(desk.bench.query_one(TasksPane)).splitlines() if "3 cars" in line)
        assert "18.36" in row
        assert "30.00" not in row
        height = desk.bench.query_one(TasksPane).size.height
        await desk.press("2", "k")
        await desk.until(lambda: "≈" not in told(desk))
        assert desk.bench.query_one(TasksPane).size.height == height
