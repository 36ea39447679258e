"""What an open screen costs while its file is being trained: its own CPU time, and what it sends to the terminal."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from packnet_core.engine import client
from packnet_core.events import TrainStep
from packnet_core.records import Recipe
from tests.cli.terminal import Terminal
from tests.waiting import until_event
from tests.worlds import add, images, pack_file

SECONDS = 20.0


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def costs(tmp_path_factory) -> tuple[float, float]:
    """CPU seconds a second, and bytes a second, of a screen of 120×40 that watches ResNet-20 being trained."""
    folder = tmp_path_factory.mktemp("screen")
    path = pack_file(folder / "net.safetensors", "cifar_resnet20", size=32, channels=3)
    data = images(folder / "data.npz", classes=10, train=2000, test=200, size=32, channels=3)
    with client.start(path) as engine:
        job = engine.submit(add("cars", data, recipe=Recipe(epochs=1000)))
        program = Path(sys.executable).with_name("packnet-tui")
        screen = Terminal(program, "open", path, cwd=folder, columns=120, rows=40)
        screen.read_until("TRAIN")
        until_event(path, TrainStep, job, count=20)
        threading.Thread(target=screen.wait, daemon=True).start()  # reads all that is drawn
        cpu, sent, begun = cpu_seconds(screen.pid), len(screen.output), time.perf_counter()
        time.sleep(SECONDS)
        seconds = time.perf_counter() - begun
        cost = (cpu_seconds(screen.pid) - cpu) / seconds, (len(screen.output) - sent) / seconds
        screen.type("q")
        engine.leave()
    return cost


def test_screen_cpu_seconds_a_second_while_training(note, costs):
    note(costs[0], bar=0.08, aim=0.03)


def test_terminal_kilobytes_a_second_while_training(note, costs):
    note(costs[1] / 1000, bar=10, aim=3)
