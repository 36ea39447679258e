"""Events as plain lines, as the command line and `packnet watch` print them."""

from packnet_core.schema.commands import summary
from packnet_core.schema.events import (
    Checked,
    Compared,
    EngineLeft,
    EngineStarted,
    Entry,
    Epoch,
    Evaluated,
    GivenUp,
    Hardness,
    JobFinished,
    JobQueued,
    JobStarted,
    Note,
    PhaseStarted,
    Previewed,
    Pruned,
    Resumed,
    Saved,
    Undone,
)
from packnet_core.schema.text import printable
from packnet_tui.state.format import duration, file_size, images, top1

DOING = {"train": "training", "retrain": "retraining", "eval": "evaluating", "compare": "comparing",
         "order": "training a head for"}  # fmt: skip
BASELINES = {
    "classifier": "Classifier Only",
    "individual": "an Individual Network",
    "lwf": "Learning without Forgetting",
    "ewc": "Elastic Weight Consolidation",
    "joint": "Joint Training",
    "filters": "filter pruning",
}


def line(entry: Entry) -> str | None:
    """One event as a line without control codes; None for events that get no line, such as steps.

    Events of this process were not decoded, so their texts are made printable here.
    """
    text = _text(entry)
    return None if text is None else printable(text)


def _text(entry: Entry) -> str | None:
    match entry.event:
        case EngineStarted(pid=pid):
            return f"engine {pid} started"
        case EngineLeft(pid=pid, reason=reason):
            return f"engine {pid} ended: {reason}"
        case JobQueued(command=command):
            return f"job {entry.job} is queued: {summary(command)}"
        case JobStarted(command=command, device=device):
            return f"job {entry.job} starts on {device}: {summary(command)}"
        case Resumed(command=command):
            return f"resuming {summary(command)}"
        case GivenUp(command=command):
            return f"the interrupted job, {summary(command)}, is given up"
        case PhaseStarted(phase="train" | "retrain" as phase) as event:
            epochs = f"{event.epochs} epoch{'s' * (event.epochs != 1)} of {images(event.images)}"
            if event.epoch > event.epochs > 0:  # resumed after the last one
                return f"{DOING[phase]} {event.task}: {epochs}, already done"
            start = f", resumed in epoch {event.epoch}" if event.epoch > 1 else ""
            return f"{DOING[phase]} {event.task}: {epochs}{start}"
        case Epoch() as event:
            return _epoch(event)
        case Pruned() as event:
            around = ""
            if event.before is not None and event.after is not None:
                around = f"; validation error {event.before:.2f} % → {event.after:.2f} %"
            return f"pruned {event.task} at {event.ratio:g}: {event.freed:,} weights freed, {event.kept:,} kept{around}"
        case Previewed() as event:
            where = f"on {images(event.images)}, before any retraining"
            return f"{event.task} pruned at {event.ratio:g}: error {event.error:.2f} % {where}"
        case Checked(task=task, ok=False):  # a digest that fits gets no line
            return f"{task}: what it uses does not fit its digest"
        case Evaluated(task=task, error=error, of=of):
            top5 = "" if error.top5 is None else f", top-5 error {error.top5:.2f} %,"
            return f"{task}: test error {top1(error, of)}{top5} on {images(error.images, of)}"
        case Compared(task=task, baseline=baseline, error=error, after=after):
            when = f", after {after} was added" if after else ""
            return f"{task}: test error {top1(error)} by {BASELINES[baseline]}{when}"
        case Hardness(name=name) as event:
            on = "test" if event.validation_error is None else "validation"
            words = f"{on} error {event.ordering_error:.2f} % with a new head, chance {event.chance:.2f} %"
            return f"{name}: {words}, {event.classes} classes"
        case Saved(bytes=size):
            return f"file saved, {file_size(size)}"
        case Undone(task=task, bytes=size):
            return f"{task} is back, as it was before the drop; {file_size(size)}"
        case Note(text=text, level=level):
            return f"warning: {text}" if level == "warning" else text
        case JobFinished(message=message, outcome=outcome, seconds=seconds):
            return f"{message} in {duration(seconds)}" if outcome == "done" else message
        case _:
            return None


def _epoch(event: Epoch) -> str:
    digits = len(str(event.epochs))
    validation = "" if event.validation_error is None else f"  validation error {event.validation_error:6.2f} %"
    return (
        f"{event.phase} {event.task} {event.epoch:{digits}}/{event.epochs}  loss {event.loss:.4f}"
        f"  training error {event.error:6.2f} %{validation}  {duration(event.seconds)}"
    )
