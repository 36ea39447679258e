"""Jobs that ended, for those who wait for that. Needs neither Textual nor torch."""

from msgspec.structs import replace

from packnet_core.jobs.history import History, Run
from packnet_core.schema.commands import summary
from packnet_core.schema.document import Error
from packnet_core.schema.events import Entry, JobFinished

HOW = {"done": "is done", "failed": "failed", "stopped": "was stopped", "cancelled": "was cancelled", "died": "died"}


def ended_by(history: History, entry: Entry) -> Run | None:
    """The job that an entry ends, also one that never began; None for other entries.

    `history` is that of all entries before it.
    """
    event, running = entry.event, history.running
    if not isinstance(event, JobFinished):
        return None
    if running and running.job == entry.job:
        run = running
    elif command := history.queue.get(entry.job):
        run = Run(entry.job, entry.at, command)
    else:
        return None
    return replace(run, outcome=event.outcome, message=event.message, seconds=event.seconds)


def result(run: Run) -> tuple[str, Error | None]:
    """The task that a job worked on last, and its test error, if the job measured one."""
    task = run.tasks[-1] if run.tasks else ""
    return task, run.errors.get(task)


def in_words(run: Run) -> str:
    """`add cars is done, test error 18.36 %`, `train failed: no such data`."""
    text = f"{summary(run.command)} {HOW.get(run.outcome, run.outcome)}"
    if run.outcome == "failed":
        return f"{text}: {run.message}"
    _, error = result(run)
    return f"{text}, test error {error.top1:.2f} %" if error and run.outcome == "done" else text
