"""A disk that is full, or fills up: the work continues where it can, and no result is lost."""

import os
import subprocess
from contextlib import closing

import pytest
from msgspec.structs import replace

from packnet_core.errors import DiskError
from packnet_core.files import atomic
from packnet_core.jobs import journal, run_job
from packnet_core.jobs.journal import Journal
from packnet_core.jobs.session import Session
from packnet_core.packfile import storage
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Prune, Train
from packnet_core.schema.events import Epoch, JobFinished, Note, PhaseStarted, TrainStep
from tests.worlds import QUICK, add, images, pack_file, work


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def small(tmp_path):
    """A folder on a disk of its own, of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own needs the right to mount one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder, leave=0):
    """Fill a disk, but for some bytes."""
    with open(folder / "filler", "ab") as file:
        usage = os.statvfs(folder)
        file.write(b"x" * max(0, usage.f_bavail * usage.f_frsize - leave))


def refuse(monkeypatch, *names):
    """A disk that takes no file whose name begins like one of these."""
    before = atomic.tempfile.mkstemp

    def mkstemp(prefix, dir):
        if prefix.startswith(tuple(f".{name}" for name in names)):
            raise OSError(28, "No space left on device")
        return before(prefix=prefix, dir=dir)

    monkeypatch.setattr(atomic.tempfile, "mkstemp", mkstemp)


def notes(entries):
    return [entry.event.text for entry in entries if isinstance(entry.event, Note) and entry.event.level == "warning"]


def digest(path):
    return read_header(path).document.tasks[0].digest


# -- the journal --------------------------------------------------------------------------------------------------


def test_lines_wait_in_memory_until_there_is_room(small):
    path = small / "journal.jsonl"
    step = TrainStep(task="a", epoch=1, step=1, steps=9, loss=1, error=5, lr=0.1, images_per_second=9, seconds_left=9)
    with closing(Journal(path)) as writer:
        writer.write(Note(text="one"))
        fill(small)
        while os.path.getsize(path) % 4096:  # the rest of its last page is still free
            os.truncate(path, os.path.getsize(path))
            with open(path, "ab") as file:
                file.write(b" " * (4095 - os.path.getsize(path) % 4096) + b"\n")
        for number in range(200):
            writer.write(Note(text=f"{number} " + "x" * 50), 3)
            writer.write(step, 3)
        assert writer.refused is not None
        assert "No space left" in writer.refused.event.text
        (small / "filler").unlink()
        writer.write(Note(text="last"))
        assert writer.refused is None
    told = [entry.event.text for entry in journal.read(path) if isinstance(entry.event, Note)]
    assert [text.split()[0] for text in told if "x" in text] == [str(number) for number in range(200)]
    assert (told[0], told[-1]) == ("one", "last")
    assert sum("can't be written" in text for text in told) == 1
    assert sum(isinstance(entry.event, TrainStep) for entry in journal.read(path)) == 0


def test_a_journal_that_can_not_be_opened_is_named(tmp_path):
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(DiskError, match=r"journal\.jsonl can't be opened: Is a directory"):
        Journal(tmp_path / "journal.jsonl")


def test_a_short_write_leaves_no_torn_line(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    with closing(Journal(path)) as writer:
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:10]))
        writer.write(Note(text="one"))
        assert path.read_bytes() == b""
        monkeypatch.undo()
        writer.write(Note(text="two"))
    assert [e.event.text.split()[0] for e in journal.read(path) if isinstance(e.event, Note)] == ["one", "the", "two"]


def test_the_warning_is_shown_and_the_job_done_though_the_journal_is_full(tmp_path, data, monkeypatch):
    path = pack_file(tmp_path / "net.safetensors")
    write = os.write

    def refused(file, line):
        if b'"type":"phase-started"' in line:
            raise OSError(28, "No space left on device")
        return write(file, line)

    monkeypatch.setattr(os, "write", refused)
    entries = work(path, add("one", data))
    assert len([text for text in notes(entries) if "journal" in text]) == 1


# -- checkpoints and best epochs ----------------------------------------------------------------------------------


def test_a_checkpoint_that_can_not_be_written_is_warned_of_once_and_training_goes_on(tmp_path, data, monkeypatch):
    path = pack_file(tmp_path / "net.safetensors")
    refuse(monkeypatch, "checkpoint")
    monkeypatch.setattr("packnet_core.jobs.session.CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(Session.__init__, "__defaults__", (None, -1.0))
    entries = work(path, add("one", data))
    assert len([text for text in notes(entries) if "checkpoint" in text]) == 1


def test_a_best_epoch_that_can_not_be_kept_is_warned_of_and_training_goes_on(tmp_path, data, monkeypatch):
    path = pack_file(tmp_path / "net.safetensors")
    refuse(monkeypatch, "epoch")
    entries = work(path, add("one", data, recipe=replace(QUICK, epochs=4), prune=None))
    assert any("best so far, and can't be kept" in text for text in notes(entries))
    assert sum(isinstance(entry.event, Epoch) for entry in entries) == 4


def test_a_stopped_job_is_kept_elsewhere_and_resumed_from_there(tmp_path, data, monkeypatch, state):
    paths = {}
    for name in ("whole", "stopped"):
        paths[name] = pack_file(tmp_path / f"{name}.safetensors")
    work(paths["whole"], add("one", data))
    path = paths["stopped"]
    with monkeypatch.context() as full:
        refuse(full, "checkpoint")
        entries = run_job.run(path, add("one", data))
        next(entry for entry in entries if isinstance(entry.event, Epoch))
        entries.close()
    assert Paths(path).checkpoint.is_relative_to(state)
    work(path, Train())
    assert digest(path) == digest(paths["whole"])
    assert not Paths(path).checkpoint.exists()
    assert not list(state.rglob("*.safetensors"))


@pytest.mark.parametrize("refused", [["best"], ["best", "checkpoint"]])
def test_a_best_trial_that_can_not_be_kept_is_done_again(tmp_path, monkeypatch, refused):
    """The second of four ratios is the best one, so it is not in memory at the end."""
    data, found, trained = images(tmp_path / "data.npz", train=300), {}, {}
    for name in ("whole", "refused"):
        path = pack_file(tmp_path / f"{name}.safetensors")
        work(path, add("one", data, prune=None))
        with monkeypatch.context() as disk:
            refuse(disk, *(refused if name == "refused" else ["nothing"]))
            entries = work(path, Prune(ratio=0.99, max_drop=2.0, trials=4, recipe={"retrain_lr": 1e-4}))
        found[name] = read_header(path).document.tasks[0]
        trained[name] = sum(isinstance(entry.event, PhaseStarted) for entry in entries)
        assert any("best trial" in text for text in notes(entries)) == (name == "refused")
    assert trained["refused"] == trained["whole"] + 1
    assert found["refused"].prune_ratio == 0.495
    assert found["refused"].digest == found["whole"].digest


# -- saving -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [{"prune": None}, {}, {"recipe": replace(QUICK, retrain_epochs=0)}])
@pytest.mark.parametrize("everything", [False, True])
def test_a_result_that_can_not_be_saved_is_kept_and_saved_later(
    tmp_path, data, monkeypatch, command, everything, state
):
    whole, path = (pack_file(tmp_path / f"{name}.safetensors") for name in ("whole", "refused"))
    work(whole, add("one", data, **command))
    with monkeypatch.context() as full:
        refuse(full, "refused.safetensors", *(["checkpoint"] if everything else []))
        end = list(run_job.run(path, add("one", data, **command)))[-1].event
    kept = Paths(path).checkpoint
    assert kept.is_relative_to(state) == everything
    assert end.outcome == "failed"
    assert str(kept) in end.message
    assert "packnet train" in end.message
    work(path, Train())
    assert digest(path) == digest(whole)
    assert all(checked.ok for checked in verify(path))


def test_a_job_on_a_small_disk_is_refused_before_it_trains(small, data):
    path = pack_file(small / "net.safetensors")
    fill(small, leave=8192)
    entries = list(run_job.run(path, add("one", data)))
    assert not any(isinstance(entry.event, TrainStep) for entry in entries)
    end = entries[-1].event
    assert (end.outcome, end.status) == ("failed", 2)
    assert "0.0 MB are free" in end.message


def test_a_save_without_room_is_refused_before_it_writes(tmp_path, monkeypatch):
    path = pack_file(tmp_path / "net.safetensors")
    network, document = storage.load(path)
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: atomic.shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(DiskError, match=r"needs 0\.\d MB in .*, and 0\.0 MB are free"):
        storage.save(path, network, document)


def test_a_disk_that_fills_up_while_a_job_trains_keeps_the_result_elsewhere(small, data, state):
    path = pack_file(small / "net.safetensors")
    entries = []
    for entry in run_job.run(path, add("one", data)):
        entries.append(entry)
        if isinstance(entry.event, TrainStep) and entry.event.step == 1:
            fill(small)
    assert isinstance(entries[-1].event, JobFinished)
    assert entries[-1].event.outcome == "failed"
    assert str(state) in entries[-1].event.message
    assert read_header(path).document.tasks == ()
    (small / "filler").unlink()
    work(path, Train())
    assert all(checked.ok for checked in verify(path))
