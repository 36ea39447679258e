"""Read-only media: what changes nothing works there, with the journal in the user's state folder."""

import shutil
import subprocess

import pytest

from packnet_core.jobs import run_job
from packnet_core.jobs.history import read_history
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Evaluate, Preview, Prune
from packnet_tui.state.watch import Watch
from tests.worlds import add, images, pack_file, work


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(params=[True, False], ids=["alone", "with its folder"])
def path(tmp_path, state, request):
    """A pack file with one task on a disk that can't be written to."""
    disk, data = tmp_path / "disk", images(tmp_path / "data.npz")
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own needs the right to mount one")
    path = pack_file(disk / "net.safetensors")
    work(path, add("one", data))
    if request.param:
        shutil.rmtree(Paths(path).folder)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    yield path
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_looking_works_and_its_journal_is_in_the_state_folder(path, state, request):
    work(path, Evaluate())
    work(path, Preview(ratios=(0.5,)))
    paths = Paths(path)
    assert paths.folder.is_relative_to(state)
    assert paths.folder.name.endswith("-net")
    came_with_it = 0 if "alone" in request.node.name else 1
    assert [run.outcome for run in read_history(paths.journal).runs] == ["done"] * (came_with_it + 2)
    watch = Watch(path)
    watch.look()
    assert watch.picture.tasks[0].now is not None


@pytest.mark.parametrize("path", [False], indirect=True)
def test_the_history_that_came_with_the_file_is_read_and_continued(path):
    watch = Watch(path)
    watch.look()
    assert [run.command.task for run in read_history(Paths(path).journal).runs] == ["one"]
    before = watch.picture.log[-1]
    work(path, Evaluate())
    assert [type(run.command) for run in read_history(Paths(path).journal).runs] == [Add, Evaluate]
    watch.look()
    assert before in watch.picture.log
    assert watch.picture.tasks[0].now is not None


def test_an_engine_works_there(path, request):
    from packnet_core.engine import client

    with client.start(path) as engine:
        assert engine.submit(Evaluate()) == (1 if "alone" in request.node.name else 2)  # after the job that added
        engine.leave()


def test_what_changes_the_file_is_refused_before_it_works_long(path):
    end = list(run_job.run(path, Prune(ratio=0.5)))[-1].event
    assert end.outcome == "failed"
    assert end.status == 2
    assert "can't be written to" in end.message


def test_two_files_of_one_name_have_folders_of_their_own(tmp_path, state, monkeypatch):
    monkeypatch.setattr("packnet_core.packfile.paths.os.access", lambda *_: False)
    folders = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        folders.add(Paths(tmp_path / name / "net.safetensors").folder)
    assert len(folders) == 2
    assert all(folder.is_relative_to(state) for folder in folders)
