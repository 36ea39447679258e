"""Usage of the job's device."""

import os
import re
from types import SimpleNamespace

import pynvml

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate
from packnet_core.schema.events import JobStarted
from packnet_tui.state.usage import Meter
from tests.tui.made_up import append, entries, running
from tests.tui.still import opened


def test_a_process_is_measured_from_the_second_reading_on():
    meter = Meter()
    assert meter.read("cpu", os.getpid()) == ""
    assert re.fullmatch(r"cpu \d+ %  \d+\.\dG", meter.read("cpu", os.getpid()))


def test_a_process_that_is_gone_is_no_error():
    assert Meter().read("cpu", 2**22 + 1) == ""


def test_without_an_answering_gpu_the_process_is_measured():
    meter = Meter()
    meter.read("cuda:7", os.getpid())
    assert meter.read("cuda:7", os.getpid()).startswith("cpu ")


def test_the_gpu_is_the_one_that_torch_calls_so(monkeypatch):
    """A fake of NVIDIA's library: a machine with four GPUs, of which the job's process sees two."""
    asked = []
    for name, answer in {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetHandleByIndex": lambda index: asked.append(index) or index,
        "nvmlDeviceGetHandleByUUID": lambda name: asked.append(name) or name,
        "nvmlDeviceGetUtilizationRates": lambda _: SimpleNamespace(gpu=87),
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(used=11.2e9, total=80e9),
    }.items():
        monkeypatch.setattr(pynvml, name, answer)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-1f2e")
    assert Meter().read("cuda:0", os.getpid()) == "gpu0 87 %  11.2/80G"
    assert Meter().read("cuda:1", os.getpid()) == "gpu1 87 %  11.2/80G"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    Meter().read("cuda", os.getpid())
    assert asked == [3, "GPU-1f2e", 0]


async def test_the_status_line_shows_the_usage(tmp_path):
    path = running(tmp_path / "model.safetensors")
    append(path, entries([JobStarted(command=Evaluate(), pid=os.getpid(), device="cpu")], job=9))
    with Paths(path).locked():
        async with opened(path) as desk:
            await desk.until(lambda: re.search(r"cpu \d+ %", desk.text().splitlines()[0]))
