"""`packnet baseline` on the command line."""

import json

import pytest

from packnet_core.schema.events import Entry, PhaseStarted, Progress
from packnet_tui.cli.main import packnet
from packnet_tui.cli.output.progress import Bars
from tests.worlds import add, images, pack_file, work


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("baseline")
    found = pack_file(folder / "net.safetensors")
    for seed, name in enumerate(("first", "second")):
        work(found, add(name, images(folder / f"{name}.npz", seed=seed)))
    return found


def test_the_errors_are_printed_with_the_method_by_name(path, capsys):
    assert packnet(["baseline", "lwf", str(path), "--epochs", "1"]) == 0
    lines = capsys.readouterr().out
    assert "% by Learning without Forgetting, after second" in lines
    assert "first: test error" in lines


def test_every_event_is_a_line_of_json(path, capsys):
    assert packnet(["baseline", "classifier", str(path), "second", "--json"]) == 0
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    (compared,) = [event for event in events if event["type"] == "compared"]
    assert compared["task"] == "second"
    assert 0 <= compared["error"]["top1"] <= 100


def test_an_unknown_method_is_refused(path, capsys):
    assert packnet(["baseline", "magic", str(path)]) == 2
    assert "magic" in capsys.readouterr().err


def test_the_bar_of_a_comparison_stays_one(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    bars = Bars()
    for event in (
        PhaseStarted(phase="compare", task="cars", epochs=0, images=40),
        Progress(task="cars", done=20, images=40),
        Progress(task="cars", done=5794, images=5794),
    ):
        bars.show(Entry(at=0.0, job=1, event=event))
    bars.close()
    shown = capsys.readouterr().out
    assert "comparing cars" in shown
    assert "evaluating" not in shown


def test_inspect_shows_the_comparison(path, capsys):
    assert packnet(["baseline", "individual", str(path), "second", "--epochs", "1", "--json"]) == 0
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    (found,) = [event["error"] for event in events if event["type"] == "compared"]
    assert packnet(["inspect", str(path), "--json"]) == 0
    second = json.loads(capsys.readouterr().out)["tasks"][1]
    assert found.items() <= second["comparisons"]["individual"].items()
