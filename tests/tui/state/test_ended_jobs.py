"""The end of a job is reported once: not if it ended earlier, and not again when the journal is read again."""

import pytest

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Evaluate, Preview
from packnet_core.schema.events import EngineStarted, JobFinished, JobQueued
from packnet_tui.state.ended_jobs import in_words
from packnet_tui.state.watch import Watch
from tests.tui.made_up import ADD, NOON, add, append, at_rest, begun, ended, entries, evaluated, job

CHECK = Evaluate(tasks=("cubs",))


@pytest.fixture
def path(tmp_path):
    return at_rest(tmp_path / "net.safetensors")


@pytest.fixture
def watch(path):
    """A watch that has looked once, at a file of which jobs ended before."""
    watch = Watch(path)
    watch.look()
    assert watch.picture.runs
    assert watch.ended == []
    return watch


def told(watch):
    watch.look()
    return [(run.job, run.outcome) for run in watch.ended]


def test_each_job_is_told_once_whoever_started_it(path, watch):
    with Paths(path).locked():
        append(path, entries([begun(CHECK)], job=5))
        assert told(watch) == []
        append(path, entries([evaluated("cubs", 22.1), ended()], job=5))
        assert told(watch) == [(5, "done")]
        assert told(watch) == []
    assert in_words(watch.story.ended[-1]) == "eval cubs is done, test error 22.10 %"
    append(path, job(6, CHECK, end=ended("failed", "no such data")) + job(7, CHECK, end=ended("stopped", "stopped")))
    assert told(watch) == [(6, "failed"), (7, "stopped")]
    assert [in_words(run) for run in watch.story.ended[-2:]] == [
        "eval cubs failed: no such data",
        "eval cubs was stopped",
    ]


def test_a_screen_that_is_opened_again_tells_nothing_of_what_was(path, watch):
    append(path, job(5, CHECK))
    again = Watch(path)
    assert told(again) == []
    append(path, job(6, CHECK))
    assert told(again) == [(6, "done")]
    assert told(watch) == [(5, "done"), (6, "done")]


def test_a_journal_that_is_written_anew_tells_no_job_twice(path, watch):
    append(path, job(5, CHECK))
    assert told(watch) == [(5, "done")]
    journal = Paths(path).journal
    copy = journal.with_suffix(".copy")
    copy.write_bytes(journal.read_bytes())
    copy.replace(journal)  # as rotation does
    append(path, job(6, CHECK))
    assert told(watch) == [(6, "done")]


def test_a_job_that_never_began_is_told_too(path, watch):
    append(path, entries([JobQueued(command=ADD)], job=5))
    append(path, entries([JobFinished(outcome="cancelled", message="", seconds=0, status=1)], job=5, at=NOON + 99))
    assert told(watch) == [(5, "cancelled")]
    assert in_words(watch.ended[0]) == "add cars --prune 0.75 was cancelled"


def test_the_previews_of_a_dialog_are_not_told(path, watch):
    append(path, job(5, Preview()))
    assert told(watch) == []


def test_a_job_whose_process_died_is_told_once(path, watch):
    queued = [*entries([JobQueued(command=ADD)], job=5), *entries([JobQueued(command=CHECK)], job=6)]
    append(path, [*queued, *add(5)[:-1]])  # nobody holds the lock
    found = []
    while not found:
        found = told(watch)
    assert found == [(5, "died"), (6, "died")]
    append(path, entries([EngineStarted(pid=8)], job=0))
    assert told(watch) == []
    assert in_words(watch.story.ended[-2]) == "add cars --prune 0.75 died"


def test_many_jobs_that_ended_take_no_more_room(path, watch):
    for number in range(5, 600):
        watch.story.read(job(number, Add(task="x", data="/d")))
    assert len(watch.story.ended) == 500
