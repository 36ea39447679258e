"""Jobs: commands done on a workspace with every event in the journal, by the engine and the command line alike."""

import os
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import torch

from packnet_core.errors import PacknetError
from packnet_core.jobs import journal
from packnet_core.jobs.journal import Journal
from packnet_core.jobs.session import Session
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Add, Command, Prune, Train, summary
from packnet_core.schema.events import Entry, JobFinished, JobStarted, Progress, TrainStep
from packnet_core.training import memory

STEP_SECONDS = 0.25  # between two steps in the journal; every step in between is only yielded


def run(path: str | Path, command: Command, stop: threading.Event | None = None) -> Iterator[Entry]:
    """Do one command in this process, under the file's lock. Yields every event, the last is JobFinished.

    Setting `stop` ends the job after the step under way. Raises RequestError where another process has the lock,
    FileError where the file can't be used; what goes wrong later is in JobFinished.
    """
    paths = Paths(path)
    with paths.locked():
        session = Session(paths.file)
        with closing(Journal(paths.journal)) as writer:
            job = journal.next_job(journal.read(paths.journal))
            yield from perform(session, writer, job, command, stop or threading.Event())


def perform(session: Session, writer: Journal, job: int, command: Command, stop: threading.Event) -> Iterator[Entry]:
    """Do one command on an open workspace. Yields every event and writes them down; the last is JobFinished."""
    begun = time.monotonic()
    yield writer.write(JobStarted(command=command, pid=os.getpid(), device=str(session.device)), job)

    def finished(outcome: str, message: str, status: int) -> Entry:
        seconds = time.monotonic() - begun
        return writer.write(
            JobFinished(outcome=outcome, message=message, seconds=seconds, status=status),  # type: ignore[arg-type]
            job,
        )

    written = 0.0
    try:
        with memory.kept(), closing(session.run(command)) as events:  # type: ignore[type-var]
            for event in events:
                sparse = isinstance(event, TrainStep | Progress)
                if not sparse or time.monotonic() - written > STEP_SECONDS:
                    entry = writer.write(event, job)
                    written = time.monotonic() if sparse else written
                else:
                    entry = Entry(at=time.time(), job=job, event=event)
                yield entry
                if sparse and stop.is_set():  # in the middle of something: what is just done is let through
                    break
            else:
                yield finished("done", f"{summary(command)}: done", 0)
                return
        kept = (
            f"packnet train {session.path} goes on with it"
            if isinstance(command, Add | Prune | Train) and session.paths.checkpoint.exists()
            else "nothing changed"
        )
        yield finished("stopped", f"{summary(command)}: stopped; {kept}", 1)
    except PacknetError as error:
        yield finished("failed", str(error), error.status)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        yield finished("failed", "the device is out of memory; try a smaller --batch-size, or --device cpu", 1)
    except Exception as error:
        # Not foreseen: the whole story goes to stderr (the engine's log), one line to the journal.
        traceback.print_exc()
        yield finished("failed", f"unexpected {type(error).__name__}: {error}; this is a defect, please report it", 1)
