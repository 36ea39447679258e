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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
from packnet_core.engine.queue import Queue
from packnet_core.errors import PacknetError, RequestError
from packnet_core.files.atomic import replace_file
from packnet_core.jobs.journal import Journal
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import EngineLeft, EngineStarted, JobFinished, Note
from packnet_core.schema.text import UNREADABLE

LOG_BYTES = 1_000_000  # of the engine's log; a longer one is cut to half of it
IDLE_SECONDS = 120.0  # until an engine without work and without connections leaves


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

    def __init__(self, paths: Paths, writer: Journal, idle_seconds: float):
        self.queue = Queue(paths, writer)
        self.reason = ""  # to leave; empty while it stays
        self._paths, self._writer = paths, writer
        self._identity = paths.identity()
        self._idle_seconds = idle_seconds
        self._connections = 0
        self._count_lock = threading.Lock()
        self._busy_at = time.monotonic()
        self.socket_path = _new_socket_path(paths)
        with _private():
            super().__init__(str(self.socket_path), _Connection)
        self.worker = threading.Thread(target=self._work, name="worker")
        self.worker.start()

    def answer(self, line: bytes, met: bool = True) -> tuple[Reply, bool]:
        """The reply to one message, and whether the client has sent the Hello for this file by now."""
        try:
            message: Message = message_decoder.decode(line)
            job = None
            match message:
                case Hello(file=file):
                    met = file == self._identity
                    if not met:
                        raise RequestError(f"this is the engine of {self._paths.file}, and another file is meant")
                case _ if not met:
                    raise RequestError("the first message must be hello")
                case Submit(command=command):
                    job = self.queue.submit(command)
                case Stop(job=number):
                    self.queue.stop(number)
                case Leave():
                    self.reason = self.reason or "a client asked for it"
                    self.queue.close()
                case Status():
                    job = self.queue.running
            return Reply(job=job, waiting=self.queue.waiting, pid=os.getpid()), met
        except (*UNREADABLE, PacknetError) as error:
            return Reply(error=str(error), pid=os.getpid()), met

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

    def announce(self) -> None:
        """Write the address at which clients find this engine."""
        self._identity = self._paths.identity()
        address = encode(Address(str(self.socket_path), os.getpid()))
        replace_file(self._paths.address, lambda file: file.write(address))

    def _restore(self) -> None:
        """Be there for clients again where the folder was deleted, or the socket (at a logout, with its folder)."""
        self._writer.check()
        if self.socket_path.exists() and self._paths.address.exists():
            return
        with suppress(OSError, PacknetError):  # tried again half a second later
            if not self.socket_path.exists():
                path = _new_socket_path(self._paths)
                with socket.socket(socket.AF_UNIX) as again, _private():
                    again.bind(str(path))
                    again.listen(self.request_queue_size)
                    os.dup2(again.fileno(), self.fileno(), inheritable=False)
                self.socket_path = path
            self.announce()

    def service_actions(self) -> None:
        """Decide whether to end; `serve_forever` calls this twice per second."""
        self._restore()
        if self.queue.running is not None or self.queue.waiting or self._connections:
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

        session = None
        try:
            session = Session(self._paths.file)
        except PacknetError as error:
            self._writer.write(Note(text=str(error), level="warning"))
        while taken := self.queue.take():
            job, command = taken
            try:
                session = session or Session(self._paths.file)
            except PacknetError as error:
                failed = JobFinished(outcome="failed", message=str(error), seconds=0, status=error.status)
                self._writer.write(failed, job)
                continue
            for _ in perform(session, self._writer, job, command, self.queue.stop_running):
                pass


def _new_socket_path(paths: Paths) -> Path:
    path = paths.socket_folder() / f"engine-{os.getpid()}.sock"
    path.unlink(missing_ok=True)
    return path


@contextmanager
def _private() -> Iterator[None]:
    """A context in which new files are this user's alone: no other user may connect to a socket."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


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


def serve(path: str, idle_seconds: float = IDLE_SECONDS) -> None:
    """Run the engine of a file until it ends. Raises RequestError if another process has the file's lock."""
    paths = Paths(path)
    with paths.locked():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _remove_dead_socket(paths)
        _shorten(paths.log)
        writer = Journal(paths.journal, paths.restore)
        server = Server(paths, writer, idle_seconds)

        def leave(*_: object) -> None:
            server.reason = "SIGTERM"

        signal.signal(signal.SIGTERM, leave)
        server.announce()
        writer.write(EngineStarted(pid=os.getpid()))  # after the address: a reader of this event can connect
        try:
            server.serve_forever()
        finally:
            server.queue.close()
            server.worker.join()
            paths.address.unlink(missing_ok=True)
            server.server_close()
            server.socket_path.unlink(missing_ok=True)
            writer.write(EngineLeft(pid=os.getpid(), reason=server.reason))
