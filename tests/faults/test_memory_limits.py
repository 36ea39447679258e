"""Memory that is used up and numbers that overflow: one clear line."""

import subprocess
import sys

import pytest
import torch
from msgspec.structs import replace

from packnet_core.errors import Diverged
from packnet_core.jobs import run_job
from packnet_core.jobs.session import Session
from packnet_core.packfile.header import read_header
from tests.worlds import QUICK, add, images, pack_file, work

LIMITED = """
import resource, sys
from packnet_core.jobs.run_job import run
from packnet_core.schema.events import TrainStep
from tests.worlds import add
import torch
for entry in run(sys.argv[1], add("one", sys.argv[2])):
    if isinstance(entry.event, TrainStep) and entry.event.step == 1:
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 1_000_000, used + 1_000_000))
        before = torch.nn.functional.cross_entropy
        def large(*args, **kwargs):
            torch.empty(1 << 30)
        torch.nn.functional.cross_entropy = large
print(entry.event.outcome, entry.event.message)
"""


def test_a_limit_of_memory_ends_a_job_with_a_clear_line(path, data):
    before = path.read_bytes()
    command = [sys.executable, "-c", LIMITED, str(path), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith("failed this machine's memory is used up"), done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("can't start new thread"),
    ],
)
def test_every_error_that_means_used_up_memory_is_one_clear_line(path, data, error, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(Session, "new_data", fail)
    end = list(run_job.run(path, add("one", data)))[-1].event
    assert "memory is used up" in end.message
    assert "defect" not in end.message
    assert "Traceback" not in capsys.readouterr().err


def test_other_errors_stay_defects(path, data, monkeypatch):
    def fail(*_):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(Session, "new_data", fail)
    assert "defect" in list(run_job.run(path, add("one", data)))[-1].event.message


def test_a_running_statistic_that_overflows_says_to_lower_the_rate(path, data):
    session = Session(path)
    session.network.open_task(3)
    session.network.rest[next(name for name in session.network.rest if "running_var" in name)][0] = torch.inf
    with pytest.raises(Diverged, match=r"running_var has values .* try a smaller --lr"):
        session.network.end_phase()


def test_a_training_that_diverges_says_so_and_keeps_the_file(path, data):
    before = path.read_bytes()
    end = list(run_job.run(path, add("one", data, recipe=replace(QUICK, lr=1e30))))[-1].event
    assert "--lr" in end.message
    assert path.read_bytes() == before
    assert read_header(path).document.tasks == ()


def test_a_device_out_of_memory_says_what_to_do_and_the_job_can_be_done_so(tmp_path, capsys):
    """The first task is safe: it fails as the job begins, and a smaller batch is what helps."""
    path = pack_file(tmp_path / "net.safetensors", "tests.networks:greedy", 8, 3)
    data = images(tmp_path / "data.npz", channels=3)
    work(path, add("one", data, recipe=replace(QUICK, batch_size=8)))
    before = path.read_bytes()
    end = list(run_job.run(path, add("two", data)))[-1].event
    assert end.outcome == "failed"
    assert "out of memory; try a smaller --batch-size" in end.message
    assert "Traceback" not in capsys.readouterr().err
    assert path.read_bytes() == before
    work(path, add("two", data, recipe=replace(QUICK, batch_size=8), yes=True))
    assert [task.name for task in read_header(path).document.tasks] == ["one", "two"]
