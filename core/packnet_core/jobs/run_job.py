"""Do a command under the file's lock and write its events to the journal: for engine, command line and API."""

import errno
import os
import threading
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

import torch

from packnet_core.errors import PacknetError, Stopped, disk_errors, what_was_refused
from packnet_core.jobs import job, journal, rotation
from packnet_core.jobs.journal import Journal
from packnet_core.jobs.session import Session
from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Command, Prune, Train, summary
from packnet_core.schema.events import Checked, Entry, Event, JobFinished, JobStarted, Progress, TrainStep
from packnet_core.training import memory

OUT_OF_MEMORY = ("can't allocate memory", "cannot allocate memory", "not enough memory", "can't start new thread")
STEP_SECONDS = 0.25  # between two training steps in the journal; steps in between are only yielded


def run(path: str | Path, command: Command, stop: threading.Event | None = None) -> Iterator[Entry]:
    """Do one command in this process, under the file's lock. Yields every event; the last is JobFinished.

    Setting `stop` ends the job after the step under way. Raises RequestError if another process has the lock,
    FileError if the file can't be used. Later errors are reported in JobFinished.
    """
    paths = Paths(path)
    with disk_errors(), paths.locked():
        session = Session(paths.file)
        with closing(Journal(paths.journal, paths.restore)) as writer:
            number = journal.next_job(paths.journal)
            yield from perform(session, writer, number, command, stop or threading.Event())


def perform(session: Session, writer: Journal, number: int, command: Command, stop: threading.Event) -> Iterator[Entry]:
    """Do one command on an open session as job `number`. Yields its events and writes them to the journal.

    The last event is JobFinished. The journal gets it in every case: at the end, after a stop (`stop` is set, or the
    caller closes this generator), after an error, KeyboardInterrupt or SystemExit.
    """
    begun, at, ended = time.monotonic(), time.time(), False
    session.stop = stop
    rotation.shorten(writer)

    def finish(outcome: Literal["done", "failed", "stopped"], message: str, status: int = 1) -> Entry:
        nonlocal ended
        ended = True
        seconds = time.monotonic() - begun
        return writer.write(JobFinished(outcome=outcome, message=message, seconds=seconds, status=status), number)

    def stopped() -> Entry:
        return finish("stopped", _stopped(session, command, at))

    try:
        yield writer.write(JobStarted(command=command, pid=os.getpid(), device=str(session.device)), number)
        with memory.kept(), closing(job.events(session, command, number)) as work:  # type: ignore[type-var]
            whole = yield from _written(work, writer, number, stop)
        yield finish("done", f"{summary(command)}: done", 0) if whole else stopped()
    except Stopped:
        yield stopped()
    except PacknetError as error:
        yield finish("failed", str(error), error.status)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        yield finish("failed", "the device is out of memory; try a smaller --batch-size, or --device cpu")
    except Exception as error:
        if words := memory_words(error) or (isinstance(error, OSError) and what_was_refused(error)):
            yield finish("failed", words)
            return
        # a defect: the traceback goes to stderr (the engine's log), one line to the journal
        traceback.print_exc()
        yield finish("failed", f"unexpected {type(error).__name__}: {error}; this is a defect, please report it")
    except BaseException:  # the caller closed this generator, or interrupted the process
        if not ended:
            stopped()
        raise


def memory_words(error: BaseException) -> str | None:
    """What to say of an error that means that this machine's memory is used up; None for any other error."""
    used_up = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    if used_up or (isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY)):
        return "this machine's memory is used up; try a smaller --batch-size, and see ulimit -v"
    return None


def _written(
    work: Iterator[Event], writer: Journal, number: int, stop: threading.Event
) -> Generator[Entry, None, bool]:
    """Yield the events of a job and write them to the journal, training steps only a few times per second.

    Returns whether the job ended by itself. Once `stop` is set, it ends after the step under way.
    """
    written = 0.0
    told = [writer.refused, writer.restored]
    for event in work:
        frequent = isinstance(event, TrainStep | Progress)
        if not frequent or time.monotonic() - written > STEP_SECONDS:
            entry = writer.write(event, number)
            written = time.monotonic() if frequent else written
        else:
            entry = Entry(at=time.time(), job=number, event=event)
        yield entry
        for place, warning in enumerate((writer.refused, writer.restored)):
            if warning is not told[place]:
                told[place] = warning
                if warning is not None:
                    yield warning
        if stop.is_set() and isinstance(event, TrainStep | Progress | Checked):  # what is nearly done comes to its end
            return False
    return True


def _stopped(session: Session, command: Command, begun: float) -> str:
    """The message of a stopped job that began at that time. Its end is not in the journal yet: it is unfinished."""
    what = "nothing changed"
    if isinstance(command, Add | Prune | Train):
        with suppress(PacknetError, OSError):
            document = read_header(session.path).document
            left = unfinished(session.paths, document)
            if left.checkpoint:
                what = f"packnet train {session.path} resumes it"
            elif document.history[-1].at >= begun:
                what = f"its result is saved; {left.advice(session.paths)}".rstrip("; ")
    if session.lost:
        what += f"; what it did since could not be kept: {session.lost}"
    return f"{summary(command)}: stopped; {what}"
