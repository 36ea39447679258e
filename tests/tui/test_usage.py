"""How busy the job's device is."""

import os
import re

from packnet_core.commands import Evaluate
from packnet_core.engine.places import Places
from packnet_core.events import JobStarted
from packnet_tui.usage import Meter
from tests.tui.made_up import append, entries, running
from tests.tui.still import opened


def test_a_process_is_measured_from_the_second_look_on():
    meter = Meter()
    assert meter.read("cpu", os.getpid()) == ""
    assert re.fullmatch(r"cpu \d+ %  \d+\.\dG", meter.read("cpu", os.getpid()))


def test_a_process_that_is_gone_is_no_error():
    assert Meter().read("cpu", 2**22 + 1) == ""


def test_without_an_answering_gpu_the_process_is_measured():
    meter = Meter()
    meter.read("cuda:7", os.getpid())
    assert meter.read("cuda:7", os.getpid()).startswith("cpu ")


async def test_the_status_line_tells(tmp_path):
    path = running(tmp_path / "model.safetensors")
    append(path, entries([JobStarted(command=Evaluate(), pid=os.getpid(), device="cpu")], job=9))
    with Places(path).locked():
        async with opened(path) as desk:
            await desk.until(lambda: re.search(r"cpu \d+ %", desk.text().splitlines()[0]))
