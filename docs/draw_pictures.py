"""Writes pictures of the workbench for the documentation, as SVG: `python docs/draw_pictures.py FOLDER [NAME ...]`.

`demo` is the real demo, with an engine, in the middle of its third task. The others show generated, consistent state:
VGG-16 with two sealed tasks, the third being retrained.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from packnet_core.engine import client
from packnet_core.packfile.paths import Paths
from packnet_tui.cli import demo as demonstration
from packnet_tui.workbench.app import PacknetApp
from tests.tui.made_up import at_rest, running
from tests.tui.still import SMALL, TOO_SMALL, WIDE, opened, previewing

FILLED = ("a", *"flowers", "tab", *"torchvision", "colon", *"Flowers102")
PICTURES = {
    "workbench": (WIDE, running, ()),
    "rest": (WIDE, at_rest, ()),
    "workbench-80x24": (SMALL, running, ()),
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


async def picture(file: Path, out: Path, size: tuple[int, int], keys: tuple[str, ...], ascii: bool) -> None:
    """Take one picture, after pressing keys."""
    async with opened(file, size, ascii=ascii) as desk:
        await desk.press(*keys)
        await desk.pilot.pause(1.0)  # time for the preview of data
        save(desk.app, out)


async def demo(file: Path, out: Path) -> None:
    """Take a picture of the demo while it retrains its last task."""
    demonstration.make(file)
    app = PacknetApp(file, submit=demonstration.demo_commands())
    last = demonstration.demo_commands()[-1].task
    async with app.run_test(size=WIDE) as pilot:
        while not ((job := app.picture.job) and job.task == last and job.phase == "retrain" and job.epoch > 4):
            await pilot.pause(0.05)
        await pilot.pause()
        save(app, out)
        while app.picture.busy:  # its folder is deleted afterwards
            await pilot.pause(0.05)


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
                asyncio.run(demo(file, folder / "demo.svg"))
                with client.start(file) as engine:
                    engine.leave()  # or it would wait a while for more work
                continue
            size, state, keys = PICTURES[name]
            (Path(made) / name).mkdir()
            file = state(Path(made) / name / "model.safetensors")
            with Paths(file).locked():  # as if a job were running
                asyncio.run(picture(file, folder / f"{name}.svg", size, keys, ascii=name == "ascii"))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), *sys.argv[2:])
