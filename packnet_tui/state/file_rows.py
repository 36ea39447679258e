"""The open files as lines: name, tasks, free weights, job and ETA of each. Needs neither Textual nor torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.cells import cell_len

from packnet_core.schema.text import printable
from packnet_tui.state.format import NAME, clock, cut, cut_middle, pad, pad_name, share, short_summary
from packnet_tui.state.job_progress import done_in_words, kind, subject
from packnet_tui.state.picture import Picture, RunningJob

FILE_NAME, SHORT_NAME = 40, 20  # cells of a file's name in a row and in the line of all files, at most
LEAST_JOB = 12  # cells of the job in a row, before the free weights and then the tasks give way
SIGNS = {"runs": "●", "waits": "●", "idle": "○", "stopped": "○", "died": "✗", "unreadable": "✗", "opening": "…"}


@dataclass(frozen=True)
class FileRow:
    """One open file, in words. `state` is one of SIGNS; `job` is the running job, or the reason of the state."""

    name: str
    state: str
    tasks: str = ""
    free: str = ""
    job: str = ""
    eta: str = ""

    @property
    def sign(self) -> str:
        return SIGNS[self.state]

    @property
    def wrong(self) -> bool:
        return self.state in ("died", "unreadable")


def file_row(name: str, picture: Picture | None, error: str = "") -> FileRow:
    """The row of a file; `error` says why it can't be read now. The row has its name already: `X is damaged`."""
    error = error.removeprefix(f"{name.rpartition('/')[2]} is ")
    if picture is None:
        return FileRow(name, "unreadable" if error else "opening", job=error)
    count = len(picture.tasks)
    tasks, free = f"{count} task" + "s" * (count != 1), f"free {share(picture.free, picture.weights)} %"
    state, job, eta = ("unreadable", error, "") if error else _job(picture)
    return FileRow(name, state, tasks, free, job, eta)


def _job(picture: Picture) -> tuple[str, str, str]:
    """What a file's engine does: the state, the job in words, and its ETA."""
    job, waiting = picture.job, len(picture.queue)
    if picture.died:
        return "died", picture.died, ""
    if job:
        eta = "" if job.seconds_left is None else clock(job.seconds_left)
        return "runs", _doing(job) + (f", {waiting} waiting" if waiting else ""), eta
    if waiting:
        return "waits", short_summary(picture.queue[0][1]) + (f", {waiting - 1} more" if waiting > 1 else ""), ""
    if picture.interrupted:
        return "stopped", f"{short_summary(picture.interrupted)} is unfinished", ""
    return "idle", "", ""


def _doing(job: RunningJob) -> str:
    if not job.phase:
        return short_summary(job.command)
    job = replace(job, task=cut_middle(job.task, NAME))
    done = f" {job.epoch}/{job.epochs}" if job.trains else f", {done_in_words(job)}"
    return f"{kind(job)} {subject(job)}{done}"


def aligned(rows: Sequence[FileRow], width: int) -> list[str]:
    """Each row as a line of at most `width` cells, in columns; with less room the job is cut, then columns go."""
    name = min(max((cell_len(row.name) for row in rows), default=0), FILE_NAME, max(8, width // 3))
    numbers = len(str(len(rows)))
    columns = [[row.tasks for row in rows], [row.free for row in rows]]
    widths = [max(map(len, column), default=0) for column in columns]
    eta = max((len(f"ETA {row.eta}") for row in rows if row.eta), default=0)

    def room() -> int:
        return width - numbers - name - sum(2 + w for w in widths) - (2 + eta if eta else 0) - 14

    while widths and room() < LEAST_JOB:
        widths.pop()
    lines = []
    for i, row in enumerate(rows):
        cells = [f"{i + 1:>{numbers}}", pad_name(row.name, name)]
        cells += [f"{column[i]:>{w}}" for column, w in zip(columns, widths, strict=False)]
        state = f"{row.sign} {row.state}" + (f"  {row.job}" if row.job else "")
        left = "  ".join([" ".join(cells[:2]), *cells[2:]])
        right = f"ETA {row.eta}" if row.eta else ""
        space = width - cell_len(left) - 2
        state = pad(state, space - eta - 2) + "  " + f"{right:>{eta}}" if eta else cut(state, space)
        lines.append(f"{left}  {state}".rstrip())
    return lines


def in_one_line(rows: Sequence[FileRow], at: int, width: int) -> list[tuple[str, bool]]:
    """The row `at` and as many of its neighbours as fit in one line: texts, and whether each is that row's."""
    texts = []
    for row in rows:
        name = cut_middle(row.name.removesuffix(".safetensors"), SHORT_NAME)
        texts.append(f" {name} {row.sign} {row.eta}".rstrip() + " ")
    first = last = at
    place = f"{at + 1}/{len(rows)} "

    def needed() -> int:
        ends = 2 * (first > 0) + 2 * (last < len(rows) - 1)
        return cell_len(place) + sum(cell_len(text) for text in texts[first : last + 1]) + ends

    while True:  # the nearer ones first
        for step in (1, -1):
            before = first, last
            if step == 1:
                last = min(last + 1, len(rows) - 1)
            else:
                first = max(first - 1, 0)
            if needed() > width:
                first, last = before
            elif before != (first, last):
                break
        else:
            break
    parts = [(place, False), *([("… ", False)] if first else [])]
    parts += [(texts[i], i == at) for i in range(first, last + 1)]
    return [*parts, (" …", False)] if last < len(rows) - 1 else parts


def short_names(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its own, after as many of its folders as it takes to tell it from the others."""
    names = []
    for path in paths:
        others = [other for other in paths if other != path]
        parts, count = path.parts, 1
        while count < len(parts) and any(other.parts[-count:] == parts[-count:] for other in others):
            count += 1
        names.append(printable(str(Path(*parts[-count:]))))
    return names
