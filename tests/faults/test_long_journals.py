"""Long and absurd journals: shortened between jobs, read in bounded memory, shown without a crash."""

import time
import tracemalloc
from contextlib import closing

import msgspec
import pytest
from msgspec.structs import replace

from packnet_core.jobs import journal, rotation
from packnet_core.jobs.history import fold, read_history
from packnet_core.jobs.journal import UNTHINNED, Journal, Reader
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Drop, Evaluate, Train
from packnet_core.schema.document import MOST_STEPS, Error, Step, shortened
from packnet_core.schema.events import (
    Checked,
    Compared,
    Entry,
    Epoch,
    Evaluated,
    Hardness,
    JobFinished,
    JobQueued,
    JobStarted,
    Note,
    PhaseStarted,
    Progress,
    TrainStep,
)
from packnet_tui.cli.output.inspect_report import print_inspection
from packnet_tui.state import format
from packnet_tui.state.story import Story
from packnet_tui.state.watch import Watch
from tests.worlds import add, images, pack_file, work

STEP = TrainStep(task="one", epoch=1, step=1, steps=9, loss=1, error=5, lr=0.1, images_per_second=9, seconds_left=9)
ERROR = Error(top1=3.0, top5=None, images=10)


def line(event, job=1, at=1.0):
    return msgspec.json.encode(Entry(at=at, job=job, event=event)) + b"\n"


def training(job, at, steps):
    """The lines of a job that trains a task."""
    lines = [line(JobStarted(command=Add(task="one", data="/x"), pid=1, device="cpu"), job, at)]
    lines.append(line(PhaseStarted(phase="train", task="one", epochs=1, images=9), job, at))
    lines += [line(replace(STEP, step=i + 1, steps=steps, loss=float(i)), job, at) for i in range(steps)]
    end = Epoch(phase="train", task="one", epoch=1, epochs=1, step=steps, loss=1, error=2, validation_loss=1,
                validation_error=float(job), seconds=1)  # fmt: skip
    lines += [line(end, job, at), line(JobFinished(outcome="done", message="done", seconds=1, status=0), job, at)]
    return lines


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def shortened_journal(path, lines, monkeypatch, largest=1000):
    """Write these lines and have them shortened; the journal afterwards."""
    monkeypatch.setattr(rotation, "LARGEST", largest)
    path.write_bytes(b"".join(lines))
    reader = Reader(path)
    reader.poll()
    with closing(Journal(path)) as writer:
        rotation.shorten(writer)
        writer.write(Note(text="after it"))
    entries = reader.poll()
    assert reader.starts == 2
    assert entries[-1].event == Note(text="after it")
    return entries[:-1]


def test_a_short_journal_stays_as_it_is(path):
    path.write_bytes(b"".join(training(1, 1.0, 500)))
    before = path.read_bytes()
    with closing(Journal(path)) as writer:
        rotation.shorten(writer)
    assert path.read_bytes() == before


def test_most_steps_of_finished_jobs_are_left_out_and_the_rest_stays(path, monkeypatch):
    lines = [*training(1, 1.0, 1000), *training(2, 2.0, 50), line(Progress(task="one", done=1, images=2), 2)]
    lines.append(line(JobQueued(command=Train()), 3))
    before = [msgspec.json.decode(text, type=Entry) for text in lines]
    after = shortened_journal(path, lines, monkeypatch, largest=150_000)
    steps = [entry for entry in after if isinstance(entry.event, TrainStep)]
    assert 100 <= sum(entry.job == 1 for entry in steps) <= rotation.STEPS
    assert sum(entry.job == 2 for entry in steps) == 50
    frequent = (TrainStep, Progress)
    assert [e for e in after if not isinstance(e.event, frequent)] == [
        e for e in before if not isinstance(e.event, frequent)
    ]
    assert fold(after).runs == fold(before).runs
    assert fold(after).queue == fold(before).queue
    curves = [Story() for _ in range(2)]
    for story, entries in zip(curves, (before, after), strict=True):
        story.read(entries)
    whole, thin = (story.run_curves.all()[1] for story in curves)
    assert thin.validation_error == whole.validation_error
    assert abs(thin.loss[-1].high - whole.loss[-1].high) < 20


def hardness(name, error):
    return Hardness(name=name, data="/d", classes=9, validation_error=error, error=ERROR, chance=90.0)


