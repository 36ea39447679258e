"""Jobs of other processes, followed in the journal; and the engine, ended."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from packnet_core.engine.client import Engine, connect, last_words
from packnet_core.errors import RequestError, WorkError
from packnet_core.jobs.journal import Reader
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Command, summary
from packnet_core.schema.events import EngineLeft, EngineStarted, Entry, JobFinished, JobQueued, JobStarted
from packnet_tui.cli.output.progress import Display
from packnet_tui.cli.shell import Interrupted, complain, confirm, quoted
from packnet_tui.state.format import duration

POLL = 0.1  # seconds between two looks at the journal


def submit(engine: Engine, command: Command, json: bool) -> int:
    """Have a running engine do a command, and follow it to its end. Returns the job's exit status."""
    paths = Paths(engine.file)
    reader = Reader(paths.journal)
    reader.poll()  # what was before is not ours
    job = engine.submit(command)
    try:
        return show(follow(reader, job, alive=lambda: _answers(engine), paths=paths), Display(json))
    except KeyboardInterrupt:
        file = quoted(paths.file)
        raise Interrupted(
            f"job {job} goes on without this terminal; see it with: packnet watch {file}; end it with: "
            f"packnet stop {file}"
        ) from None


def watch(file: Path, json: bool = False) -> int:
    """Show the running job from its start to its end. Returns its exit status, or 0 where none runs."""
    paths = Paths(file)
    if not paths.file.exists():
        read_header(file)  # says what to do
    reader = Reader(paths.journal)
    entries = reader.poll()
    jobs = unfinished(entries)
    if not jobs or not paths.is_locked():
        complain(f"no job runs on {paths.file.name}; {_last(entries, bool(jobs), paths)}")
        return 0
    job = next(iter(jobs))
    ours = [entry for entry in entries if entry.job == job]
    return show(follow(reader, job, alive=paths.is_locked, paths=paths, seen=ours), Display(json, bars=False))


def stop(file: Path, yes: bool = False) -> int:
    """End the engine of a file. Asks first while a job runs. Returns the exit status."""
    paths = Paths(file)
    engine = connect(file)
    entries = Reader(paths.journal).poll()
    if engine is None:
        if not paths.is_locked():
            print(f"no engine runs for {paths.file.name}")
            return 0
        pid = next((entry.event.pid for entry in reversed(entries) if isinstance(entry.event, JobStarted)), 0)
        raise RequestError(
            f"no engine runs for {paths.file.name}: the work on it is done by a command of its own, process {pid}; "
            f"end that with Ctrl-C in its terminal, or with: kill {pid}"
        )
    with engine:
        status = engine.status()
        jobs = unfinished(entries)
        what = summary(jobs[status.job]) if status.job in jobs else "a job"
        if (status.job is not None or status.waiting) and not yes:
            waiting = f", and {len(status.waiting)} more wait" if status.waiting else ""
            question = f"{what} runs{waiting}. Stop it, and end the engine?"
            if not confirm(question, f"{what} runs{waiting}; say --yes to stop it"):
                complain("nothing was stopped")
                return 1
        engine.leave()
        while _answers(engine):
            time.sleep(POLL)
    kept = ""
    if status.job is not None and paths.checkpoint.exists():
        kept = f"; {what} can be gone on with: packnet train {quoted(paths.file)}"
    print(f"the engine of {paths.file.name} has ended{kept}")
    return 0


def follow(
    reader: Reader, job: int, alive: Callable[[], bool], paths: Paths, seen: Sequence[Entry] = ()
) -> Iterator[Entry]:
    """The entries of one job as they are written, up to its JobFinished. `seen` are those read before.

    Raises WorkError where whoever did the job is gone, or has begun something else, without having finished it.
    """
    entries, was_alive, started, in_engine = list(seen), True, False, False
    while True:
        for entry in entries:
            if entry.job == job:
                started = started or isinstance(entry.event, JobStarted)
                in_engine = in_engine or isinstance(entry.event, JobQueued)
                yield entry
                if isinstance(entry.event, JobFinished):
                    return
            elif isinstance(entry.event, EngineStarted) or (started and isinstance(entry.event, JobStarted)):
                raise _cut_off(paths, in_engine)
        if not was_alive:
            raise _cut_off(paths, in_engine)
        was_alive = alive()  # before reading: what was written before the end is read then
        entries = reader.poll()
        if not entries and was_alive:
            time.sleep(POLL)


def unfinished(entries: Sequence[Entry]) -> dict[int, Command]:
    """Jobs that run or wait, in their order, if whoever does them is alive: the first one runs."""
    jobs: dict[int, Command] = {}
    for entry in entries:
        match entry.event:
            case EngineStarted() | EngineLeft():
                jobs.clear()
            case JobQueued(command=command):
                jobs[entry.job] = command
            case JobStarted(command=command):
                if entry.job not in jobs:  # done by a command of its own, under the lock: nothing else is
                    jobs.clear()
                jobs[entry.job] = command
            case JobFinished():
                jobs.pop(entry.job, None)
    return jobs


def show(entries: Iterable[Entry], display: Display) -> int:
    """Show a job's entries to the last, its JobFinished. Returns its exit status; a failure is said on stderr."""
    finished = None
    with display:
        for entry in entries:
            if isinstance(entry.event, JobFinished):
                finished = entry.event
            if finished is None or finished.outcome == "done" or display.json:
                display.show(entry)
    assert finished is not None
    if finished.outcome != "done":
        complain(finished.message)
    return finished.status


def _last(entries: Sequence[Entry], cut_off: bool, paths: Paths) -> str:
    if cut_off:
        return f"the last one was cut off; go on with it: packnet train {quoted(paths.file)}"
    for entry in reversed(entries):
        if isinstance(entry.event, JobFinished):
            ago = duration(max(0.0, datetime.now(UTC).timestamp() - entry.at))
            return f"the last one, {ago} ago: {entry.event.message}"
    return "none was done yet"


def _cut_off(paths: Paths, in_engine: bool) -> WorkError:
    who = f"the engine of {paths.file.name} died, its last words: {last_words(paths.log)}"
    if not in_engine:
        who = f"the process that worked on {paths.file.name} ended before its job was done"
    kept = f"; go on from its checkpoint with: packnet train {quoted(paths.file)}" if paths.checkpoint.exists() else ""
    return WorkError(who + kept)


def _answers(engine: Engine) -> bool:
    try:
        engine.status()
    except WorkError:
        return False
    return True
