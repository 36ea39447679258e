"""Accidents while a file is open: its engine dies, another file replaces it, its journal is cut or unreadable."""

import os

import pytest

from packnet_core.engine import client
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import EngineStarted, JobFinished, Note, TrainStep
from tests.end_to_end.processes import kill_engine
from tests.end_to_end.tmux import needs_tmux
from tests.tui.made_up import NOON, SEALED, append, at_rest, document, entries, write
from tests.waiting import until, until_event
from tests.worlds import LONG, add, pack_file, work

pytestmark = needs_tmux


@pytest.fixture
def quiet(tmp_path):
    """A file that no job works on."""
    return at_rest(tmp_path / "quiet.safetensors")


def test_a_killed_engine_is_reported_and_the_next_action_starts_another(path, data, terminal):
    work(path, add("cars", data))
    terminal.type(f"packnet-tui open {path}; echo status $?")
    with client.start(path) as engine:
        job = engine.submit(add("birds", data, recipe=LONG))
        until_event(path, TrainStep, job)
        terminal.wait_for("TRAIN birds")
        Paths(path).log.write_text("torch: the GPU has run out of memory\n")
        kill_engine(path, engine)
    terminal.wait_for("✗ engine died")
    terminal.wait_for("out of memory")
    terminal.wait_for("during add birds")
    terminal.press("E")
    assert until_event(path, JobFinished, job + 1).event.outcome == "done"
    until_event(path, EngineStarted, count=2)
    terminal.wait_for("idle")
    terminal.press("q")
    terminal.wait_for("status 0")


def test_a_file_that_replaces_it_is_shown_and_used(path, data, tmp_path, terminal):
    work(path, add("cars", data))
    other = pack_file(tmp_path / "other.safetensors")
    work(other, add("birds", data))
    terminal.type(f"packnet-tui open {path}; echo status $?")
    terminal.wait_for("cars")
    with client.start(path):
        other.rename(path)
        terminal.wait_for(" 1 birds ")
        terminal.press("e")
        done = until_event(path, JobFinished, 2).event
    assert (done.outcome, read_header(path).document.tasks[0].name) == ("done", "birds")
    terminal.wait_for("0.00 ")
    terminal.press("q")
    terminal.wait_for("status 0")


def test_a_missing_file_is_reported_and_shown_again_when_it_is_back(quiet, tmp_path, terminal):
    terminal.type(f"packnet-tui open {quiet} --readonly; echo status $?")
    terminal.wait_for("cars")
    quiet.rename(tmp_path / "elsewhere")
    shown = terminal.wait_for("there is no file")
    assert "cars" in shown  # the last known state stays
    write(quiet, document(SEALED))
    until(lambda: "cars" not in terminal.screen().split("3 Curves")[0], "the file as it is now")
    terminal.press("q")
    terminal.wait_for("status 0")


def test_a_journal_cut_in_the_middle_of_a_line_is_read_up_to_there(quiet, terminal):
    journal = Paths(quiet).journal
    terminal.type(f"packnet-tui open {quiet} --readonly; echo status $?")
    terminal.wait_for("eval: done")
    terminal.press("5", "z")  # the whole log
    os.truncate(journal, journal.stat().st_size - 30)
    shown = terminal.wait_for("during eval")
    assert "eval: done" not in shown
    assert shown.count("cubs: test error") == 1
    assert shown.count("done in 6 min 30 s") == 1
    append(quiet, [])
    with open(journal, "ab") as file:
        file.write(b"\n")  # as an engine does first
    append(quiet, entries([Note(text="work continues")], at=NOON + 900))
    assert terminal.wait_for("work continues").count("cubs: test error") == 1
    terminal.press("q")
    terminal.wait_for("status 0")


def test_an_unreadable_journal_is_reported_and_read_later(quiet, terminal):
    journal = Paths(quiet).journal
    terminal.type(f"packnet-tui open {quiet} --readonly; echo status $?")
    terminal.wait_for("eval: done")
    journal.rename(journal.with_name("elsewhere"))
    journal.mkdir()
    assert "cars" in terminal.wait_for("the journal can't be read")
    journal.rmdir()
    journal.with_name("elsewhere").rename(journal)
    terminal.wait_for("can be read again")
    terminal.press("q")
    terminal.wait_for("status 0")