def test_of_the_oldest_runs_the_newest_results_stay(path, monkeypatch):
    monkeypatch.setattr(rotation, "MOST_RUNS", 20)
    lines = [
        *training(1, 1.0, 900),
        line(Evaluated(task="one", error=ERROR, loss=1, seconds=1), 1, 2.0),
        line(Evaluated(task="one", error=replace(ERROR, top1=7.0), loss=1, seconds=1), 1, 3.0),
        line(Evaluated(task="one", error=replace(ERROR, images=2), loss=1, seconds=1, of=9), 1, 3.5),
        line(Compared(task="one", baseline="lwf", error=ERROR), 1, 4.0),
        line(Checked(task="one", ok=True), 1, 5.0),
        line(hardness("cars", 30.0), 1, 6.0),
        line(hardness("cars", 40.0), 1, 7.0),
    ]
    for job in range(2, 40):
        lines.append(line(JobStarted(command=Evaluate(), pid=1, device="cpu"), job, job * 10.0))
        lines.append(line(JobFinished(outcome="done", message="done", seconds=1, status=0), job, job * 10.0))
    before = fold(msgspec.json.decode(text, type=Entry) for text in lines)
    entries = shortened_journal(path, lines, monkeypatch, largest=len(b"".join(lines)) - 1)
    after = fold(entries)
    assert (after.evaluations, after.samples, after.comparisons, after.checked) == (
        before.evaluations, before.samples, before.comparisons, before.checked,
    )  # fmt: skip
    assert after.hardness == before.hardness == {"cars": hardness("cars", 40.0)}
    assert len(entries) == 3 + 5 + 2 * 20  # the old job that added the task, its results, the newest runs
    assert after.runs[-20:] == before.runs[-20:]
    train = Entry(at=999.0, job=50, event=JobStarted(command=Train(), pid=1, device="cpu"))
    assert fold([*entries, train]).running.recipe is not None  # known from the job that added the task


def test_a_journal_that_the_disk_does_not_let_be_shortened_stays(path, monkeypatch):
    monkeypatch.setattr(rotation, "LARGEST", 1000)
    path.write_bytes(b"".join(training(1, 1.0, 500)))
    before = path.read_bytes()

    def refuse(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("packnet_core.files.atomic.tempfile.mkstemp", refuse)
    with closing(Journal(path)) as writer:
        rotation.shorten(writer)
        writer.write(Note(text="more"))
    assert path.read_bytes().startswith(before)
    assert journal.read(path)[-1].event == Note(text="more")


def test_a_job_shortens_a_long_journal_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(rotation, "LARGEST", 20_000)
    path, data = pack_file(tmp_path / "net.safetensors"), images(tmp_path / "data.npz")
    begun = time.time()
    Paths(path).journal.write_bytes(b"".join(training(1, begun, 5000)))
    work(path, add("one", data))
    assert Paths(path).journal.stat().st_size < 60_000
    assert [run.job for run in read_history(Paths(path).journal).runs] == [1, 2]


def test_a_long_journal_is_read_in_bounded_memory(path):
    step = line(STEP)
    path.write_bytes(step * (40_000_000 // len(step)) + line(Note(text="end")))
    tracemalloc.start()
    try:
        count = sum(isinstance(entry.event, TrainStep) for entry in Reader(path).entries(thin=UNTHINNED))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 30_000 < count < 60_000
    assert peak < 5_000_000


def test_a_line_longer_than_memory_should_hold_is_passed_over(path, monkeypatch):
    monkeypatch.setattr(journal, "CHUNK", 1000)
    monkeypatch.setattr(journal, "LONGEST", 5000)
    path.write_bytes(line(Note(text="one")) + b"x" * 50_000 + b"\n" + line(Note(text="two")) + b"torn")
    reader = Reader(path)
    assert [entry.event.text for entry in reader.entries()] == ["one", "two"]
    with open(path, "ab") as file:
        file.write(b"\n" + line(Note(text="three")))
    assert [entry.event.text for entry in reader.entries()] == ["three"]


def test_the_history_of_the_header_is_bounded():
    steps = tuple(Step(at=float(i), task=None, what=str(i)) for i in range(MOST_STEPS + 5))
    kept = shortened(steps)
    assert (kept[0], kept[1], kept[-1], len(kept)) == (steps[0], steps[5], steps[-1], 1 + MOST_STEPS)
    assert shortened(steps[:9]) == steps[:9]


# -- absurd times -------------------------------------------------------------------------------------------------

ABSURD = [1e300, 1e18, 3e13, -1e300, -1e12, -1.0, 0.0, float("nan"), float("inf")]


@pytest.mark.parametrize("at", ABSURD)
def test_no_time_crashes_a_formatter(at):
    for text in (format.moment(at, "%Y"), format.moment(at, "%Y", utc=True), format.clock(at), format.duration(at)):
        assert isinstance(text, str)
        assert len(text) < 20


@pytest.mark.parametrize("at", ABSURD[:-2])  # JSON has neither of the last two
def test_absurd_times_and_numbers_in_a_journal_are_shown(tmp_path, capsys, at):
    path, data = pack_file(tmp_path / "net.safetensors"), images(tmp_path / "data.npz")
    work(path, add("one", data))
    with open(Paths(path).journal, "ab") as file:
        for event in (
            Evaluated(task="one", error=ERROR, loss=1, seconds=at),
            JobStarted(command=Drop(task="one"), pid=1, device="cpu"),
            replace(STEP, seconds_left=at),
            JobFinished(outcome="done", message="done", seconds=at, status=0),
        ):
            file.write(line(event, job=1 << 62, at=at))
    assert print_inspection(path) == 0
    assert print_inspection(path, json=True) == 0
    msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    watch = Watch(path)
    watch.look()
    work(path, Train(recipe={"epochs": 1}))
    assert read_header(path).document.tasks
