"""The folder beside the file is deleted while a process works: the job continues, and no second one starts."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from packnet_core.engine import client
from packnet_core.jobs import journal, run_job
from packnet_core.jobs.history import read_history
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Prune, Train
from packnet_core.schema.events import Checked, Epoch, JobFinished, JobStarted, Note, PhaseStarted, TrainStep
from packnet_tui.cli.main import packnet
from packnet_tui.state.watch import Watch
from tests.end_to_end.processes import end_engine
from tests.tui.cli.conftest import one_line
from tests.waiting import until, until_event
from tests.worlds import LONG, QUICK, add, pack_file, work


@pytest.fixture
def path(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    yield path
    end_engine(path)


def delete(path):
    """Delete the folder as `rm -r` does, until nothing writes to it in between."""
    while Paths(path).folder.exists():
        shutil.rmtree(Paths(path).folder, ignore_errors=True)


def told(entries):
    return [e.event.text for e in entries if isinstance(e.event, Note) and "was deleted" in e.event.text]


def restored(path):
    return until(lambda: Paths(path).journal.exists() and told(journal.read(Paths(path).journal)), "the journal")


def test_an_engine_at_work_stays_the_only_one_and_can_be_stopped(path, data, capsys):
    with client.start(path) as engine:
        job = engine.submit(add("one", data, recipe=LONG))
        until_event(path, TrainStep, job, count=5)
        screen = Watch(path)
        begun = [entry.at for entry in journal.read(Paths(path).journal)][:3]
        delete(path)
        assert restored(path)
        until(lambda: screen.look() and any("was deleted" in line.text for line in screen.story.log), "the screen")
        assert screen.picture.busy
        assert [entry.at for entry in journal.read(Paths(path).journal)][:3] == begun
        with until(lambda: client.connect(path), "a new client") as other:
            assert other.status().job == job
            other.stop(job)
        end = until_event(path, JobFinished, job).event
        assert end.outcome == "stopped"
        assert "resumes it" in end.message
        assert Paths(path).checkpoint.exists()


def test_no_second_process_may_work_even_at_once(path, data, monkeypatch):
    """The first one is stopped where it is, so that it can't notice."""
    with client.start(path) as engine:
        job = engine.submit(add("one", data, recipe=LONG))
        until_event(path, TrainStep, job)
        pid = engine.status().pid
        os.kill(pid, signal.SIGSTOP)
        try:
            delete(path)
            monkeypatch.setattr(client, "STARTING", 0.1)
            command = [sys.executable, "-m", "packnet_tui.cli.main", "add", str(path), "two", "--data", str(data)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 2
            assert "is working on net.safetensors" in one_line(done.stderr)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert restored(path)
        until(lambda: client.connect(path), "the engine").close()


def test_an_idle_engine_is_found_again(path):
    with client.start(path) as engine:
        pid = engine.status().pid
        delete(path)
        with client.start(path) as other:
            assert other.status().pid == pid


def test_an_engine_is_found_again_when_its_socket_was_deleted(path, monkeypatch, tmp_path):
    """As the runtime folder is when its user logs out."""
    deep = tmp_path / ("long" * 25)
    deep.mkdir()
    path = path.rename(deep / path.name)
    runtime = Path(tempfile.mkdtemp(dir="/tmp"))  # short enough for a socket
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with client.start(path) as engine:
        pid = engine.status().pid
        assert list(runtime.rglob("*.sock"))
        shutil.rmtree(runtime)
        with until(lambda: client.connect(path), "the engine") as other:
            assert other.status().pid == pid
    end_engine(path)


@pytest.mark.parametrize("kind", [JobStarted, PhaseStarted, TrainStep, Epoch, Checked])
def test_a_job_of_this_process_ends_as_if_nothing_had_happened(path, data, tmp_path, kind):
    other = pack_file(tmp_path / "other.safetensors")
    for each in (path, other):
        work(each, add("zero", data))
    work(other, add("one", data))
    entries = []
    for entry in run_job.run(path, add("one", data)):
        entries.append(entry)
        if isinstance(entry.event, kind) and not told(entries):
            delete(path)
    assert entries[-1].event.outcome == "done", entries[-1].event.message
    assert told(entries)
    assert all(checked.ok for checked in verify(path))
    assert read_history(Paths(path).journal).runs[-1].outcome == "done"
    assert len([e for e in journal.read(Paths(path).journal) if isinstance(e.event, JobFinished)]) == 2
    if kind is not Epoch:  # the best epoch went with the folder
        assert read_header(path).document.tasks[1].digest == read_header(other).document.tasks[1].digest


@pytest.mark.parametrize("epoch", [5, 6])  # before the last one, and after it
def test_a_best_epoch_that_is_gone_leaves_a_later_one_and_a_warning(path, data, epoch):
    work(path, add("one", data, prune=None))
    entries = []
    for entry in run_job.run(path, Train(recipe={"epochs": 6, "lr": 0.3, "weight_decay": 0.5})):  # gets worse
        entries.append(entry)
        if isinstance(entry.event, Epoch) and entry.event.epoch == epoch:
            delete(path)
    assert entries[-1].event.outcome == "done", entries[-1].event.message
    warnings = [e.event.text for e in entries if isinstance(e.event, Note) and e.event.level == "warning"]
    assert "epoch 0, the best, was deleted; epoch 6 is taken in its place" in warnings
    assert all(checked.ok for checked in verify(path))


def test_a_search_whose_best_trial_is_gone_does_it_again(path, data, tmp_path):
    other = pack_file(tmp_path / "other.safetensors")
    for each in (path, other):
        work(each, add("one", data, prune=None))
    command = Prune(ratio=0.99, max_drop=30.0, trials=4)
    work(other, command)
    entries, deleted = [], False
    for entry in run_job.run(path, command):
        entries.append(entry)
        if isinstance(entry.event, Note) and entry.event.text.startswith("trial 4") and not deleted:
            deleted = True
            delete(path)
    assert deleted, [e.event.text for e in entries if isinstance(e.event, Note)]
    assert entries[-1].event.outcome == "done", entries[-1].event.message
    assert read_header(path).document.tasks[0].digest == read_header(other).document.tasks[0].digest


def test_a_follower_sees_each_entry_once(path, data, capsys):
    """Its journal begins anew when the deleted one is written again."""
    with client.start(path) as engine:
        work_ = add("one", data, recipe=replace(QUICK, epochs=300, retrain_epochs=0))
        job = engine.submit(work_)
        command = [sys.executable, "-m", "packnet_tui.cli.main", "watch", str(path), "--json"]
        watcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        until_event(path, Epoch, job, count=3)
        delete(path)
        assert restored(path)
        out, _ = watcher.communicate(timeout=100)
        assert watcher.returncode == 0
        lines = out.splitlines()
        assert len(lines) == len(set(lines))
        assert sum('"epoch":3,' in line and '"type":"epoch"' in line for line in lines) <= 1
        assert "was deleted" in out


def test_the_lock_holds_while_any_of_its_files_is_deleted(path, capsys):
    paths = Paths(path)
    with paths.locked():
        delete(path)
        assert paths.is_locked()
        paths.restore()
        assert paths.is_locked()
        paths.second_lock.unlink()
        assert paths.is_locked()
    assert not paths.is_locked()
    assert packnet(["watch", str(path)]) == 0
