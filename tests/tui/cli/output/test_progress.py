"""Progress without a terminal: a line for each event, and a sign of life in between."""

import pytest

from packnet_core.schema.commands import Compare
from packnet_core.schema.events import Entry, JobStarted, Note, PhaseStarted, Progress, TrainStep
from packnet_tui.cli.output import progress
from packnet_tui.cli.output.progress import Lines

STEP = TrainStep(task="one", epoch=2, step=5, steps=9, loss=1.25, error=5, lr=0.1, images_per_second=9, seconds_left=70)


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def shown(lines, clock, capsys, seconds, event):
    clock[0] += seconds
    lines.show(Entry(at=clock[0], job=1, event=event))
    return capsys.readouterr().out


def test_a_log_shows_life_every_so_many_seconds(clock, capsys):
    lines = Lines(30)
    assert shown(lines, clock, capsys, 0, PhaseStarted(phase="train", task="one", epochs=3, images=9))
    assert shown(lines, clock, capsys, 29, STEP) == ""
    assert shown(lines, clock, capsys, 1, STEP) == "train one 2/3 loss 1.250 error 5.0 % 9 img/s ETA 01:10\n"
    assert shown(lines, clock, capsys, 20, STEP) == ""
    assert shown(lines, clock, capsys, 5, Note(text="said")) == "said\n"
    assert shown(lines, clock, capsys, 29, STEP) == ""  # 30 s after any line
    assert (
        shown(lines, clock, capsys, 1, Progress(task="one", done=1000, images=2000))
        == "evaluating one: 1,000 of 2,000 images\n"
    )


def test_every_step_has_a_line_if_the_interval_is_zero(clock, capsys):
    lines = Lines(0)
    assert all(shown(lines, clock, capsys, 0, STEP) for _ in range(3))


def test_an_evaluation_and_a_comparison_say_what_their_numbers_are_and_how_long_they_take(clock, capsys):
    lines = Lines(0)
    shown(lines, clock, capsys, 0, JobStarted(command=Compare(baseline="individual"), pid=7, device="cpu"))
    shown(lines, clock, capsys, 0, PhaseStarted(phase="compare", task="one", epochs=8, images=400, part=2, parts=3))
    quarter = Progress(task="one", done=104, images=400, epoch=3, epochs=8)
    said = shown(lines, clock, capsys, 1, quarter)
    assert said == "comparing one with individual (2 of 3): 26 % done, epoch 3 of 8, ETA 00:03\n"
    shown(lines, clock, capsys, 0, PhaseStarted(phase="eval", task="one", epochs=0, images=2000))
    said = shown(lines, clock, capsys, 1, Progress(task="one", done=1000, images=2000))
    assert said == "comparing one with individual: testing, 1,000 of 2,000 images, ETA 00:01\n"
