"""The workbench while its file is trained: its CPU time, its terminal output, how soon it answers a key.

Also how soon `a` opens its form, on idle and on busy cores, in a warm screen and for the first time; and how soon an
evaluation shows progress on a warm engine.
"""

import os
import random
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from packnet_core.engine import client
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.events import JobFinished, TrainStep
from packnet_core.schema.recipes import Recipe
from tests.tui.cli.terminal import Terminal
from tests.tui.made_up import at_rest
from tests.waiting import until_event
from tests.worlds import add, images, pack_file, work

SECONDS = 20.0
KEYS = 400  # so that the 99th percentile is the fourth worst
OPENINGS = 9
SETTLED, STILL = 1.5, 0.3  # seconds in which nothing is drawn after the first screen, and after a dialog
PROGRAM = Path(sys.executable).with_name("packnet-tui")
WITHOUT_ENGINE = """
import sys
from pathlib import Path
import packnet_tui.workbench.open_command
from tests.tui.still import Still
Still(Path(sys.argv[1])).run()
"""


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
    return Terminal(PROGRAM, "open", path, *more, cwd=folder, columns=120, rows=40)


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


FORM, HELP = ("a", "train only these layers", "\x03"), ("?", "to the pane on the left", "?")


@contextmanager
def resting_screen(folder: Path):
    """A workbench of 120×40 in which nothing happens, and in which no dialog was opened yet."""
    folder.mkdir(exist_ok=True)
    path = at_rest(folder / "model.safetensors")
    root = Path(__file__).parents[2]
    screen = Terminal(sys.executable, "-c", WITHOUT_ENGINE, path, cwd=root, columns=120, rows=40)
    screen.read_until("leave")
    screen.read_until_still(SETTLED)
    try:
        yield screen
    finally:
        screen.type("q")
        screen.wait()


@contextmanager
def busy_cores():
    """A process per core that computes all the time."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def seconds_to_open(screen: Terminal, key: str, shown: str, close: str) -> float:
    """From a key press until its dialog is drawn; the dialog is closed again."""
    taken = seconds_until(screen, key, shown)
    screen.read_until_still(STILL)
    screen.type(close)
    screen.read_until_still(STILL)
    return taken


def form_and_help(folder: Path, first: bool = False) -> tuple[float, float]:
    """Median seconds to the form and to the help, in turn; `first`: each in a screen of its own."""
    times: dict[tuple[str, str, str], list[float]] = {FORM: [], HELP: []}
    if first:
        for i in range(2 * OPENINGS):
            with resting_screen(folder / str(i)) as screen:
                times[(FORM, HELP)[i % 2]].append(seconds_to_open(screen, *(FORM, HELP)[i % 2]))
    else:
        with resting_screen(folder) as screen:
            for i in range(2 * (2 * OPENINGS + 1)):
                times[(FORM, HELP)[i % 2]].append(seconds_to_open(screen, *(FORM, HELP)[i % 2]))
        times = {dialog: taken[1:] for dialog, taken in times.items()}  # the first is another case
    form, help = (statistics.median(times[dialog]) for dialog in (FORM, HELP))
    return form, help


@pytest.fixture(scope="module", params=["idle", "busy"])
def cores(request):
    with busy_cores() if request.param == "busy" else nullcontext():
        yield request.param


@pytest.fixture(scope="module", params=["warm", "first"])
def openings(request, cores, tmp_path_factory) -> tuple[str, float, float]:
    """How busy the cores are, and the seconds to the form and to the help."""
    return cores, *form_and_help(tmp_path_factory.mktemp("openings"), first=request.param == "first")


def test_add_key_to_form_ms(note, openings):
    cores, form, _ = openings
    note(1000 * form, bar=150 if cores == "busy" else 80, aim=80 if cores == "busy" else 60)


def test_add_key_to_form_over_help(note, openings):
    """The help is one text: what remains is the form's own cost. A machine that is loaded changes both."""
    _, form, help = openings
    note(form / help, bar=1.5, aim=1.2)


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
