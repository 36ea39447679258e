"""The journal's reading end, while the journal grows, is cut or replaced."""

import msgspec
import pytest

from packnet_core.jobs import journal
from packnet_core.jobs.journal import Reader
from packnet_core.schema.events import EngineLeft, EngineStarted, Entry, Event, Note, Progress, TrainStep

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


@pytest.mark.parametrize("engine", [EngineStarted(pid=7), EngineLeft(pid=7, reason="idle")])
def test_a_reader_can_begin_at_the_last_start_or_end_of_an_engine(path, engine):
    path.write_bytes(note("one") + line(EngineStarted(pid=1)) + note("two") + line(engine) + note("three"))
    reader = Reader(path)
    reader.skip()
    assert [entry.event for entry in reader.poll()] == [engine, Note(text="three")]
    path.unlink()
    path.write_bytes(note("of another journal"))
    assert (texts_of(reader.poll()), reader.starts) == (["of another journal"], 1)


def test_without_an_engine_near_its_end_a_journal_is_read_from_its_start(path, monkeypatch):
    monkeypatch.setattr(journal, "TAIL", 200)
    hostile = note('{"type":"engine-left"')  # text that looks like an engine's end
    path.write_bytes(line(EngineStarted(pid=7)) + note("one") * 9 + hostile)
    reader = Reader(path)
    reader.skip()
    assert len(reader.poll()) == 11
    Reader(path.with_name("none")).skip()


def test_a_few_of_many_steps_are_decoded_and_every_other_line(path):
    path.write_bytes((line(STEP) * 50 + note("x")) * 20)
    found = texts_of(list(Reader(path).entries(thin=1000)))
    assert found.count("x") == 20
    assert 1 <= found.count("step") < 100
