"""A drop is undone to the bit as long as it is the last change of the file, and costs no copy."""

import errno
import os
import shutil

import pytest
from msgspec.structs import replace

from packnet_core.errors import RequestError
from packnet_core.files import atomic
from packnet_core.jobs import run_job
from packnet_core.jobs.history import read_history
from packnet_core.packfile import former
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Command, Drop, Evaluate, Prune, Undo
from packnet_core.schema.events import Epoch, Note, Undone
from tests.worlds import add, work


@pytest.fixture
def two(path, others):
    """A file with two tasks; the newest is open."""
    work(path, add("two", others, yes=True))
    return path


def interrupt(path, command: Command) -> None:
    entries = run_job.run(path, command)
    next(entry for entry in entries if isinstance(entry.event, Epoch))
    entries.close()


def undo_says(path, command=None) -> str:
    """Why undo fails; the file must stay as it is."""
    before = path.read_bytes()
    *_, end = run_job.run(path, command or Undo())
    assert end.event.outcome == "failed"
    assert path.read_bytes() == before
    return end.event.message


def test_undo_brings_the_file_back_to_the_bit_and_its_results_with_it(two):
    whole, known = two.read_bytes(), (work(two, Evaluate()), read_history(Paths(two).journal))[1]
    inode = two.stat().st_ino
    work(two, Drop(task="two"))
    (kept,) = Paths(two).formers()
    assert kept.stat().st_ino == inode  # no copy
    assert [task.name for task in read_header(two).document.tasks] == ["one"]
    events = [entry.event for entry in work(two, Undo())]
    assert two.read_bytes() == whole
    assert [event for event in events if isinstance(event, Undone)] == [Undone(task="two", bytes=len(whole))]
    assert Paths(two).formers() == []
    assert all(found.ok for found in verify(two))
    now = read_history(Paths(two).journal, read_header(two).document)
    assert now.evaluations == known.evaluations
    work(two, Prune(ratio=0.5))  # and goes on as before


def test_a_job_that_changes_nothing_leaves_it_and_the_next_change_removes_it(two, others):
    work(two, Drop(task="two"))
    work(two, Evaluate())
    *_, refused = run_job.run(two, add("one", others))
    assert refused.event.outcome == "failed"
    assert former.find(Paths(two), read_header(two).document).task == "two"
    work(two, add("three", others, yes=True))
    assert Paths(two).formers() == []
    assert "was not a drop" in undo_says(two)


def test_undo_waits_for_an_interrupted_job_and_works_after_it_was_given_up(two, others):
    whole = two.read_bytes()
    work(two, Drop(task="two"))
    interrupt(two, add("three", others, yes=True))
    assert "an interrupted job waits, add three" in undo_says(two)
    Paths(two).give_up()
    work(two, Undo(task="two"))
    assert two.read_bytes() == whole


def test_only_the_last_of_two_drops_is_undone(two, others):
    work(two, add("three", others, yes=True))
    work(two, Drop(task="three"))
    before = two.read_bytes()
    work(two, Drop(task="two"))
    assert "meant for task 'three'" in undo_says(two, Undo(task="three"))
    work(two, Undo())
    assert two.read_bytes() == before
    assert Paths(two).formers() == []


def test_it_is_refused_once_something_else_changed_the_file(two, tmp_path):
    work(two, Drop(task="two"))
    other = tmp_path / "other.safetensors"
    shutil.copy(two, other)
    (kept,) = Paths(two).formers()
    shutil.copytree(Paths(two).folder, Paths(other).folder)
    changed = bytearray(two.read_bytes())
    changed[-1] ^= 1
    two.write_bytes(changed)
    assert "does not fit its digest" in undo_says(two)
    assert kept.exists()
    shutil.move(other, two)  # a copy of it has the same content, so it is the same file
    work(two, Undo())
    work(two, Drop(task="two"))
    os.replace(next(iter(Paths(other).formers())), two)  # another program brought the former file back
    assert "was not a drop" in undo_says(two)


def test_a_damaged_or_deleted_former_file_is_refused(two):
    work(two, Drop(task="two"))
    (kept,) = Paths(two).formers()
    damaged = bytearray(kept.read_bytes())
    first = 8 + int.from_bytes(damaged[:8], "little")
    damaged[next(at for at in range(first, len(damaged), 4) if damaged[at])] ^= 1  # the last bit of a weight
    kept.write_bytes(damaged)
    assert "does not fit its digest, so nothing was undone" in undo_says(two)
    kept.write_bytes(damaged[:200])
    assert "is gone" in undo_says(two)
    kept.unlink()
    assert "is gone" in undo_says(two)
    work(two, Evaluate())


@pytest.fixture
def unlinked(monkeypatch):
    """A disk without hard links."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(former.os, "link", refused)


def test_without_hard_links_it_is_a_copy(two, unlinked):
    whole = two.read_bytes()
    two.chmod(0o640)
    work(two, Drop(task="two"))
    work(two, Undo())
    assert two.read_bytes() == whole
    assert two.stat().st_mode & 0o777 == 0o640


def test_without_room_for_a_copy_a_drop_happens_only_after_a_yes(two, unlinked, monkeypatch):
    before, usage = two.read_bytes(), shutil.disk_usage(two.parent)
    full = usage._replace(free=len(before) - 1)
    with monkeypatch.context() as patched:
        patched.setattr(atomic.shutil, "disk_usage", lambda _: full)
        *_, end = run_job.run(two, Drop(task="two"))
    assert (end.event.outcome, end.event.status) == ("failed", RequestError.status)
    assert end.event.message.startswith("nothing was dropped: the former file, which undo needs, can't be kept")
    assert end.event.message.endswith(f"packnet drop {two} two --yes")
    assert two.read_bytes() == before

    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(former, "copy_file", refused)
    events = [entry.event for entry in work(two, Drop(task="two", yes=True))]
    assert [e.text for e in events if isinstance(e, Note)] == [
        "this drop can't be undone: the former file can't be kept (No space left on device)"
    ]
    assert Paths(two).formers() == []
    assert "is gone" in undo_says(two)


def test_a_drop_that_fails_keeps_nothing_and_leaves_the_interrupted_job(two, monkeypatch):
    interrupt(two, Prune(ratio=0.5))
    with monkeypatch.context() as patched:
        patched.setattr(atomic.shutil, "disk_usage", lambda _: shutil.disk_usage(two.parent)._replace(free=10))
        *_, end = run_job.run(two, Drop(task="two"))
    assert end.event.outcome == "failed"
    assert Paths(two).formers() == []
    assert Paths(two).checkpoint.exists()


def test_a_state_with_one_step_too_many_is_no_former_one(two):
    before = read_header(two).document
    work(two, Drop(task="two"))
    now = read_header(two).document
    assert former._dropped(before, now)
    assert not former._dropped(before, replace(now, history=(*now.history, now.history[-1])))
    assert not former._dropped(now, now)


@pytest.mark.parametrize("make", [lambda data: add("three", data, yes=True), lambda _: Drop(task="two")])
def test_a_former_file_gives_way_to_a_job_that_has_no_room_beside_it(two, others, make, monkeypatch):
    work(two, add("gone", others, yes=True))
    work(two, Drop(task="gone"))
    usage, (older,) = shutil.disk_usage(two.parent), Paths(two).formers()
    with monkeypatch.context() as patched:
        patched.setattr(atomic.shutil, "disk_usage", lambda _: usage._replace(free=10) if older.exists() else usage)
        work(two, make(others))
    assert not older.exists()
