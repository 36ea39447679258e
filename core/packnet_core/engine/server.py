"""The engine: one process per file. It holds the lock and the network, and does queued jobs one at a time.

The socket answers at once, even while torch is imported or a job runs: the work has its own thread.
"""

import os
import signal
import socket
import socketserver
import stat
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from packnet_core.engine.protocol import (
    LONGEST,
    Address,
    Hello,
    Leave,
    Message,
    Reply,
    Status,
    Stop,
    Submit,
    address_decoder,
    encode,
    message_decoder,
    same_user,
)
from packnet_core.errors import PacknetError, RequestError, disk_errors, what_was_refused
from packnet_core.files.atomic import replace_file
from packnet_core.jobs import journal, rules
from packnet_core.jobs.journal import Journal
from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Command, summary
from packnet_core.schema.events import EngineLeft, EngineStarted, JobFinished, JobQueued, Note
from packnet_core.schema.text import UNREADABLE

LOG_BYTES = 1_000_000  # of the engine's log; a longer one is cut to half of it
IDLE_SECONDS = 120.0  # until an engine without work and without connections leaves


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
        """Queue a command. Returns the job's number. Raises RequestError if the file's state does not allow it."""
        with self._changed:
            if self._closed:
                raise RequestError("the engine is leaving and takes no more jobs; ask again in a moment")
            if self.running is None and not self._waiting:  # otherwise the jobs before it may change what is allowed
                document = read_header(self._paths.file).document
                rules.check(document, command, unfinished(self._paths, document))
            job, self._next = self._next, self._next + 1
            self._writer.write(JobQueued(command=command), job)
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


class _Connection(socketserver.StreamRequestHandler):
    """One client: one message per line, one reply per line. The first message must be a Hello."""

    server: "Server"

    def handle(self) -> None:
        with self.server.counted(), suppress(OSError):  # the client left before its reply
            if not same_user(self.connection):
                return
            met = False
            while line := self.rfile.readline(LONGEST):
                reply, met = self.server.answer(line, met)
                self.wfile.write(encode(reply) + b"\n")

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers clients while a worker thread does the jobs. Ends when idle without clients, on SIGTERM, or on Leave."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # connections that may wait; a full queue refuses them

    def __init__(self, paths: Paths, writer: Journal, socket_path: Path, idle_seconds: float):
        self.queue = Queue(paths, writer)
        self.reason = ""  # to leave; empty while it stays
        self._paths, self._writer = paths, writer
        self._identity = paths.identity()
        self._idle_seconds = idle_seconds
        self._connections = 0
        self._count_lock = threading.Lock()
        self._busy_at = time.monotonic()
        super().__init__(str(socket_path), _Connection)
        self.worker = threading.Thread(target=self._work, name="worker")
        self.worker.start()

    def answer(self, line: bytes, met: bool = True) -> tuple[Reply, bool]:
        """The reply to one message, and whether the client has sent the Hello for this file by now."""
        try:
            message: Message = message_decoder.decode(line)
            submitted = None
            match message:
                case Hello(file=file):
                    met = file == self._identity
                    if not met:
                        raise RequestError(f"this is the engine of {self._paths.file}, and another file is meant")
                case _ if not met:
                    raise RequestError("the first message must be hello")
                case Submit(command=command):
                    submitted = self.queue.submit(command)
                case Stop(job=number):
                    self.queue.stop(number)
                case Leave():
                    self.reason = self.reason or "a client asked for it"
                    self.queue.close()
                case Status():
                    pass
            running, waiting = self.queue.jobs()
            refused = self._writer.refused
            warning = refused.event.text if refused and isinstance(refused.event, Note) else ""
            job = running if isinstance(message, Status) else submitted
            return Reply(job=job, waiting=waiting, pid=os.getpid(), warning=warning), met
        except (*UNREADABLE, PacknetError, OSError) as error:
            words = what_was_refused(error) if isinstance(error, OSError) else str(error)
            return Reply(error=words, pid=os.getpid()), met

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one connection while it lasts."""
        with self._count_lock:
            self._connections += 1
        try:
            yield
        finally:
            with self._count_lock:
                self._connections -= 1

    def service_actions(self) -> None:
        """Decide whether to end; `serve_forever` calls this twice per second."""
        if self.queue.jobs() != (None, ()) or self._connections:
            self._busy_at = time.monotonic()
        if not self.reason and time.monotonic() - self._busy_at > self._idle_seconds:
            self.reason = "idle, and no client is connected"
        if not self.worker.is_alive():
            self.reason = self.reason or "its worker thread ended"
        if self.reason:
            threading.Thread(target=self.shutdown).start()  # shutdown waits for the loop that calls us

    def _work(self) -> None:
        # imports torch and loads the network here, while the socket answers already
        from packnet_core.jobs.run_job import perform
        from packnet_core.jobs.session import Session

        opened = disk_errors()(Session)
        session: Session | None = None
        try:
            session = opened(self._paths.file)
        except PacknetError as error:
            self._writer.write(Note(text=str(error), level="warning"))
        while taken := self.queue.take():
            job, command = taken
            try:
                session = session or opened(self._paths.file)
            except PacknetError as error:
                failed = JobFinished(outcome="failed", message=str(error), seconds=0, status=error.status)
                self._writer.write(failed, job)
                continue
            for _ in perform(session, self._writer, job, command, self.queue.stop_running):
                pass


def _remove_dead_socket(paths: Paths) -> None:
    """Remove the socket of a killed engine, which its address names; nothing else, whatever the address says."""
    with suppress(OSError, *UNREADABLE):
        old = Path(address_decoder.decode(paths.address.read_bytes()).socket)
        if old.match("engine-*.sock") and stat.S_ISSOCK(old.lstat().st_mode) and not _listens(old):
            old.unlink()
            if old.parent.name.startswith("packnet-"):
                old.parent.rmdir()  # a folder for this socket alone: others are not empty


def _listens(path: Path) -> bool:
    """Whether a process listens at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def _shorten(log: Path) -> None:
    """Cut the engine's log to its last lines where it is long. It is only ever appended to, also by this process."""
    with suppress(OSError), open(log, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size > LOG_BYTES:
            file.seek(size - LOG_BYTES // 2)
            file.readline()  # the rest of a line
            tail = file.read()
            file.seek(0)
            file.write(tail)
            file.truncate()


@disk_errors()
def serve(path: str, idle_seconds: float = IDLE_SECONDS) -> None:
    """Run the engine of a file until it ends.

    Raises RequestError if another process has the file's lock, DiskError where the disk lets it not begin.
    """
    paths = Paths(path)
    with paths.locked(), closing(Journal(paths.journal)) as writer:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _remove_dead_socket(paths)
        _shorten(paths.log)
        socket_path = paths.socket_folder() / f"engine-{os.getpid()}.sock"
        socket_path.unlink(missing_ok=True)
        before = os.umask(0o077)  # no other user may connect
        try:
            server = Server(paths, writer, socket_path, idle_seconds)
        finally:
            os.umask(before)

        def leave(*_: object) -> None:
            server.reason = "SIGTERM"

        try:
            signal.signal(signal.SIGTERM, leave)
            address = encode(Address(str(socket_path), os.getpid()))
            replace_file(paths.address, lambda file: file.write(address))
            writer.write(EngineStarted(pid=os.getpid()))  # after the address: a reader of this event can connect
            server.serve_forever()
        finally:
            server.queue.close()
            server.worker.join()
            for gone in (paths.address, socket_path):
                with suppress(OSError):
                    gone.unlink(missing_ok=True)
            server.server_close()
            writer.write(EngineLeft(pid=os.getpid(), reason=server.reason))
