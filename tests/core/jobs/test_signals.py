"""Ctrl-C and SIGTERM in a script that uses the API: the job stops after its step and can be resumed."""

import signal
import subprocess
import sys

import pytest

import packnet_core
from packnet_core.jobs import journal
from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import JobFinished
from tests.worlds import images, pack_file

SCRIPT = """
import sys
import packnet_core
from packnet_core.schema.events import TrainStep

steps = []

def listen(event):
    if isinstance(event, TrainStep):
        steps.append(event)
        if len(steps) == 3:
            print("trains", flush=True)

try:
    packnet_core.open(sys.argv[1], listen=listen).add("one", sys.argv[2], epochs=2000, batch_size=16)
except KeyboardInterrupt:
    print("KeyboardInterrupt", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_and_a_last_event_and_then_acts(tmp_path, number):
    path, data = pack_file(tmp_path / "net.safetensors"), images(tmp_path / "data.npz")
    script = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path), str(data)], stdout=subprocess.PIPE, text=True)
    assert script.stdout.readline() == "trains\n"
    script.send_signal(number)
    rest, _ = script.communicate(timeout=60)
    if number == signal.SIGINT:
        assert (rest, script.returncode) == ("KeyboardInterrupt\n", 0)
    else:
        assert (rest, script.returncode) == ("", -number)
    last = journal.read(Paths(path).journal)[-1].event
    assert isinstance(last, JobFinished)
    assert last.outcome == "stopped"
    assert unfinished(Paths(path), read_header(path).document).checkpoint
    assert packnet_core.open(path).document.tasks == ()
