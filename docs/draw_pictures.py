"""Writes pictures of the workbench for the documentation, as SVG: `python docs/draw_pictures.py FOLDER [NAME ...]`.

`demo` runs the real demo, with an engine: `moving.svg` shows all of it, `mosaic.svg` a layer of its result. The others
show generated, consistent state: VGG-16 with two sealed tasks, the third being retrained.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from moving_picture import moving

from packnet_core.engine import client
from packnet_core.packfile.paths import Paths
from packnet_tui.cli import demo as demonstration
from packnet_tui.workbench.app import PacknetApp
from tests.tui.made_up import at_rest, running
from tests.tui.still import SMALL, TOO_SMALL, WIDE, empty, opened, previewing

LARGE, FILM = (200, 60), (110, 34)
FRAMES, FRAME, STILL = 36, 0.4, 2.5  # frames of the training; seconds that each is shown; seconds of a still screen


def three_files(path: Path) -> list[Path]:
    """A file in which a job runs, one at rest, and a new one."""
    return [running(path), at_rest(path.with_name("birds.safetensors")), empty(path.with_name("new.safetensors"))]


FILLED = ("a", *"flowers", "tab", *"torchvision", "colon", *"Flowers102")
PICTURES: dict[str, tuple[tuple[int, int], Callable[[Path], Path | list[Path]], tuple[str, ...]]] = {
    "workbench": (WIDE, running, ()),
    "rest": (WIDE, at_rest, ()),
    "workbench-80x24": (SMALL, running, ()),
    "workbench-200x60": (LARGE, running, ()),
    "command-line": (WIDE, at_rest, ("colon", *"prune 0.75 --re", "tab", "tab")),
    "files": (WIDE, three_files, ()),
    "files-list": (WIDE, three_files, ("B",)),
    "workbench-too-small": (TOO_SMALL, running, ()),
    "curves": (WIDE, running, ("3", "z")),
    "curves-log-smooth": (WIDE, running, ("3", "l", "s")),
    "runs": (WIDE, at_rest, ("2", "enter", "j")),
    "runs-80x24": (SMALL, at_rest, ("2", "enter", "j")),
    "layer-80x24": (SMALL, running, ("j", "4")),
    "add": (WIDE, at_rest, FILLED),
    "add-80x24": (SMALL, at_rest, FILLED),
    "prune": (WIDE, previewing, ("p", "m", "m", "m")),
    "prune-80x24": (SMALL, previewing, ("p", "right")),
    "forecast": (WIDE, running, ("F",)),
    "forecast-80x24": (SMALL, running, ("F", "9")),
    "drop": (WIDE, at_rest, ("d",)),
    "compare": (WIDE, at_rest, ("b",)),
    "jobs-80x24": (SMALL, running, ("x",)),
    "help": (WIDE, at_rest, ("question_mark",)),
    "palette": (WIDE, at_rest, ("ctrl+p",)),
    "ascii": (WIDE, running, ()),
}


async def picture(files: list[Path], out: Path, size: tuple[int, int], keys: tuple[str, ...], ascii: bool) -> None:
    """Take one picture, after pressing keys."""
    async with opened(files, size, ascii=ascii) as desk:
        await desk.press(*keys)
        await desk.pilot.pause(1.0)  # time for the preview of data
        save(desk.app, out)


async def demo(file: Path, folder: Path) -> None:
    """Run the demo and look around in its result: a picture and a moving one."""
    demonstration.make(file)
    app = PacknetApp(file, submit=demonstration.demo_commands())
    training, after = [], []
    async with app.run_test(size=FILM) as pilot:

        def film(seconds: float = STILL) -> None:
            after.append((seconds, app.export_screenshot()))

        async def press(*keys: str, until: str = "", seconds: float = STILL) -> None:
            await pilot.press(*keys)
            while until not in app.export_screenshot().replace("&#160;", " "):
                await pilot.pause(0.1)
            await pilot.pause(0.5)
            film(seconds)

        while len(app.picture.tasks) < len(demonstration.TASKS) or app.picture.busy:
            training.append(app.export_screenshot())
            await pilot.pause(0.2)
        await press("E", until="eval: done")
        await press("1", "j", "4", "enter", until="one cell")
        save(app, folder / "mosaic.svg")
        for digit in "123":
            await press(digit, seconds=STILL / 2)
        await press("escape", "escape", "1", "p", "y", until="costs", seconds=STILL / 2)
        for key in ("right", "right", "left"):
            await press(key, seconds=STILL / 3)
        await press("escape", "F", until="Forecast")
    shots = [*((FRAME, training[i * len(training) // FRAMES]) for i in range(FRAMES)), *after]
    starts = [sum(seconds for seconds, _ in shots[:i]) for i in range(len(shots) + 1)]
    frames = [(start, svg) for start, (_, svg) in zip(starts, shots, strict=False)]
    (folder / "moving.svg").write_text(moving(frames, starts[-1]))
    print(folder / "moving.svg")


def save(app: PacknetApp, out: Path) -> None:
    """Save the screen. `xml:space` keeps spaces in every viewer."""
    out.write_text(app.export_screenshot().replace("<svg ", '<svg xml:space="preserve" ', 1))
    print(out)


def main(folder: Path, *names: str) -> None:
    os.environ["TZ"] = "UTC"
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()  # no theme or layout that was chosen here
    time.tzset()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        for name in names or ("demo", *PICTURES):
            if name == "demo":
                file = Path(made) / "demo.safetensors"
                asyncio.run(demo(file, folder))
                with client.start(file) as engine:
                    engine.leave()  # or it would wait a while for more work
                continue
            size, state, keys = PICTURES[name]
            (Path(made) / name).mkdir()
            made_files = state(Path(made) / name / "model.safetensors")
            files = made_files if isinstance(made_files, list) else [made_files]
            with Paths(files[0]).locked():  # as if a job were running
                asyncio.run(picture(files, folder / f"{name}.svg", size, keys, ascii=name == "ascii"))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), *sys.argv[2:])
