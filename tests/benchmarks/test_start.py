"""How soon the user sees something, against `python -c "import torch"` in its own process."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.benchmarks.measure import packnet, python
from tests.tui.cli.terminal import Terminal


def import_torch() -> None:
    python("-c", "import torch")


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["table", "json"])
def test_inspect_vgg16_four_tasks(compare, file, options):
    compare(lambda: packnet("inspect", file, *options), import_torch, bar=0.15, aim=0.08)


def test_first_screen_vgg16_four_tasks(compare, file, tmp_path):
    """From the command to all five panes. Read-only, so that no engine imports torch at the same time."""
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

    compare(first_screen, import_torch, bar=0.3, aim=0.2, before=end)
    end()
