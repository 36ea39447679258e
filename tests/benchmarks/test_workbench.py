"""The workbench while its file is trained: its CPU time, its terminal output, how soon it answers a key.

Also how soon an evaluation shows progress on a warm engine.
"""

import os
import random
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from packnet_core.engine import client
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.events import JobFinished, TrainStep
from packnet_core.schema.recipes import Recipe
from tests.tui.cli.terminal import Terminal
from tests.waiting import until_event
from tests.worlds import add, images, pack_file, work

SECONDS = 20.0
KEYS = 400  # so that the 99th percentile is the fourth worst


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def screen_while_training(folder: Path, others: int = 0):
    """A workbench of 120×40 that watches ResNet-20 being trained, with some other files open."""
    path = pack_file(folder / "net.safetensors", "cifar_resnet20", size=32, channels=3)
    more = [path.with_name(f"{i}.safetensors") for i in range(others)]
    for other in more:
        other.write_bytes(path.read_bytes())
    data = images(folder / "data.npz", classes=10, train=2000, test=200, size=32, channels=3)
    with client.start(path) as engine:
        job = engine.submit(add("cars", data, recipe=Recipe(epochs=1000)))
        try:
            screen = opened(path, folder, *more)
            screen.read_until("TRAIN")
            until_event(path, TrainStep, job, count=20)
            yield screen
            screen.type("q")
        finally:
            engine.leave()


def opened(path: Path, folder: Path, *more: Path) -> Terminal:
    program = Path(sys.executable).with_name("packnet-tui")
    return Terminal(program, "open", path, *more, cwd=folder, columns=120, rows=40)


def seconds_until(screen: Terminal, key: str, shown: str) -> float:
    """From a key press until a text is drawn."""
    screen.output = b""
    begun = time.perf_counter()
    screen.type(key)
    screen.read_until(shown)
    return time.perf_counter() - begun


def costs_of(screen: Terminal) -> tuple[float, float]:
    """CPU seconds per second, and terminal bytes per second."""
    threading.Thread(target=screen.wait, daemon=True).start()  # reads all that is drawn
    cpu, sent, begun = cpu_seconds(screen.pid), len(screen.output), time.perf_counter()
    time.sleep(SECONDS)
    seconds = time.perf_counter() - begun
    return (cpu_seconds(screen.pid) - cpu) / seconds, (len(screen.output) - sent) / seconds


@pytest.fixture(scope="module")
def costs(tmp_path_factory) -> tuple[float, float]:
    with screen_while_training(tmp_path_factory.mktemp("screen")) as screen:
        return costs_of(screen)


def test_screen_cpu_seconds_a_second_while_training(note, costs):
    note(costs[0], bar=0.08, aim=0.03)


def test_screen_cpu_seconds_a_second_with_ten_files_of_which_one_is_trained(note, tmp_path):
    with screen_while_training(tmp_path, others=9) as screen:
        note(costs_of(screen)[0], bar=0.08, aim=0.03)


def test_terminal_kilobytes_a_second_while_training(note, costs):
    note(costs[1] / 1000, bar=10, aim=3)


def test_key_to_answer_ms_p99_while_training(note, tmp_path):
    """Keys at random times, each after the answer to the one before: to the last layer, back to the first."""
    pauses = random.Random(0)
    with screen_while_training(tmp_path) as screen:
        seconds = []
        for i in range(KEYS):
            time.sleep(pauses.uniform(0, 0.1))
            seconds.append(seconds_until(screen, *(("G", "layer3.2.conv2.weight"), ("g", " conv1.weight"))[i % 2]))
    note(1000 * statistics.quantiles(seconds, n=100)[98], bar=50)


def test_evaluation_key_to_first_progress_s_on_a_warm_engine(note, tmp_path):
    path = pack_file(tmp_path / "net.safetensors", "cifar_resnet20", size=32, channels=3)
    data = images(tmp_path / "data.npz", classes=10, train=100, test=2000, size=32, channels=3)
    work(path, add("cars", data, recipe=Recipe(epochs=1, retrain_epochs=1)))
    with client.start(path) as engine:
        until_event(path, JobFinished, engine.submit(Evaluate()))
        screen = opened(path, tmp_path)
        screen.read_until("idle")
        seconds = []
        for _ in range(9):
            seconds.append(seconds_until(screen, "e", "2,000 images"))
            screen.read_until("idle")
        screen.type("q")
        engine.leave()
    note(statistics.median(seconds), bar=0.3)
