"""No program and no process that it starts takes code from the current folder."""

import os
import signal
import subprocess

import pytest

from packnet_core.packfile import trust
from packnet_core.packfile.paths import Paths
from tests.end_to_end.processes import end_engine
from tests.tui.cli.conftest import SCRIPTS, one_line
from tests.tui.cli.terminal import Terminal
from tests.tui.cli.test_paper_command import arguments
from tests.waiting import until
from tests.worlds import images, pack_file

NAMES = (
    "filelock", "msgspec", "torch", "torchvision", "numpy", "signal", "random", "typing", "json", "platformdirs",
    "typer", "textual", "rich", "safetensors", "PIL", "sklearn", "sitecustomize", "usercustomize", "multiprocessing",
    "packnet_core", "packnet_tui", "__main__", "ctypes", "scipy", "pickle",
)  # fmt: skip


@pytest.fixture
def hostile(tmp_path):
    """A folder full of modules that leave a file behind; the current one of this process."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text("import os\nopen(__file__ + '.ran', 'w').close()\nos._exit(3)\n")
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)
    assert not [path.name for path in folder.glob("*.ran")]


def run(*words, **environment):
    program, *rest = map(str, words)
    command = [SCRIPTS / program, *rest]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


def test_the_command_line_and_its_completion(hostile, tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    data = images(tmp_path / "data.npz")
    assert run("packnet", "inspect", path).returncode == 0
    options = ["--epochs", "1", "--retrain-epochs", "1", "--prune", "0.5"]
    done = run("packnet", "add", path, "one", "--data", data, *options)
    assert done.returncode == 0, done.stderr
    words = f"packnet export {path} "
    done = run("packnet", _PACKNET_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")
    assert "one" in done.stdout, done.stderr


def test_the_processes_of_the_paper_s_experiments(hostile, tmp_path):
    done = run("packnet", *arguments(tmp_path, tmp_path / "out", "table2"), "--only", "first*")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out" / "cells").iterdir())


def test_one_of_them_that_is_killed_ends_in_one_line(tmp_path):
    command = [SCRIPTS / "packnet", *arguments(tmp_path, tmp_path / "out", "table2")]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def worker():
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            for child in file.read().split():
                with open(f"/proc/{child}/cmdline", "rb") as line:
                    if b"spawn_main" in line.read():
                        return int(child)
        return None

    os.kill(until(worker, "a worker"), signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "was killed, perhaps for lack of memory" in one_line(err)


def test_the_engine_and_the_screen(hostile, tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    terminal = Terminal(SCRIPTS / "packnet-tui", "open", path, cwd=hostile)
    until(Paths(path).address.exists, "the engine")
    end_engine(path)
    terminal.hang_up()


def test_the_process_that_makes_the_demo_s_file(hostile, tmp_path):
    path = tmp_path / "demo.safetensors"
    terminal = Terminal(SCRIPTS / "packnet-tui", "demo", path, cwd=hostile)
    until(path.exists, "the file")
    until(Paths(path).address.exists, "the engine")
    end_engine(path)
    terminal.hang_up()


def test_the_process_that_tries_a_function(hostile, tmp_path):
    trust.allow(tmp_path / "net.safetensors", "tests.networks:toy")
    assert trust.is_trusted(tmp_path / "other.safetensors", "tests.networks:toy")
