"""Commands that change neither file nor network (law 4): evaluation, preview of pruning, comparisons, an order."""

from collections.abc import Iterator
from functools import partial

from packnet_core.data.loading import load_test
from packnet_core.data.reading import Reading
from packnet_core.jobs import hardness, rules
from packnet_core.jobs.compare import compare
from packnet_core.jobs.session import Session
from packnet_core.schema.commands import Compare, Evaluate, Order, Preview, ReadOnly
from packnet_core.schema.events import Checked, Evaluated, Event, Note, PhaseStarted
from packnet_core.training.evaluate import evaluate, preview


def events(session: Session, command: ReadOnly) -> Iterator[Event]:
    """Do a command that changes neither network nor file; its results are events."""
    match command:
        case Evaluate():
            return _evaluate(session, command)
        case Preview():
            return _preview(session, command)
        case Compare():
            return _compare(session, command)
        case Order():
            return _order(session, command)


def _compare(session: Session, command: Compare) -> Iterator[Event]:
    reading = session.reading(command.on_bad_image, early=True)
    load = partial(session.data_of, reading=reading)
    yield from compare(session.path, session.document, command, load, session.device)
    yield from count_skipped(reading)


def _order(session: Session, command: Order) -> Iterator[Event]:
    """Train a head for each data set, on the features of a task."""
    reading = session.reading(command.on_bad_image, early=True)
    yield from hardness.as_order(
        hardness.measure(session.path, command.data, command.recipe, features=command.features, limit=command.limit,
                         device=session.device, reading=reading)
    )  # fmt: skip
    yield from count_skipped(reading)


def _evaluate(session: Session, command: Evaluate) -> Iterator[Event]:
    """Measure tasks, then check their digests, so that results do not wait for the check."""
    document, mixed = session.document, session.mixed(command)
    names = command.tasks or list(mixed) or list(command.sources) or [task.name for task in document.tasks]
    wrong, count = 0.0, 0
    reading = session.reading(command.on_bad_image, early=True)
    for part, name in enumerate(names, 1):
        index = document.index(name)
        task = document.tasks[index - 1]
        source = command.sources.get(name) or command.data or task.data.source
        images = mixed[name] if mixed else session.read(
            load_test, source, reading, input=document.input, classes=task.classes, crop=task.data.crop,
            limit=command.limit,
        )  # fmt: skip
        yield PhaseStarted(phase="eval", task=name, epochs=0, images=len(images), part=part, parts=len(names))
        for event in evaluate(session.network, index, name, images):
            if isinstance(event, Evaluated):
                wrong, count = wrong + event.error.top1 * event.error.images, count + event.error.images
            yield event
    yield from count_skipped(reading)
    if command.elsewhere and len(names) > 1:
        yield Note(text=f"together: {wrong / count:.2f} % of {count:,} images wrong")
    for name, ok in session.digests(max(document.index(name) for name in names)):
        if name in names:
            yield Checked(task=name, ok=ok)
        if name in names and not ok:
            text = f"what task {name!r} uses does not fit its digest: the file is damaged; see packnet verify"
            yield Note(text=text, level="warning")


def count_skipped(reading: Reading) -> Iterator[Event]:
    """A warning of the images that were left out, if there are any."""
    if reading.damaged:
        yield skipped(reading)


def skipped(reading: Reading) -> Note:
    """A warning that names the first of the images that were left out, and counts them."""
    count = len(reading.damaged)
    text = f"{count:,} image{'' if count == 1 else 's'} left out so far: {next(iter(reading.damaged))}"
    return Note(text=text, level="warning")


def _preview(session: Session, command: Preview) -> Iterator[Event]:
    """Measure the error right after pruning at each ratio, on a sample of the validation images."""
    task = rules.open_task(session.document, "pruned")
    reading = session.reading("skip", early=True)  # nothing that is kept depends on it
    data = session.data_of(task, None, reading=reading)
    images = (data.validation if len(data.validation) else data.train).sample(command.images, seed=0)
    for ratio in command.ratios:
        yield from preview(session.network, task.name, ratio, images)
    yield from count_skipped(reading)
