"""Where /dev/shm can't be used: all work is done without it, but for parallel processes, which need it and say so."""

import os
import subprocess
import sys

import pytest

CALLS = """
import sys
from packnet_tui.cli.main import packnet
sys.exit(next(filter(None, (packnet(line.split()) for line in sys.argv[1:])), 0))  # the first status that is not 0
"""
HIDE = 'mount -t tmpfs -o ro none /dev/shm && exec "$@"'


@pytest.fixture(scope="module")
def without():
    """Runs `packnet` in a mount namespace of its own, where /dev/shm is a disk that can't be written."""
    if subprocess.run(["unshare", "-m", "sh", "-c", HIDE, "sh", "true"], capture_output=True, check=False).returncode:
        pytest.skip("hiding /dev/shm needs the right to mount")

    def packnet(folder, *lines):
        call = [sys.executable, "-c", CALLS, *lines]
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", HIDE, "sh", *call], cwd=folder, capture_output=True, text=True, check=False,
            timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    return packnet


def test_tasks_are_added_pruned_and_evaluated_without_a_warning(without, tmp_path):
    done = without(
        tmp_path,
        "new net.safetensors --arch digits_net --input-size 8 --channels 1",
        "add net.safetensors one --data sklearn:digits:0-4 --epochs 1 --prune 0.5 --limit 60",
        "eval net.safetensors",
        "verify net.safetensors",
    )
    assert done.returncode == 0, done.stderr
    assert "arning" not in done.stderr
    assert "/dev/shm" not in done.stderr


def test_parallel_processes_say_that_they_need_it(without, tmp_path):
    line = "paper table2 --first a=sklearn:digits:0-4 --tasks b=sklearn:digits:5-9 --arch digits_net --input-size 8"
    done = without(tmp_path, f"{line} --epochs 1 --out out --no-pictures")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("packnet: no worker process can be started")
    assert "/dev/shm" in done.stderr
    assert "Traceback" not in done.stderr
