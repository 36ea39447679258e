"""Follow jobs of other processes in the journal, and end the engine."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from packnet_core.engine.client import Engine, connect, last_words
from packnet_core.errors import FileError, RequestError, WorkError
from packnet_core.jobs.history import History, fold, read_history
from packnet_core.jobs.journal import Reader
from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Command, summary
from packnet_core.schema.events import Entry, JobFinished, JobQueued
from packnet_tui.cli.on_done import OnDone
from packnet_tui.cli.output.progress import EVERY, Display
from packnet_tui.cli.shell import Interrupted, complain, confirm, quoted
from packnet_tui.state.format import duration

POLL = 0.1  # seconds between two reads of the journal


def ignore(entry: Entry) -> None:
    """Do nothing with an entry."""


def submit(
    engine: Engine, command: Command, json: bool, every: float = EVERY, hear: Callable[[Entry], None] = ignore
) -> int:
    """Submit a command to a running engine, and follow the job to its end. Returns the job's exit status."""
    paths = Paths(engine.file)
    reader = Reader(paths.journal)
    history = fold(reader.entries(steps=False))
    job = engine.submit(command)
    in_engine = _InEngine(engine, job)
    try:
        return show(follow(reader, history, job, in_engine.is_pending, paths), Display(json, every=every), hear)
    except WorkError:
        if in_engine.warning:
            text = f"job {job} is over, and the journal does not say how it ended: {in_engine.warning}"
            raise WorkError(text) from None
        raise
    except KeyboardInterrupt:
        file = quoted(paths.file)
        raise Interrupted(
            f"job {job} continues without this terminal; watch it with: packnet watch {file}; stop it with: "
            f"packnet stop {file}"
        ) from None


class _InEngine:
    """A job in an engine's queue. `warning` says why the journal can't be written; it is printed when it comes up."""

    def __init__(self, engine: Engine, job: int):
        self._engine, self._job = engine, job
        self.warning = ""

    def is_pending(self) -> bool:
        """Whether the job runs or waits."""
        try:
            status = self._engine.status()
        except WorkError:
            return False
        if status.warning and not self.warning:
            complain(status.warning)
        self.warning = status.warning
        return self._job == status.job or self._job in status.waiting


def watch_job(file: Path, json: bool = False, every: float = EVERY, on_done: str = "") -> int:
    """Show the running job from its start to its end, then run `on_done`. Returns its exit status; 0 if none runs."""
    paths = Paths(file)
    if not paths.file.is_file():
        read_header(file)  # says what to do
    history = read_history(paths.journal)
    if not history.jobs or not paths.is_locked():
        complain(f"no job runs on {paths.file.name}; {_last(history, paths)}")
        return 0
    job = next(iter(history.jobs))
    entries = follow(Reader(paths.journal), History(), job, paths.is_locked, paths)  # the job from its start
    with OnDone(on_done, paths.file) as done:
        return show(entries, Display(json, bars=False, every=every), done.read)


def stop_engine(file: Path, yes: bool = False) -> int:
    """End the engine of a file. Asks first while a job runs. Returns the exit status."""
    paths = Paths(file)
    engine = connect(file)
    history = read_history(paths.journal)
    if engine is None:
        if not paths.is_locked():
            print(f"no engine runs for {paths.file.name}")
            return 0
        if history.running is None:  # no job of the journal runs: a pid in it may be that of anything by now
            raise RequestError(f"no engine runs for {paths.file.name}, but another process holds {paths.lock}")
        pid = history.running.pid
        raise RequestError(
            f"no engine runs for {paths.file.name}: the work on it is done by a command of its own, process {pid}; "
            f"end that with Ctrl-C in its terminal, or with: kill {pid}"
        )
    with engine:
        status = engine.status()
        what = summary(history.jobs[status.job]) if status.job in history.jobs else "a job"
        if (status.job is not None or status.waiting) and not yes:
            waiting = f", and {len(status.waiting)} more wait" if status.waiting else ""
            question = f"{what} runs{waiting}. Stop it, and end the engine?"
            if not confirm(question, f"{what} runs{waiting}; give --yes to stop it"):
                complain("nothing was stopped")
                return 1
        engine.leave()
        while _answers(engine):
            time.sleep(POLL)
    print(f"the engine of {paths.file.name} has ended{_advice(paths)}")
    return 0


def follow(reader: Reader, history: History, job: int, alive: Callable[[], bool], paths: Paths) -> Iterator[Entry]:
    """The entries of one job as they are written, up to its JobFinished.

    `history` is that of all entries read so far. Raises WorkError if the job will never finish because its process is
    gone.
    """
    in_engine = False
    shown, again, starts = 0, 0, reader.starts  # entries of the job: yielded, and to skip in a journal written again
    while True:
        was_alive = alive()  # checked before reading, so that the last entries of a process are read
        quiet = True
        for entry in reader.entries():
            quiet = False
            if reader.starts != starts:
                history, again, starts = History(), shown, reader.starts
            pending = job in history.jobs
            history.read(entry)
            if entry.job == job:
                in_engine = in_engine or isinstance(entry.event, JobQueued)
                if again:
                    again -= 1
                    continue
                shown += 1
                yield entry
                if isinstance(entry.event, JobFinished):
                    return
            elif pending and job not in history.jobs:
                raise _cut_off(paths, in_engine)
        if not was_alive:
            raise _cut_off(paths, in_engine)
        if quiet:
            time.sleep(POLL)


def show(entries: Iterable[Entry], display: Display, hear: Callable[[Entry], None] = ignore) -> int:
    """Show a job's entries, of which the last is JobFinished. Returns its exit status; a failure goes to stderr."""
    finished = None
    with display:
        for entry in entries:
            hear(entry)
            if isinstance(entry.event, JobFinished):
                finished = entry.event
            if finished is None or finished.outcome == "done" or display.json:
                display.show(entry)
    assert finished is not None
    if finished.outcome != "done":
        complain(finished.message)
    return finished.status


def _last(history: History, paths: Paths) -> str:
    if history.jobs:
        return f"the last one was cut off{_advice(paths)}"
    if history.last_end is None:
        return "none was done yet"
    at, message = history.last_end
    return f"the last one, {duration(max(0.0, time.time() - at))} ago: {message}"


def _cut_off(paths: Paths, in_engine: bool) -> WorkError:
    who = f"the engine of {paths.file.name} died; end of its log: {last_words(paths.log)}"
    if not in_engine:
        who = f"the process that worked on {paths.file.name} ended before its job was done"
    return WorkError(who + _advice(paths))


def _advice(paths: Paths) -> str:
    """What to do after a job that was cut off, as the end of a sentence."""
    try:
        advice = unfinished(paths, read_header(paths.file).document).advice(paths)
    except FileError as error:  # there is no file any more
        advice = str(error)
    return f"; {advice}" if advice else ""


def _answers(engine: Engine) -> bool:
    try:
        engine.status()
    except WorkError:
        return False
    return True
