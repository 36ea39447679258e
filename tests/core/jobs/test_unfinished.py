"""What a job that was cut off left to do: real journals, cut after each of their lines."""

import pytest

from packnet_core.errors import RequestError
from packnet_core.jobs import rules, run_job
from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Drop, Prune, Train
from packnet_core.schema.events import JobStarted, Saved
from tests.worlds import QUICK, add, images, pack_file, work


@pytest.fixture
def path(tmp_path):
    return pack_file(tmp_path / "net.safetensors")


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz", train=30, test=15)


def lost(path):
    return unfinished(Paths(path), read_header(path).document).lost


def cut(path, command, after):
    """Do a command, and leave its journal and no checkpoint, as they are when it is killed after an event."""
    entries = run_job.run(path, command)
    next(entry for entry in entries if isinstance(entry.event, after))
    kept = Paths(path).journal.read_bytes()
    entries.close()
    Paths(path).journal.write_bytes(kept)
    Paths(path).give_up()


def test_a_lost_job_stays_lost_after_jobs_that_were_refused(path, data):
    work(path, add("one", data))
    command = add("two", data, yes=True)
    cut(path, command, JobStarted)
    for _ in range(2):  # the second time, too
        *_, end = run_job.run(path, Train())
        assert (end.event.outcome, end.event.status) == ("failed", 2)
        assert "add two" in end.event.message
    assert lost(path) == command
    work(path, command)
    assert lost(path) is None


LAST = {
    "prune": lambda data: Prune(ratio=0.5),
    "train": lambda data: Train(recipe={"retrain_epochs": 1}),
    "drop": lambda data: Drop(task="two", yes=True),
    "add --prune": lambda data: add("three", data, yes=True),
    "add": lambda data: add("three", data, prune=None, yes=True),
}


@pytest.mark.parametrize("make", LAST.values(), ids=LAST.keys())
def test_a_job_that_saved_all_its_work_is_not_to_be_done_again(path, data, make):
    for name in ("one", "two"):
        work(path, add(name, data, yes=True))
    work(path, make(data))
    lines = Paths(path).journal.read_bytes().splitlines(keepends=True)
    assert b"job-finished" in lines[-1]
    Paths(path).journal.write_bytes(b"".join(lines[:-1]))  # killed before it could say so
    assert lost(path) is None


def test_of_an_addition_that_saved_its_task_the_pruning_is_left(path, data):
    cut(path, add("one", data, recipe=QUICK), Saved)
    assert lost(path) == Prune(ratio=0.5)
    document = read_header(path).document
    with pytest.raises(RequestError, match=r"prune 0\.5 left nothing to resume"):
        rules.check(document, Train(), unfinished(Paths(path), document))
