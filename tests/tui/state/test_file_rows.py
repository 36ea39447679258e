"""The open files as lines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema.commands import Add, Compare, Evaluate, Preview
from packnet_core.schema.events import EngineStarted, JobQueued, JobStarted, PhaseStarted, Progress
from packnet_tui.state.file_rows import SIGNS, FileRow, aligned, file_row, in_one_line, short_names
from packnet_tui.state.story import Story
from tests.tui.made_up import SEALED, TINY, document, entries, training

ADD = Add(task="cars", data="/d", prune=0.75)


def picture(*events, interrupted=None, died=False):
    story = Story()
    story.read(entries(events))
    if died:
        story.abandoned(1.0, "out of memory")
    return story.picture(document(SEALED, TINY), interrupted)


def interrupted(command):
    given = document(SEALED, TINY)
    return Checkpoint(base="", command=command, phase="train", document=given, before=None, run={})


def begun(command):
    return JobStarted(command=command, pid=7, device="cpu")


@pytest.mark.parametrize(
    ("events", "state", "job", "eta"),
    [
        ([], "idle", "", ""),
        ([begun(ADD)], "runs", "add cars --prune 0.75", ""),
        ([begun(ADD), *training("cars", 5, 2, 96.0, 17.0)], "runs", "train cars 2/5", "01:18"),
        (
            [begun(Evaluate()), Progress(task="cubs", done=50, images=200)],
            "runs",
            "eval cubs, 50 of 200 images",
            "",
        ),
        (
            [begun(Preview()), PhaseStarted(phase="eval", task="cubs", epochs=0, images=600)],
            "runs",
            "preview cubs, 0 of 600 images",
            "",
        ),
        (
            [begun(Compare(baseline="ewc", tasks=("cubs",))), Progress(task="cubs", done=53, images=200)],
            "runs",
            "compare cubs with ewc, 26 % done",
            "",
        ),
        (
            [
                begun(Evaluate()),
                PhaseStarted(phase="eval", task="cubs" * 9, epochs=0, images=200),
                Progress(task="cubs" * 9, done=50, images=200),
            ],
            "runs",
            "eval cubscubscub…cubscubscubs, 50 of 200 images",
            "00:03",
        ),
        ([JobQueued(command=ADD)], "waits", "add cars --prune 0.75", ""),
    ],
)
def test_a_row_says_what_a_file_does(events, state, job, eta):
    row = file_row("a", picture(*events))
    assert (row.state, row.job, row.eta) == (state, job, eta)
    assert (row.tasks[1:], row.free[:5], row.free[-2:]) == (" tasks", "free ", " %")


def test_a_row_says_what_is_wrong():
    died = file_row("a", picture(EngineStarted(pid=7), begun(ADD), died=True))
    assert (died.state, died.job, died.wrong) == ("died", "engine died; end of its log: out of memory", True)
    gone = file_row("a", picture(), "there is no file a")
    assert (gone.state, gone.job, gone.tasks, gone.wrong) == ("unreadable", "there is no file a", "2 tasks", True)
    assert file_row("a", None, "no pack file").state == "unreadable"
    damaged = file_row("b/a", None, "a is not a whole safetensors file: it is empty")
    assert damaged.job == "not a whole safetensors file: it is empty"
    stopped = file_row("a", picture(interrupted=interrupted(ADD)))
    assert (stopped.state, stopped.job) == ("stopped", "add cars --prune 0.75 is unfinished")


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf", "Mn", "Me"]), max_size=50
)
rows = st.lists(
    st.builds(
        FileRow,
        name=texts,
        state=st.sampled_from(sorted(SIGNS)),
        tasks=st.sampled_from(["", "1 task", "12 tasks"]),
        free=st.sampled_from(["", "free 3.1 %"]),
        job=texts,
        eta=st.sampled_from(["", "02:10", "1:02:10"]),
    ),
    min_size=1,
    max_size=30,
)


@given(rows, st.integers(40, 200))
def test_all_rows_fit_and_keep_their_state(rows, width):
    lines = aligned(rows, width)
    assert len(lines) == len(rows)
    for row, line in zip(rows, lines, strict=True):
        assert cell_len(line) <= width
        assert row.sign in line
        assert f"ETA {row.eta}" in line if row.eta else True


@given(rows, st.integers(30, 200), st.data())
def test_one_line_has_the_file_that_is_shown_and_as_many_others_as_fit(rows, width, data):
    at = data.draw(st.integers(0, len(rows) - 1))
    parts = in_one_line(rows, at, width)
    assert parts[0][0] == f"{at + 1}/{len(rows)} "
    assert sum(cell_len(text) for text, _ in parts) <= max(width, 45)
    assert [here for _, here in parts].count(True) == 1
    shown = sum(text not in ("… ", " …") for text, _ in parts) - 1
    assert shown == len(rows) or any(text in ("… ", " …") for text, _ in parts)


def test_columns_are_below_each_other():
    rest = FileRow("a", "idle", "1 task", "free 9.0 %")
    lines = aligned([rest, FileRow("longer", "runs", "12 tasks", "free 53.1 %", "x", "02:10")], 80)
    assert lines == [
        "1 a         1 task   free 9.0 %  ○ idle",
        "2 longer  12 tasks  free 53.1 %  ● runs  x                             ETA 02:10",
    ]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/x/a.s", "/x/b.s"], ["a.s", "b.s"]),
        (["/x/a.s", "/y/a.s", "/y/b.s"], ["x/a.s", "y/a.s", "b.s"]),
        (["/1/x/a.s", "/2/x/a.s"], ["1/x/a.s", "2/x/a.s"]),
        (["/x/\x1b[2J.s"], ["\\x1b[2J.s"]),
    ],
)
def test_names_tell_the_files_apart_and_never_steer_the_terminal(paths, names):
    assert short_names([Path(path) for path in paths]) == names
