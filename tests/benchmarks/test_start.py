"""How soon something is seen: against `python -c "import torch"` in a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packnet_core.packfile import storage
from tests.benchmarks.networks import packed
from tests.tui.cli.terminal import Terminal


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    storage.save(path, *packed("vgg16"))
    return path


def python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def import_torch() -> None:
    python("-c", "import torch")


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["table", "json"])
def test_inspect_vgg16_four_tasks(compare, file, options):
    code = "import sys; from packnet_tui.cli.main import packnet; sys.argv[0] = 'packnet'; packnet()"
    compare(lambda: python("-c", code, "inspect", str(file), *options), import_torch, bar=0.15, aim=0.08)


def test_first_screen_vgg16_four_tasks(compare, file, tmp_path):
    """From the shell's prompt to all five panes. Read only, so that no engine is left behind to import torch too."""
    screens: list[Terminal] = []

    def first_screen() -> None:
        program = Path(sys.executable).with_name("packnet-tui")
        screens.append(Terminal(program, "open", file, "--readonly", cwd=tmp_path, columns=120, rows=40))
        for text in ("Occupancy", "classifier.3", "flowers", "leave"):
            screens[-1].read_until(text)

    def end() -> None:
        for screen in screens:
            os.kill(screen.pid, signal.SIGTERM)
            screen.wait()
        screens.clear()

    compare(first_screen, import_torch, bar=0.35, aim=0.2, before=end)
    end()
