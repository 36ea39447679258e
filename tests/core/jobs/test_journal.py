"""The journal's reading end, while the journal grows, is cut or replaced."""

import msgspec
import pytest

from packnet_core.jobs import journal
from packnet_core.jobs.journal import Reader
from packnet_core.schema.events import Entry, Event, Note, Progress, TrainStep

STEP = TrainStep(task="cars", epoch=1, step=1, steps=9, loss=1, error=5, lr=0.1, images_per_second=9, seconds_left=9)


def line(event: Event) -> bytes:
    return msgspec.json.encode(Entry(at=1.0, job=1, event=event)) + b"\n"


def note(text: str) -> bytes:
    return line(Note(text=text))


def texts_of(entries: list[Entry]) -> list[str]:
    return [entry.event.text if isinstance(entry.event, Note) else "step" for entry in entries]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_a_poll_returns_the_lines_since_the_last_one(path):
    reader = Reader(path)
    assert (reader.poll(), reader.starts) == ([], 0)
    path.write_bytes(note("one"))
    assert (texts_of(reader.poll()), reader.poll(), reader.starts) == (["one"], [], 1)
    with open(path, "ab") as file:
        file.write(note("two") + b"not JSON\n" + note("three"))
    assert texts_of(reader.poll()) == ["two", "three"]


def test_a_torn_line_is_read_once_it_is_whole(path):
    reader, step = Reader(path), line(STEP)
    path.write_bytes(note("one") + step[:40])
    assert texts_of(reader.poll(steps=False)) == ["one"]
    assert reader.poll() == []
    with open(path, "ab") as file:
        file.write(step[40:] + note("two"))
    assert texts_of(reader.poll()) == ["step", "two"]


def test_steps_are_passed_over_where_they_are_not_asked_for(path, monkeypatch):
    monkeypatch.setattr(journal, "CHUNK", 500)  # so that it takes several reads
    hostile = note('{"type":"step"')
    path.write_bytes((line(STEP) + note("x") + line(Progress(task="cars", done=1, images=2)) + hostile) * 9)
    assert texts_of(journal.read(path, steps=False)) == ["x", '{"type":"step"'] * 9
    assert len(journal.read(path)) == 36


@pytest.mark.parametrize("how", ["cut", "replaced"])
def test_another_journal_is_read_from_its_start(path, how):
    path.write_bytes(note("one") + note("two"))
    reader = Reader(path)
    reader.poll()
    if how == "cut":
        path.write_bytes(note("new"))
    else:
        other = path.with_name("other")
        other.write_bytes(note("new") * 9)
        other.replace(path)
    assert set(texts_of(reader.poll())) == {"new"}
    assert reader.starts == 2
