"""Every kind of event as a line, or without a line."""

import pytest

from packnet_core.schema.commands import Add
from packnet_core.schema.document import Error
from packnet_core.schema.events import (
    Checked,
    Compared,
    EngineLeft,
    EngineStarted,
    Entry,
    Epoch,
    Evaluated,
    GivenUp,
    Hardness,
    JobFinished,
    JobQueued,
    JobStarted,
    Note,
    Occupancy,
    PhaseStarted,
    Previewed,
    Progress,
    Pruned,
    Resumed,
    Saved,
    TrainStep,
    Undone,
)
from packnet_core.schema.events import Event as AnyEvent
from packnet_tui.state.event_lines import line
from packnet_tui.state.format import duration, file_size

ADD = Add(task="cubs", data="d.npz", prune=0.75)
EPOCH = Epoch(
    phase="train",
    task="cubs",
    epoch=3,
    epochs=20,
    step=60,
    loss=0.41237,
    error=14.2,
    validation_loss=0.5,
    validation_error=15.9,
    seconds=12.34,
)
LINES = [
    (EngineStarted(pid=7), "engine 7 started"),
    (EngineLeft(pid=7, reason="idle, and no client is connected"), "engine 7 ended: idle, and no client is connected"),
    (JobQueued(command=ADD), "job 4 is queued: add cubs --prune 0.75"),
    (JobStarted(command=ADD, pid=7, device="cpu"), "job 4 starts on cpu: add cubs --prune 0.75"),
    (PhaseStarted(phase="train", task="cubs", epochs=20, images=5400), "training cubs: 20 epochs of 5,400 images"),
    (PhaseStarted(phase="train", task="cubs", epochs=1, images=54), "training cubs: 1 epoch of 54 images"),
    (
        PhaseStarted(phase="retrain", task="cubs", epochs=10, images=54, epoch=3, before=12.0),
        "retraining cubs: 10 epochs of 54 images, resumed in epoch 3",
    ),
    (
        PhaseStarted(phase="train", task="cubs", epochs=3, images=54, epoch=4),
        "training cubs: 3 epochs of 54 images, already done",
    ),
    (Resumed(task="cubs", command=ADD), "resuming add cubs --prune 0.75"),
    (GivenUp(task="cubs", command=ADD), "the interrupted job, add cubs --prune 0.75, is given up"),
    (PhaseStarted(phase="eval", task="cubs", epochs=0, images=54), None),
    (Occupancy(task="cubs", phase="trained", layers={"a": [1]}), None),
    (
        TrainStep(task="cubs", epoch=1, step=1, steps=9, loss=1, error=50, lr=0.1, images_per_second=9, seconds_left=9),
        None,
    ),
    (EPOCH, "train cubs  3/20  loss 0.4124  training error  14.20 %  validation error  15.90 %  12.3 s"),
    (
        Pruned(task="cubs", ratio=0.75, freed=3000, kept=1000, before=12, after=34.5),
        "pruned cubs at 0.75: 3,000 weights freed, 1,000 kept; validation error 12.00 % → 34.50 %",
    ),
    (
        Pruned(task="cubs", ratio=0.5, freed=3, kept=3, before=None, after=None),
        "pruned cubs at 0.5: 3 weights freed, 3 kept",
    ),
    (
        Previewed(task="cubs", ratio=0.75, error=31.5, images=1000),
        "cubs pruned at 0.75: error 31.50 % on 1,000 images, before any retraining",
    ),
    (Checked(task="cubs", ok=True), None),
    (Checked(task="cubs", ok=False), "cubs: what it uses does not fit its digest"),
    (Progress(task="cubs", done=1, images=2), None),
    (
        Evaluated(task="cubs", error=Error(top1=12.345, top5=1, images=1000), loss=1, seconds=1),
        "cubs: test error 12.35 %, top-5 error 1.00 %, on 1,000 images",
    ),
    (
        Evaluated(task="cubs", error=Error(top1=12.3, top5=None, images=10), loss=1, seconds=1),
        "cubs: test error 12.30 % on 10 images",
    ),
    (
        Evaluated(task="cubs", error=Error(top1=12.3, top5=2.0, images=500), loss=1, seconds=1, of=5794),
        "cubs: test error ≈ 12.30 %, top-5 error 2.00 %, on 500 of 5,794 images",
    ),
    (
        Compared(task="cubs", baseline="individual", error=Error(top1=12.3, top5=None, images=10)),
        "cubs: test error 12.30 % by an Individual Network",
    ),
    (
        Compared(task="cubs", baseline="lwf", error=Error(top1=12.3, top5=None, images=10), after="cars"),
        "cubs: test error 12.30 % by Learning without Forgetting, after cars was added",
    ),
    (
        Hardness(
            name="cubs",
            data="d",
            classes=200,
            validation_error=44.25,
            chance=99.5,
            error=Error(top1=45, top5=None, images=10),
        ),
        "cubs: validation error 44.25 % with a new head, chance 99.50 %, 200 classes",
    ),
    (
        Hardness(
            name="cubs",
            data="d",
            classes=2,
            validation_error=None,
            chance=50,
            error=Error(top1=45, top5=None, images=10),
        ),
        "cubs: test error 45.00 % with a new head, chance 50.00 %, 2 classes",
    ),
    (Saved(bytes=571_000_000), "file saved, 571.0 MB"),
    (Undone(task="cubs", bytes=571_000_000), "cubs is back, as it was before the drop; 571.0 MB"),
    (Note(text="going on"), "going on"),
    (Note(text="odd", level="warning"), "warning: odd"),
    (JobFinished(outcome="done", message="add cubs: done", seconds=65, status=0), "add cubs: done in 1 min 05 s"),
    (JobFinished(outcome="failed", message="no such data", seconds=65, status=2), "no such data"),
]


@pytest.mark.parametrize(("event", "text"), LINES)
def test_line(event, text):
    assert line(Entry(at=0, job=4, event=event)) == text


def test_every_kind_of_event_is_tried():
    assert {type(event) for event, _ in LINES} == set(AnyEvent.__args__)


def test_no_control_codes_from_any_name():
    text = line(Entry(at=0, job=1, event=Note(text="a\x1b[2Jb\nc\u202e")))
    assert text == r"a\x1b[2Jb\nc\u202e"


def test_sizes_and_durations():
    assert [file_size(n) for n in (999, 1000, 33_600_000, 7e12)] == ["999 bytes", "1.0 kB", "33.6 MB", "7000.0 GB"]
    assert [duration(s) for s in (3.21, 125, 3725)] == ["3.2 s", "2 min 05 s", "1 h 02 min"]
