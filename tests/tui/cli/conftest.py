import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from packnet_tui.cli.main import packnet
from tests.tui.cli import handmade

SCRIPTS = Path(sys.executable).parent


@pytest.fixture
def file(tmp_path) -> Path:
    return handmade.write(tmp_path / "model.safetensors", handmade.document())


@pytest.fixture
def run(tmp_path):
    """Run a real `packnet` (or another program) to its end, in a temporary folder, without a terminal."""

    def run(*arguments, program="packnet", **environment) -> subprocess.CompletedProcess:
        result = subprocess.run(
            [SCRIPTS / program, *map(str, arguments)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
            env={**os.environ, **environment},
        )
        assert "Traceback" not in result.stderr, result.stderr
        return result

    return run


@pytest.fixture
def here(capsys, monkeypatch):
    """Run `packnet` in this process, so that torch is imported once. Returns stdout and stderr."""
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def here(*arguments, status=0) -> tuple[str, str]:
        got = packnet([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert (got, bool(err)) == (status, status != 0), err
        return out, err

    return here


@pytest.fixture
def begin(tmp_path):
    """Start a real `packnet` and return at once. Processes still running when the test ends are killed."""
    running = []

    def begin(*arguments, **options) -> subprocess.Popen:
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        running.append(subprocess.Popen([SCRIPTS / "packnet", *map(str, arguments)], text=True, cwd=tmp_path, **given))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def one_line(stderr: str) -> str:
    """The one line of an error; fails if there is more."""
    assert stderr.startswith("packnet: "), stderr
    assert stderr.count("\n") == 1, stderr
    return stderr.strip()
