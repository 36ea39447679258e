"""The first line: the file, how much of it is free, and the running job."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from packnet_core.schema.commands import Compare, Order, Preview
from packnet_tui.state.format import NAME, clock, cut, cut_middle, percent, short_summary
from packnet_tui.state.picture import Picture, RunningJob
from packnet_tui.workbench.widgets.pane import Lines

PHASE_LABELS = {"train": "TRAIN", "retrain": "RETRAIN", "eval": "EVAL"}


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
    free = f"free {percent(picture.free, picture.weights).rstrip('%')} %"
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
    task, brief = cut_middle(job.task, NAME), cut_middle(job.task, NAME // 2)
    if job.phase == "eval":
        word = "PREVIEW" if isinstance(job.command, Preview) else "EVAL"
        done = f"● {word} {task}  {job.done:,}/{job.images:,} images"
        return [done + waiting, f"● {word} {brief}"]
    if isinstance(job.command, Compare) and job.phase:
        done = f"● COMPARE {task}  {job.command.baseline} {percent(job.done, job.images)}"
        return [done + waiting, done, f"● COMPARE {brief}"]
    if isinstance(job.command, Order) and job.phase:
        done = f"● ORDER {task}  step {job.done:,}/{job.images:,}"
        return [done + waiting, f"● ORDER {brief}"]
    if not job.phase:
        return [f"● {short_summary(job.command)}: getting ready{waiting}", f"● {short_summary(job.command)}"]
    base, least = (f"● {PHASE_LABELS[job.phase]} {name} {job.epoch}/{job.epochs}" for name in (task, brief))
    left = "" if job.seconds_left is None else f"  ETA {clock(job.seconds_left)}"
    speed = f"  {job.images_per_second:,.0f} images/s" if job.images_per_second else ""
    return [base + left + speed + waiting, base + left + waiting, base + left, least + left, least]
