"""The engine's queue: the jobs that wait, and the one that runs."""

import threading
from collections import deque

from packnet_core.errors import RequestError
from packnet_core.jobs import journal, rules
from packnet_core.jobs.journal import Journal
from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Command, Discard, Order, summary
from packnet_core.schema.events import JobFinished, JobQueued


class Queue:
    """The jobs that wait, and the one that runs. Every change is written to the journal."""

    def __init__(self, paths: Paths, writer: Journal):
        self._paths = paths
        self._writer = writer
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Command]] = deque()
        self._next = journal.next_job(paths.journal)
        self._closed = False
        self.running: int | None = None
        self.stop_running = threading.Event()

    def submit(self, command: Command) -> int:
        """Queue a command; an Order goes before all that wait. Returns the job's number.

        Raises RequestError if the file's state does not allow it.
        """
        with self._changed:
            if self._closed:
                raise RequestError("the engine is leaving and takes no more jobs; ask again in a moment")
            if self.running is None and not self._waiting:  # otherwise the jobs before it may change what is allowed
                document = read_header(self._paths.file).document
                rules.check(document, command, unfinished(self._paths, document))
            elif isinstance(command, Discard):  # the checkpoint may be that of the running job
                raise RequestError("jobs run or wait; an interrupted one can be given up when they are done or stopped")
            job, self._next = self._next, self._next + 1
            self._writer.write(JobQueued(command=command), job)
            if isinstance(command, Order):  # in which order to add: it must be known before what waits is added
                self._waiting.appendleft((job, command))
            else:
                self._waiting.append((job, command))
            self._changed.notify()
            return job

    def stop(self, job: int) -> None:
        """Stop the running job, or remove a waiting one. Raises RequestError if the job neither runs nor waits."""
        with self._changed:
            if job == self.running:
                self.stop_running.set()
                return
            for entry in self._waiting:
                if entry[0] == job:
                    self._cancel(entry)
                    return
        raise RequestError(f"job {job} neither runs nor waits")

    def take(self) -> tuple[int, Command] | None:
        """Wait for the next job and return it; None once the queue is closed."""
        with self._changed:
            self.running = None
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            job, command = self._waiting.popleft()
            self.running = job
            self.stop_running.clear()
            return job, command

    def close(self) -> None:
        """Take no more jobs, cancel all that wait, and stop the one that runs."""
        with self._changed:
            self._closed = True
            self.stop_running.set()
            while self._waiting:
                self._cancel(self._waiting[0])
            self._changed.notify()

    def _cancel(self, entry: tuple[int, Command]) -> None:
        self._waiting.remove(entry)
        message = f"{summary(entry[1])}: removed from the queue"
        self._writer.write(JobFinished(outcome="cancelled", message=message, seconds=0, status=1), entry[0])

    def jobs(self) -> tuple[int | None, tuple[int, ...]]:
        """The number of the job that runs, and those of the waiting ones, in order."""
        with self._changed:
            return self.running, tuple(job for job, _ in self._waiting)
