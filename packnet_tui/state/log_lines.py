"""Events as lines of the screen's log, shorter than on the command line. Needs neither Textual nor torch."""

from packnet_core.schema.events import Compared, Entry, Epoch, Evaluated, Hardness, JobFinished, Note, Previewed, Pruned
from packnet_tui.state.event_lines import line
from packnet_tui.state.format import NAME, cut_middle, images, long, top1
from packnet_tui.state.picture import LogLine


def log_line(entry: Entry) -> LogLine | None:
    """An event as a line of the log; None for events that get no line."""
    level, text = "info", line(entry)
    name = cut_middle(getattr(entry.event, "task", ""), NAME)
    match entry.event:
        case Epoch() as event:
            # without the task's name, which the phase's first line has, to fit a narrow pane
            text = f"{event.phase} {event.epoch}/{event.epochs}  loss {event.loss:.3f}"
            if event.validation_error is not None:
                text += f"  val error {event.validation_error:.2f} %"
        case Pruned() as event:
            text = f"pruned {name} at {event.ratio:g}: {long(event.freed)} weights freed"
            if event.before is not None and event.after is not None:
                text += f"  val error {event.before:.2f} → {event.after:.2f} %"
        case Evaluated(error=error, of=int(whole)):
            text = f"{name}: test error {top1(error, whole)} on {images(error.images, whole)}"
        case Evaluated(error=error):
            top5 = "" if error.top5 is None else f", top-5 {error.top5:.2f} %"
            text = f"{name}: test error {top1(error)}{top5}"
        case Compared(baseline=baseline, error=error, after=after):
            when = f", after {cut_middle(after, NAME)}" if after else ""
            text = f"{name} with {baseline}: test error {top1(error)}{when}"
        case Hardness() as event:
            text = f"{cut_middle(event.name, NAME)}: error {event.ordering_error:.2f} % with a new head"
            text += f", chance {event.chance:.2f} %"
        case Previewed():  # many, and shown on the prune screen
            text = None
        case Note(level="warning"):
            level = "warning"
        case JobFinished(outcome="failed"):
            level = "error"
        case JobFinished(outcome="done"):
            level = "good"
        case JobFinished(outcome="stopped"):
            level = "warning"
            text = entry.event.message.partition(";")[0]
    return None if text is None else LogLine(entry.at, text, level)
