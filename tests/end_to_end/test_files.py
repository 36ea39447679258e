"""Several files in one real workbench: engines only for those that are shown, jobs that go on, the last lines."""

import pytest

from packnet_core.engine import client
from packnet_core.schema.events import JobFinished, TrainStep
from tests.end_to_end.processes import end_engine
from tests.end_to_end.tmux import needs_tmux
from tests.waiting import until, until_event
from tests.worlds import LONG, add, pack_file

pytestmark = needs_tmux


@pytest.fixture
def paths(tmp_path):
    paths = [pack_file(tmp_path / f"{name}.safetensors") for name in "abc"]
    yield paths
    for path in paths:
        end_engine(path)


def test_a_job_is_followed_from_another_file_and_named_when_the_screen_is_left(paths, data, terminal):
    with client.start(paths[1]) as engine:
        job = engine.submit(add("birds", data, recipe=LONG))
        terminal.type(f"packnet-tui open {' '.join(map(str, paths))}; echo status $?")
        terminal.wait_for("runs  train birds")
        until(lambda: client.connect(paths[0]), "the engine of the file that is shown").close()
        assert client.connect(paths[2]) is None
        terminal.press("]")
        terminal.wait_for("TRAIN birds")
        terminal.press("]")
        terminal.wait_for("> 3 c.safetensors")
        terminal.press("q")
        shown = terminal.wait_for("status 0").replace("\n", "")
        assert "b.safetensors: add birds --prune 0.5 continues without this screen" in shown
        told = "".join(shown.split())  # a line ends where a blank was
        assert f"openthemwith:packnet-tuiopen{''.join(map(str, paths))}" in told
        assert engine.status().job == job
        assert until_event(paths[1], TrainStep, job)


def test_a_command_in_one_file_and_its_end_is_told_in_the_other(paths, data, terminal):
    terminal.type(f"packnet-tui open {paths[0]} {paths[1]}; echo status $?")
    terminal.wait_for("> 1 a.safetensors")
    terminal.press("]")
    terminal.wait_for("> 2 b.safetensors")
    terminal.press("-l", f":add birds --data {data} --epochs 1 --lr 0.05\r")
    job = until_event(paths[1], JobFinished)
    assert job.event.outcome == "done", job.event.message
    terminal.press("-l", ":prune 0.5 --retrain-epochs 3\r[")
    terminal.wait_for("> 1 a.safetensors")
    terminal.wait_for("b.safetensors: prune 0.5 is done")
    terminal.press("q")
    assert "continues" not in terminal.wait_for("status 0")
