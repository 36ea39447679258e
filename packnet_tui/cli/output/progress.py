"""Progress of a job: bars and permanent lines on a terminal, plain lines elsewhere, or JSON lines."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from packnet_core.schema.commands import Compare, Evaluate
from packnet_core.schema.events import Entry, JobFinished, JobStarted, PhaseStarted, Progress, TrainStep
from packnet_core.schema.text import printable
from packnet_tui.cli.shell import is_terminal
from packnet_tui.state.event_lines import DOING, line
from packnet_tui.state.format import clock, cut_middle
from packnet_tui.state.job_progress import JobProgress, progress_in_words, subject
from packnet_tui.state.picture import RunningJob

if TYPE_CHECKING:
    from rich.progress import TaskID

EVERY = 30.0  # seconds between two lines of progress, without a bar
REDRAW = 0.2  # seconds between two updates of the bar


class Show(Protocol):
    def __call__(self, entry: Entry) -> None: ...


class Display:
    """Shows journal entries; a context manager that ends the bars.

    After the terminal hangs up or the pipe closes, it shows nothing more, and the work continues (law 7).
    """

    def __init__(self, json: bool = False, bars: bool = True, every: float = EVERY):
        self.json = json
        self._bars: Bars | None = None
        if json:
            self._show: Show = _json
        elif bars and is_terminal():
            self._bars = Bars()
            self._show = self._bars.show
        else:
            self._show = Lines(every).show

    def show(self, entry: Entry) -> None:
        try:
            self._show(entry)
        except OSError:
            self._show = _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if self._bars:
            with suppress(OSError):
                self._bars.close()


class Following:
    """The job under way, as the screen follows it."""

    def __init__(self) -> None:
        self._progress = JobProgress()
        self.job = RunningJob(0, Evaluate(), 0, "")

    def read(self, entry: Entry) -> RunningJob:
        """Take in the next entry. Returns the job as it is then."""
        if isinstance(entry.event, JobStarted):
            self.job = RunningJob(entry.job, entry.event.command, entry.event.pid, entry.event.device)
        self.job = self._progress.after(self.job, entry)
        return self.job


class Bars:
    """A bar for the phase under way, redrawn in place; above it, a permanent line per event."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(highlight=False, markup=False, emoji=False)
        self._print: Callable[..., None] = console.print
        self._width = console.width
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=max(6, min(40, console.width - 80))),
            TextColumn("{task.fields[detail]}", markup=False, style="dim"),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._bar: TaskID | None = None
        self._doing = ("", "")
        self._following = Following()
        self._drawn = 0.0

    def show(self, entry: Entry) -> None:
        job = self._following.read(entry)
        match entry.event:
            case PhaseStarted():
                self._begin(job)
            case TrainStep() as step:
                self._move(step.step, step.steps, _detail(step, job.epochs))
            case Progress():
                if self._doing != (job.phase, job.task):  # no PhaseStarted comes before it
                    self._begin(job)
                self._move(job.done, job.images, progress_in_words(job))
            case JobFinished():
                self.close()
        if text := line(entry):
            self._print(text, soft_wrap=True)

    def close(self) -> None:
        self._progress.stop()

    def _begin(self, job: RunningJob) -> None:
        if self._bar is not None:
            self._progress.remove_task(self._bar)
        self._doing = (job.phase, job.task)
        self._bar = self._progress.add_task(_doing(job, self._width - 68), total=1, detail="")
        self._progress.start()

    def _move(self, done: int, of: int, detail: str) -> None:
        if self._bar is not None and (time.monotonic() - self._drawn > REDRAW or done == of):
            self._drawn = time.monotonic()
            self._progress.update(self._bar, completed=done, total=of, detail=detail)
            self._progress.refresh()


class Lines:
    """A line for each event; after `every` seconds without one, a line of progress."""

    def __init__(self, every: float = EVERY):
        self._every = every
        self._printed = time.monotonic()
        self._following = Following()

    def show(self, entry: Entry) -> None:
        text, job = line(entry), self._following.read(entry)
        due = time.monotonic() - self._printed >= self._every
        match entry.event:
            case TrainStep() as step if due:
                text = printable(f"{job.phase} {step.task} {_detail(step, job.epochs)}")
            case Progress() if due:
                text = f"{_doing(job)}: {progress_in_words(job)}"
        if text:
            self._printed = time.monotonic()
            print(text, flush=True)


def _doing(job: RunningJob, width: int = 200) -> str:
    """What a job does now, with its task's name in at most `width` cells."""
    name = cut_middle(printable(job.task), max(8, width))
    part = f" ({job.part} of {job.parts})" if job.parts > 1 else ""
    phase = "compare" if isinstance(job.command, Compare) else job.phase
    return f"{DOING[phase]} {subject(replace(job, task=name))}{part}"


def _detail(step: TrainStep, epochs: int) -> str:
    """How far a training is."""
    return (
        f"{step.epoch}/{epochs} loss {step.loss:.3f} error {step.error:.1f} % "
        f"{step.images_per_second:.0f} img/s ETA {clock(step.seconds_left)}"
    )


def _json(entry: Entry) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(entry) + b"\n")
    sys.stdout.buffer.flush()


def _nothing(entry: Entry) -> None:
    pass
