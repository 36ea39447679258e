"""The first line: the file, how much of it is free, and the running job."""

from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.text import Text

from packnet_core.schema.commands import Preview
from packnet_tui.state.format import NAME, cut, cut_middle, share, short_summary
from packnet_tui.state.job_progress import done_in_words, kind, progress_in_words, subject, time_left
from packnet_tui.state.picture import Picture, RunningJob
from packnet_tui.workbench.widgets.pane import Lines


class StatusLine(Lines):
    """The file on the left and the job on the right, each as long as there is room."""

    DEFAULT_CSS = "StatusLine { height: 1; background: $surface; color: $text; }"

    def build(self, width: int, height: int) -> Sequence[Text]:
        held, readonly = self.app.held, self.app.readonly
        job = job_in_words(self.picture)
        if self.picture.usage:
            job = [f"{job[0]}  {self.picture.usage}", *job]
        if held:
            job = [f"HELD  {text}" for text in job]
        if readonly:
            job = [*(f"{text}  read only" for text in job), *job]
        here = file_in_words(self.app.path.name, self.picture)
        pairs = [(i * i + 2 * j * j, left, right) for i, left in enumerate(here) for j, right in enumerate(job)]
        for _, left, right in sorted(pairs):  # both are shortened in steps, the file first
            if cell_len(left) + cell_len(right) + 4 <= width:
                return [self._line(left, right, width)]
        return [self._line(cut(here[-1], max(0, width - cell_len(job[-1]) - 4)), cut(job[-1], width - 2), width)]

    def _line(self, left: str, right: str, width: int) -> Text:
        space = " " * max(1, width - 2 - cell_len(left) - cell_len(right))
        style = "bold"
        if self.picture.died:
            style = "bold red"
        elif self.picture.job:
            style = "bold green"
        elif not self.app.held:
            style = "dim"
        return Text.assemble(" ", left, space, (right, style), " ")


def file_in_words(name: str, picture: Picture) -> list[str]:
    """The file in words, the longest variant first."""
    count = len(picture.tasks)
    tasks = f"{count} task" if count == 1 else f"{count} tasks"
    free = f"free {share(picture.free, picture.weights)} %"
    architecture = picture.document.architecture.name
    return [
        f"packnet  {name}   {architecture} · {tasks} · {free}",
        f"{name}   {architecture} · {tasks} · {free}",
        f"{name}   {tasks} · {free}",
        f"{name}   {free}",
        name,
    ]


def job_in_words(picture: Picture) -> list[str]:
    """The running job in words, the longest variant first."""
    if picture.died:
        return [f"✗ {picture.died.partition(';')[0]}"]
    waiting = f"  +{len(picture.queue)} waiting" if picture.queue else ""
    if picture.job:
        return _job(picture.job, waiting)
    if picture.queue:
        return [f"● {short_summary(picture.queue[0][1])}: getting ready", f"● {len(picture.queue)} waiting"]
    if picture.interrupted:
        what = f"○ idle · {short_summary(picture.interrupted)} is unfinished"
        return [f"{what}, t resumes it, x gives it up", f"{what}, t resumes it", "○ idle · t resumes"]
    return ["○ idle"]


def _job(job: RunningJob, waiting: str) -> list[str]:
    if not job.phase:
        return [f"● {short_summary(job.command)}: getting ready{waiting}", f"● {short_summary(job.command)}"]
    if not job.trains:
        return _measuring(job, waiting)
    base, least = (
        f"● {job.phase.upper()} {cut_middle(job.task, width)} {job.epoch}/{job.epochs}" for width in (NAME, NAME // 2)
    )
    left = f"  {time_left(job)}".rstrip()
    speed = f"  {job.images_per_second:,.0f} images/s" if job.images_per_second else ""
    return [base + left + speed + waiting, base + left + waiting, base + left, least + left, least]


def _measuring(job: RunningJob, waiting: str) -> list[str]:
    """An evaluation, preview, comparison or order in words."""
    what = kind(job)
    colon = ":" if what in ("compare", "order") else ""
    far = f"{colon} {done_in_words(job) if isinstance(job.command, Preview) else progress_in_words(job)}"
    task, short = (replace(job, task=cut_middle(job.task, width)) for width in (NAME, NAME // 2))
    whole, brief = f"● {what.upper()} {subject(task)}", f"● {what.upper()} {short.task}"
    part = f" ({job.part} of {job.parts})" if job.parts > 1 else ""
    left = f"  {time_left(job)}".rstrip()
    some = f"{brief}{colon} {done_in_words(job).partition(', ')[0]}{left}"
    return [whole + part + far + waiting, whole + far + waiting, whole + far, some, brief + left, brief]
