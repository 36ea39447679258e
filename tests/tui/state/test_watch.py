"""Polling a pack file, its journal and its checkpoint."""

import os

import msgspec
import pytest
from msgspec.structs import replace

from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Evaluate
from packnet_core.schema.document import Step
from packnet_core.schema.events import EngineStarted, JobFinished, JobStarted, Note
from packnet_tui.state.watch import Watch
from tests.tui.made_up import (
    NOON,
    SEALED,
    TINY,
    append,
    at_rest,
    document,
    entries,
    evaluated,
    interrupt,
    running,
    task,
    write,
)

ADD = Add(task="cars", data="/data/cars", prune=0.75)
CARS = task("cars", 0.75, 18.36, "retrained")


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "model.safetensors", document(SEALED, TINY))


def log(watch: Watch) -> list[str]:
    return [line.text for line in watch.picture.log]


def test_nothing_new_leaves_the_picture_as_it_is(path):
    watch = Watch(path)
    before = watch.picture
    assert not watch.look()
    assert watch.picture is before


def test_appended_entries_are_in_the_next_picture(path):
    watch = Watch(path)
    append(path, entries([Note(text="one")]))
    assert watch.look()
    append(path, entries([Note(text="two")]))
    assert watch.look()
    assert log(watch) == ["one", "two"]


def test_an_incomplete_last_line_is_not_read_yet(path):
    watch = Watch(path)
    append(path, entries([Note(text="whole")]))
    line = msgspec.json.encode(entries([Note(text="torn")])[0]) + b"\n"
    with open(Paths(path).journal, "ab") as file:
        file.write(line[:20])
        file.flush()
        assert watch.look()
        assert log(watch) == ["whole"]
        file.write(line[20:])
    assert watch.look()
    assert log(watch) == ["whole", "torn"]


def test_messages_of_the_screen_go_into_the_log(path):
    watch = Watch(path)
    assert watch.look([("no engine:\n  it failed", "warning")])
    assert (watch.picture.log[-1].text, watch.picture.log[-1].level) == ("no engine: it failed", "warning")


def test_a_saved_file_is_read_again_and_the_past_stays(path):
    watch = Watch(path)
    append(path, entries([evaluated("cubs", 22.1)]))
    watch.look()
    write(path, document((*SEALED, CARS), TINY))
    assert watch.look()
    assert [row.name for row in watch.picture.tasks] == ["imagenet", "cubs", "cars"]
    assert watch.picture.tasks[1].drift == 0


def test_a_file_that_replaces_another_has_its_own_history(path):
    watch = Watch(path)
    append(path, entries([evaluated("cubs", 99.0), Note(text="of the former file")]))
    watch.look()
    fresh = replace(document(SEALED, TINY), history=(Step(at=NOON + 100, task=None, what="new vgg16"),))
    write(path, fresh)
    append(path, entries([Note(text="of the new file")], at=NOON + 200))
    assert watch.look()
    assert log(watch) == ["of the new file"]
    assert watch.picture.tasks[1].now is None


@pytest.mark.parametrize("harm", [os.unlink, lambda path: path.write_bytes(b"not a pack file, surely")])
def test_the_last_picture_stays_if_the_file_is_gone_or_damaged(path, harm):
    watch = Watch(path)
    before = watch.picture.tasks
    harm(path)
    assert watch.look()
    assert watch.picture.tasks == before
    assert watch.picture.log[-1].level == "error"
    write(path, document((*SEALED, CARS), TINY))
    assert watch.look()
    assert len(watch.picture.tasks) == 3


def test_a_file_that_stays_wrong_is_reported_once(path):
    watch = Watch(path)
    path.write_bytes(b"not a pack file, surely")
    assert watch.look()
    assert not watch.look()
    assert len(watch.picture.log) == 1


def test_a_running_job_is_shown_while_a_process_holds_the_lock(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        watch = Watch(path)
        watch.look()
        assert (watch.picture.job.phase, watch.picture.died) == ("retrain", "")
        assert watch.picture.queue[0][1].task == "flowers"


def test_without_the_lock_its_process_is_dead_and_the_end_of_its_log_says_why(tmp_path):
    path = running(tmp_path / "model.safetensors")
    Paths(path).log.write_text("starting\nKilled: out of memory\n")
    watch = Watch(path)
    watch.look()
    assert watch.picture.died.startswith("engine died")
    assert "out of memory" in watch.picture.died
    assert not watch.picture.busy


def test_after_a_job_that_has_ended_nothing_has_died(path):
    append(path, entries([EngineStarted(pid=7), JobStarted(command=Evaluate(), pid=7, device="cpu")], job=1))
    append(path, entries([JobFinished(outcome="done", message="eval: done", seconds=1, status=0)], job=1))
    watch = Watch(path)
    watch.look()
    assert (watch.picture.busy, watch.picture.died) == (False, "")


def test_a_stopped_job_is_found_by_its_checkpoint(path):
    interrupt(path, document(SEALED, TINY), ADD)
    append(path, entries([Note(text="stopped")]))
    watch = Watch(path)
    watch.look()
    assert watch.picture.interrupted == ADD
    Paths(path).checkpoint.unlink()
    assert watch.look()
    assert watch.picture.interrupted is None


def test_a_stopped_job_is_found_without_a_journal_too(path):
    interrupt(path, document(SEALED, TINY), ADD)
    watch = Watch(path)
    watch.look()
    assert watch.picture.interrupted == ADD


def test_a_checkpoint_of_another_state_of_the_file_counts_for_nothing(path):
    interrupt(path, document((*SEALED, CARS), TINY), ADD)
    append(path, entries([Note(text="x")]))
    watch = Watch(path)
    watch.look()
    assert watch.picture.interrupted is None


def test_a_finished_job_reads_the_same_at_any_later_time(tmp_path):
    path = at_rest(tmp_path / "model.safetensors")
    watch = Watch(path)
    watch.look()
    assert [row.drift for row in watch.picture.tasks] == [0, 0, 0]
    assert (watch.picture.busy, watch.picture.curve.task) == (False, "cars")


def test_a_glance_reads_what_runs_and_waits_and_a_look_all_the_rest(tmp_path):
    path = running(tmp_path / "model.safetensors")
    with Paths(path).locked():
        glanced, looked = Watch(path), Watch(path)
        glanced.look(glance=True)
        looked.look()
        assert len(glanced.picture.log) < len(looked.picture.log)
        assert glanced.picture.queue == looked.picture.queue
        assert (glanced.picture.job.phase, glanced.picture.job.epoch) == ("retrain", 2)
        glanced.look()
        assert glanced.picture.log == looked.picture.log
        assert glanced.picture.curves == looked.picture.curves
        append(path, entries([Note(text="new")], at=NOON + 900))
        glanced.look(glance=True)
        glanced.look()
        assert len(glanced.picture.log) == len(looked.picture.log) + 1


def test_why_a_file_is_wrong_is_known_until_it_is_right_again(path):
    watch = Watch(path)
    assert watch.wrong == ""
    path.write_bytes(b"not a pack file, surely")
    watch.look()
    assert "not a whole safetensors file" in watch.wrong
    write(path, document(SEALED, TINY))
    watch.look()
    assert watch.wrong == ""
