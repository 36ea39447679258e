"""How far the running job is: folded from its events, and in words. Screen and command line share it."""

from dataclasses import replace

from packnet_core.schema.commands import Compare, Order, Preview
from packnet_core.schema.events import Entry, Epoch, PhaseStarted, Progress, TrainStep
from packnet_tui.state.format import clock
from packnet_tui.state.pace import Pace
from packnet_tui.state.picture import RunningJob


class JobProgress:
    """Follows one job at a time."""

    def __init__(self) -> None:
        self._pace = Pace(0.0)

    def after(self, job: RunningJob, entry: Entry) -> RunningJob:
        """The job after an event of it."""
        match entry.event:
            case PhaseStarted() as event:
                self._pace = Pace(entry.at)
                epoch = min(event.epoch, event.epochs)  # resumed after the last one, it is evaluated
                job = replace(job, phase=event.phase, task=event.task, epoch=epoch, epochs=event.epochs, done=0)
                return replace(job, images=event.images, part=event.part, parts=event.parts, validation=None,
                               seconds_left=None)  # fmt: skip
            case Progress() as event:
                if job.trains or not job.phase or job.task != event.task:  # no PhaseStarted came before it
                    self._pace = Pace(entry.at, event.done)
                    doing = job.command
                    phase = "order" if isinstance(doing, Order) else "compare" if isinstance(doing, Compare) else "eval"
                    job = replace(job, phase=phase, parts=1)
                self._pace.add(entry.at, event.done)
                left = self._pace.seconds_left(event.images - event.done)
                job = replace(job, task=event.task, done=event.done, images=event.images, seconds_left=left)
                return replace(job, epoch=event.epoch, epochs=event.epochs)
            case TrainStep() as event:
                speed = event.images_per_second
                return replace(job, epoch=event.epoch, images_per_second=speed, seconds_left=event.seconds_left)
            case Epoch() as event:
                return replace(job, epoch=event.epoch, validation=event.validation_error)
        return job


def kind(job: RunningJob) -> str:
    """What the job does now: its phase, or `preview`, or `compare` for all of a comparison."""
    match job.command:
        case Preview():
            return "preview"
        case Compare():
            return "compare"
        case _:
            return job.phase


def subject(job: RunningJob) -> str:
    """What an evaluation or comparison is about: `birds`, or `birds with individual`."""
    return f"{job.task} with {job.command.baseline}" if isinstance(job.command, Compare) else job.task


def done_in_words(job: RunningJob) -> str:
    """How far an evaluation or comparison is: `1,200 of 5,000 images`, or `26 % done, epoch 3 of 8`.

    Never a percentage without its meaning, which would read as an error.
    """
    if job.phase == "compare":
        epoch = f", epoch {job.epoch} of {job.epochs}" if job.epochs else ""
        return f"{100 * job.done // max(job.images, 1)} % done{epoch}"
    if job.phase == "order":
        return f"step {job.done:,} of {job.images:,}"
    testing = "testing, " if isinstance(job.command, Compare) else ""
    return f"{testing}{job.done:,} of {job.images:,} images"


def time_left(job: RunningJob) -> str:
    """`ETA 00:12`: of the phase under way, of a training of the whole job; empty before it is known."""
    return "" if job.seconds_left is None else f"ETA {clock(job.seconds_left)}"


def progress_in_words(job: RunningJob) -> str:
    """How far an evaluation or comparison is and how long the rest takes: `1,200 of 5,000 images, ETA 00:12`."""
    return ", ".join(filter(None, (done_in_words(job), time_left(job))))
