"""A warm process that does each command in a child of its own, which is killed at a chosen moment.

torch is imported once, and each child is a fork: hundreds of real kills take minutes. It has no GPU and one thread, so
forks are safe and results are the same bits each time.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from packnet_core.errors import PacknetError
from packnet_core.schema.commands import Command
from packnet_core.schema.events import Event

How = Literal["event", "call", "time", "term"]  # SIGKILL at an event, a call or a time, SIGTERM at a time


class Ask(Struct):
    """What a child does. `at` is a `place` of an event, the number of a call of a function, or seconds; None: never."""

    path: str
    command: Command
    how: How = "event"
    at: float | str | None = None


class Ended(Struct):
    """How a child ended: its exit status, or minus the signal; and its events, calls and seconds."""

    status: int
    events: int = 0
    calls: int = 0
    seconds: float = 0.0


class Warm:
    """The warm process. `do` waits for the child's end."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )

    def do(self, path: Path, command: Command, how: How = "event", at: float | str | None = None) -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(Ask(str(path), command, how, at)) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Ended)

    def close(self) -> str:
        """End it. Returns what the children wrote to their stderr."""
        self._process.communicate()
        self._errors.seek(0)
        return self._errors.read().decode()


class Places:
    """Counts the events of a job."""

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()

    def of(self, event: Event) -> tuple[int, str]:
        """The places of the next event: its number among all, and its kind with its number among these: "saved 2"."""
        kind = str(event.__struct_config__.tag)
        self._counted[kind] += 1
        return self._counted.total(), f"{kind} {self._counted[kind]}"


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def work(ask: Ask) -> dict[str, float]:
    """Do a command as the API does, in this process, up to the moment of the kill."""
    import packnet_core

    counted, places = {"events": 0, "calls": 0}, Places()

    def listen(event: Event) -> None:
        counted["events"] += 1
        if ask.how == "event" and ask.at in places.of(event):
            kill()

    def called(*_: Any) -> None:
        counted["calls"] += 1
        if counted["calls"] == ask.at:
            kill()

    file = packnet_core.open(ask.path, device="cpu", listen=listen)
    if ask.how == "call":
        sys.setprofile(called)
    file._do(ask.command)
    sys.setprofile(None)
    return counted


def child(ask: Ask, out: int) -> int:
    """What the child does. Returns its exit status."""
    try:
        os.write(out, json.dumps(work(ask)).encode())
    except PacknetError as error:
        print(error, file=sys.stderr, flush=True)
        return error.status
    return 0


def answer(ask: Ask) -> Ended:
    """Fork a child for it, kill it in time, and wait for its end."""
    begun = time.monotonic()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(child(ask, writing))
        except BaseException:
            sys.excepthook(*sys.exc_info())
        os._exit(99)
    os.close(writing)
    if isinstance(ask.at, float) and ask.how in ("time", "term"):
        time.sleep(ask.at)
        os.kill(pid, signal.SIGKILL if ask.how == "time" else signal.SIGTERM)
    with open(reading, "rb") as file:
        counted = json.loads(file.read() or b"{}")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Ended(status=status, seconds=time.monotonic() - begun, **counted)


def main() -> None:
    import torch  # noqa: F401  # warm before the first fork

    import packnet_core.jobs.run_job  # noqa: F401

    for line in sys.stdin.buffer:
        print(msgspec.json.encode(answer(msgspec.json.decode(line, type=Ask))).decode(), flush=True)


if __name__ == "__main__":
    main()
