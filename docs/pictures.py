"""Pictures of the workbench, for the documentation: `python docs/pictures.py FOLDER [NAME ...]` writes them as SVG.

`demo` is the demo itself, in the middle of its third task: real digits, a real engine. What the others show is made
up, and consistent: VGG-16 with two sealed tasks, the third in its retraining.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from packnet_core.engine import client
from packnet_core.engine.places import Places
from packnet_tui import demo as demonstration
from packnet_tui.app import PacknetApp
from tests.tui import made_up

WIDE, SMALL, TINY = (120, 40), (80, 24), (60, 18)
PICTURES = {
    "workbench": (WIDE, "running", ()),
    "workbench-80x24": (SMALL, "running", ()),
    "workbench-too-small": (TINY, "running", ()),
    "curves": (WIDE, "running", ("3", "z")),
    "layer-80x24": (SMALL, "running", ("j", "4")),
    "add": (WIDE, "rest", ("a",)),
    "prune": (WIDE, "dense", ("p", "right")),
    "prune-80x24": (SMALL, "dense", ("p", "right")),
    "drop": (WIDE, "rest", ("d",)),
    "help": (WIDE, "rest", ("question_mark",)),
    "palette": (WIDE, "rest", ("ctrl+p",)),
    "ascii": (WIDE, "running", ()),
}


async def picture(file: Path, out: Path, size: tuple[int, int], keys: tuple[str, ...], ascii: bool) -> None:
    """One picture, after some keys."""
    app = Still(file, ascii=ascii)
    async with app.run_test(size=size, notifications=True) as pilot:
        while not app.looked:  # at the journal
            await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        save(app, out)


async def demo(file: Path, out: Path) -> None:
    """The demo while it retrains its last task."""
    demonstration.make(file)
    app = PacknetApp(file, submit=demonstration.commands())
    last = demonstration.commands()[-1].task
    async with app.run_test(size=WIDE) as pilot:
        while not ((job := app.picture.job) and job.task == last and job.phase == "retrain" and job.epoch > 2):
            await pilot.pause(0.05)
        await pilot.pause()
        save(app, out)
        while app.picture.busy:  # the folder it works in is taken away afterwards
            await pilot.pause(0.05)


def save(app: PacknetApp, out: Path) -> None:
    """What is on the screen; with its spaces kept, which not every viewer does unasked."""
    out.write_text(app.export_screenshot().replace("<svg ", '<svg xml:space="preserve" ', 1))


class Still(PacknetApp):
    """The workbench of a made-up file: no engine is started for it."""

    looked = False

    async def _look(self) -> None:
        await super()._look()
        self.looked = True

    async def _follow(self) -> None:
        await self._look()


def main(folder: Path, *names: str) -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        states = {
            "running": made_up.running(Path(made) / "model.safetensors"),
            "rest": made_up.at_rest(_in(made, "rest")),
            "dense": made_up.write(
                _in(made, "dense"), made_up.document((*made_up.SEALED, made_up.task("cars", None, 17.1, "trained")))
            ),
        }
        for name, (size, state, keys) in PICTURES.items():
            if name not in (names or PICTURES):
                continue
            with Places(states[state]).locked():
                asyncio.run(picture(states[state], folder / f"{name}.svg", size, keys, ascii=name == "ascii"))
            print(folder / f"{name}.svg")
        if not names or "demo" in names:
            file = Path(made) / "demo.safetensors"
            asyncio.run(demo(file, folder / "demo.svg"))
            with client.start(file) as engine:
                engine.leave()
            print(folder / "demo.svg")


def _in(made: str, folder: str) -> Path:
    (Path(made) / folder).mkdir()
    return Path(made) / folder / "model.safetensors"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), *sys.argv[2:])
