"""The engine's client: find an engine, start it, send it messages. Needs no torch."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from packnet_core.engine.protocol import (
    LONGEST,
    Hello,
    Leave,
    Message,
    Reply,
    Status,
    Stop,
    Submit,
    address_decoder,
    encode,
    reply_decoder,
    same_user,
)
from packnet_core.errors import PacknetError, RequestError, WorkError, disk_errors
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Command
from packnet_core.schema.text import UNREADABLE

STARTING = 2.0  # seconds, at most, from an engine's lock to its address
PATIENCE = 30.0  # seconds until a silent engine is given up; its socket answers also while it works


class Engine:
    """A connection to a running engine. While it is open, the engine does not leave by itself."""

    def __init__(self, connection: socket.socket, file: Path):
        self._socket = connection
        self._lines = connection.makefile("rb")
        self.file = file

    def meet(self, file: tuple[int, int]) -> None:
        """Say hello: send the identity of the file that is meant. Raises RequestError if the engine has another one."""
        self._ask(Hello(file))

    def submit(self, command: Command) -> int:
        """Queue a command. Returns the number of its job. Raises RequestError if the engine refuses it."""
        job = self._ask(Submit(command)).job
        assert job is not None
        return job

    def stop(self, job: int) -> None:
        """Stop a running job after its step, or cancel a waiting one. Raises RequestError for an unknown job."""
        self._ask(Stop(job))

    def status(self) -> Reply:
        """The running job, the waiting jobs, and the engine's process."""
        return self._ask(Status())

    def leave(self) -> None:
        """End the engine."""
        self._ask(Leave())

    def close(self) -> None:
        """Close the connection. The engine keeps running."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: Message) -> Reply:
        try:
            self._socket.sendall(encode(request) + b"\n")
            line = self._lines.readline(LONGEST)
        except OSError as error:
            raise WorkError(f"the engine of {self.file.name} does not answer ({error})") from None
        if not line:
            raise WorkError(f"the engine of {self.file.name} has gone; its log is {Paths(self.file).log}")
        try:
            reply = reply_decoder.decode(line)
        except UNREADABLE as error:
            raise WorkError(f"the engine of {self.file.name} answered what can't be read: {error}") from None
        if reply.error is not None:
            raise RequestError(reply.error)
        return reply


def connect(path: str | Path) -> Engine | None:
    """Connect to the running engine of a file. Returns None if no engine runs."""
    paths = Paths(path)
    if not paths.is_private():  # whoever planted the folder could plant a socket in it
        return None
    try:
        address = address_decoder.decode(paths.address.read_bytes())  # a path, never shown
        connection = _connection(address.socket)
    except (OSError, *UNREADABLE):
        return None
    engine = Engine(connection, paths.file)
    try:
        if not same_user(connection):
            raise RequestError("another user's process listens there")
        engine.meet(paths.identity())
    except (OSError, PacknetError):  # the engine of another file, after a folder was copied, or one that just left
        engine.close()
        return None
    return engine


def _connection(address: str) -> socket.socket:
    """A connection to a socket. Raises OSError if nothing listens there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(address)
            return connection
        except BlockingIOError:  # the queue of connections is full: the engine is there, and busy
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        except OSError:
            connection.close()
            raise


@disk_errors()
def start(path: str | Path) -> Engine:
    """Connect to the engine of a file, and start it first if none runs.

    It gets a session of its own, so a hang-up of this terminal does not reach it. Raises RequestError if another
    process works on the file, WorkError if the engine does not start.
    """
    paths = Paths(path)
    came_up = time.monotonic() + STARTING
    while True:
        if engine := connect(path):
            return engine
        if time.monotonic() > came_up:
            with paths.locked():  # raises if another process works on the file; else the lock was released just now
                break
        if not paths.is_locked():
            break
        time.sleep(0.05)  # the lock is held: perhaps an engine is starting
    paths.make_folder()
    with open(paths.log, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "packnet_core.engine", str(paths.file)],  # -P: no code from this folder
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if engine := connect(path):
            return engine
        if process.poll() is not None:
            if engine := connect(path):  # another engine was faster
                return engine
            raise WorkError(f"the engine did not start: {last_words(paths.log)}")
        time.sleep(0.02)
    process.kill()
    raise WorkError(f"the engine did not start within {PATIENCE:.0f} s; its log is {paths.log}")


def last_words(log: Path) -> str:
    """The last line that the engine printed to its log."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else f"none in {log}"
