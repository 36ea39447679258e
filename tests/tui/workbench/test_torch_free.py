"""Law 8: the process of a running screen never imports torch, on any of its screens."""

import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.tui.made_up import at_rest
from tests.worlds import images

SCRIPT = """
import asyncio, sys
from pathlib import Path
from textual.command import CommandPalette
from packnet_tui.workbench.screens.add_form import AddForm
from packnet_tui.workbench.screens.help_screen import HelpScreen
from packnet_tui.workbench.complete_line import complete_line
from packnet_tui.workbench.screens.output_screen import OutputScreen
from packnet_tui.workbench.screens.prune_screen import PruneScreen
from packnet_tui.workbench.screens.main_screen import MainScreen
from tests.tui.still import opened

async def main():
    async with opened(Path(sys.argv[1])) as desk:
        await desk.until(lambda: "who owns most" in desk.text(), "the mosaic")
        await desk.press("a")
        await desk.sees(AddForm)
        for data in sys.argv[2:]:
            await desk.fill(task="birds", data=data)
            await desk.until(lambda: "3 classes" in desk.text(), "a look at " + data)
            await desk.fill(data="")
            await desk.until(lambda: "3 classes" not in desk.text())
        await desk.fill(data=data)
        await desk.press("enter")
        await desk.sees(MainScreen)
        await desk.press("p")
        await desk.press("y")
        await desk.sees(PruneScreen)
        await desk.press("6", "enter")
        await desk.sees(MainScreen)
        for key, screen in (("question_mark", HelpScreen), ("ctrl+p", CommandPalette)):
            await desk.press(key)
            await desk.sees(screen)
            await desk.press("escape")
            await desk.sees(MainScreen)
        for line in ("export ", "forecast --"):
            assert await asyncio.to_thread(complete_line, line, Path(sys.argv[1]), {})
        await desk.press("colon", *"inspect", "enter")
        output = await desk.sees(OutputScreen)
        await desk.until(lambda: "done" in output.pane.caption())
        await desk.press("escape")
        await desk.sees(MainScreen)
        await desk.press("e")
        print(len(desk.asked), sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "torchvision"}))

asyncio.run(main())
"""


def test_a_running_screen_has_no_torch_in_it(tmp_path):
    path = at_rest(tmp_path / "model.safetensors")
    data = images(tmp_path / "birds.npz", classes=3)
    for place in ("train/a", "train/b", "train/c", "val/a", "val/b", "val/c"):
        (tmp_path / "birds" / place).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "birds" / place / "1.png")
    command = [sys.executable, "-c", SCRIPT, str(path), str(data), str(tmp_path / "birds")]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=200)
    assert done.stdout == "3 []\n", done.stderr
