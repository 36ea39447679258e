"""What a shell may do to a program: closed streams, a pipe that is read no further, no home, odd file names."""

import os
import shutil
import subprocess
import sys

import pytest

from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from tests.tui.cli.conftest import one_line
from tests.worlds import add, images, pack_file, work

PACKNET = f"{sys.executable} -m packnet_tui.cli.main"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    path = pack_file(folder / "net.safetensors")
    work(path, add("one", images(folder / "data.npz")))
    return path


@pytest.fixture
def path(made, tmp_path):
    return shutil.copy(made, tmp_path / "net.safetensors")


def shell(line, path, **environment):
    env = {**os.environ, **{k: v for k, v in environment.items() if v is not None}}
    env = {name: value for name, value in env.items() if name not in environment or environment[name] is not None}
    line = line.replace("PACKNET", PACKNET).replace("FILE", f"'{path}'")
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, errors="replace", env=env)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def more(*values):
    """Values that only `pytest -m faults` tries: each starts processes."""
    return [pytest.param(value, marks=pytest.mark.faults) for value in values]


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", *more(">&-", "2>&-", "<&-", ">&- 2>&-")])
def test_closed_streams_are_no_matter(path, closed):
    for words in ("inspect FILE", "train FILE --epochs 1"):
        done = shell(f"PACKNET {words} {closed}", path)
        assert done.returncode == 0, done.stderr
    assert len(read_header(path).document.history) == 4
    assert all(checked.ok for checked in verify(path))
    assert shell(f"PACKNET drop FILE one {closed}", path).returncode == 2


def test_a_pipe_that_is_read_no_further_lets_the_job_come_to_its_end(path):
    done = shell("set -o pipefail; PACKNET train FILE --epochs 30 --json | head -1", path)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert len(read_header(path).document.history) == 4
    assert all(checked.ok for checked in verify(path))


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": None, "XDG_STATE_HOME": None}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        *more({"HOME": "/proc/nowhere", "XDG_STATE_HOME": None}, {"TMPDIR": "/nowhere"},
              {"XDG_RUNTIME_DIR": "/nowhere"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"TERM": None, "COLUMNS": "0"}),
    ],
    ids=lambda e: "-".join(e),
)  # fmt: skip
def test_any_environment_will_do(path, environment):
    done = shell("PACKNET train FILE --epochs 1", path, **environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name",
    ["new\nline", "-x", "b\udcff", "l" * 232, *more("a b", "semi;colon", "é" * 60, "*", "\x1b[31m", ".hidden", "a.b")],
)
def test_a_file_may_have_any_name(made, tmp_path, name):
    path = shutil.copy(made, tmp_path / f"{name}.safetensors")
    done = subprocess.run(
        [*PACKNET.split(), "train", str(path), "--epochs", "1"], capture_output=True, text=True, errors="replace"
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert all(checked.ok for checked in verify(path))


def test_a_name_too_long_to_be_saved_again_is_said_before_the_work(made, tmp_path):
    path = shutil.copy(made, tmp_path / f"{'l' * 243}.safetensors")
    done = subprocess.run([*PACKNET.split(), "train", str(path), "--epochs", "1"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "rename it to at most 245 bytes" in one_line(done.stderr)
    assert subprocess.run([*PACKNET.split(), "eval", str(path)], capture_output=True).returncode == 0


@pytest.mark.parametrize("command", ["inspect", "eval", "train", "watch", "verify", "stop"])
def test_a_folder_with_the_name_of_a_file_is_said_in_a_line(tmp_path, command):
    (tmp_path / "net.safetensors").mkdir()
    done = shell(f"PACKNET {command} FILE", tmp_path / "net.safetensors")
    if command != "stop":
        assert done.returncode == 2
        assert "can't be read" in one_line(done.stderr)
    assert not Paths(tmp_path / "net.safetensors").folder.exists()
