"""Kinds of mutants that are bytes: the parts of a pack file, what lies beside it, and messages of the socket."""

import hashlib
import json
import os
import shutil
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
import numpy as np

from packnet_core.engine import client, server
from packnet_core.engine.protocol import Hello, Status, Stop, Submit, address_decoder, encode, reply_decoder
from packnet_core.errors import PacknetError, RequestError
from packnet_core.jobs import run_job
from packnet_core.packfile import checkpoint, checkpoint_header, storage, trust
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Compare, Discard, Drop, Evaluate, Order, Preview, Prune, Train, Undo
from packnet_core.schema.events import Epoch
from packnet_tui.cli.main import packnet
from packnet_tui.state.watch import Watch
from tests.waiting import until
from tests.worlds import QUICK, add, images, pack_file, work

ANSWER = 20.0  # seconds until the engine must have answered


class World:
    """A file with two tasks and an interrupted retraining, its bytes, and those of what lies beside it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = pack_file(folder / "net.safetensors")
        self.data = images(folder / "data.npz", train=24, test=12)
        work(self.path, add("one", self.data, recipe=QUICK))
        work(self.path, add("two", self.data, recipe=QUICK, own=("norms",), yes=True))
        stop = threading.Event()
        for entry in run_job.run(self.path, Train(recipe={"retrain_epochs": 50}), stop):
            if isinstance(entry.event, Epoch):
                stop.set()
        self.paths = Paths(self.path)
        self.good, self.kept = self.path.read_bytes(), self.paths.checkpoint.read_bytes()
        self.journal = self.paths.journal.read_bytes()
        self._engine: client.Engine | None = None
        self._served = folder / "served.safetensors"

    def __enter__(self) -> "World":
        self._state = os.environ.get("XDG_STATE_HOME")
        os.environ["XDG_STATE_HOME"] = str(self.folder / "state")
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine:
            self.end_engine()
        os.environ.pop("XDG_STATE_HOME")
        if self._state is not None:
            os.environ["XDG_STATE_HOME"] = self._state

    def restore(self) -> None:
        """Put back the file and all that lies beside it."""
        if self.path.read_bytes() != self.good:
            self.path.write_bytes(self.good)
        self.paths.checkpoint.write_bytes(self.kept)
        self.paths.journal.write_bytes(self.journal)

    @property
    def engine(self) -> client.Engine:
        """A running engine on a copy of the file."""
        if self._engine is None:
            if not self._served.exists():
                shutil.copy(self.path, self._served)
            self._engine = client.start(self._served)
        return self._engine

    def end_engine(self) -> None:
        """Have the engine leave, and wait until it has."""
        with suppress(PacknetError):
            self.engine.leave()
        self.engine.close()
        self._engine = None
        until(lambda: not Paths(self._served).is_locked(), "the engine to leave")

    def problems(self) -> str:
        """The engine's log, where it has a traceback."""
        log = Paths(self._served).log
        text = log.read_text() if log.exists() else ""
        return text[-3000:] if "Traceback" in text else ""


class Kind(NamedTuple):
    """One kind of mutants: `seeds` to change, or none where `made` makes a mutant; and `attempt`, which tries one."""

    attempt: Callable[[World, bytes], None]
    seeds: Callable[[World], list[bytes]]
    share: int = 10  # of all mutants
    made: Callable[[Random], bytes] = lambda _: b""


def one_line(error: BaseException) -> None:
    text = str(error)
    assert len(text.splitlines()) == 1, text


def look(path: Path) -> None:
    """All that reads a file without changing it. Raises anything but a PacknetError of one line."""
    for read in (read_header, storage.load, lambda path: list(verify(path)), Watch):
        try:
            read(path)
        except PacknetError as error:
            one_line(error)


def parts(raw: bytes) -> tuple[bytes, bytes]:
    """Header, with its length, and data of a safetensors file."""
    end = 8 + struct.unpack("<Q", raw[:8])[0]
    return raw[:end], raw[end:]


def with_length(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def try_header(world: World, raw: bytes) -> None:
    """The header, with its length right again half of the time."""
    for head in (raw, with_length(raw[8:])):
        world.path.write_bytes(head + parts(world.good)[1])
        try:
            look(world.path)
            assert packnet(["inspect", str(world.path)]) in (0, 2)
        finally:
            world.restore()


def try_tensors(world: World, raw: bytes) -> None:
    """The data: what it holds may be other weights, which `verify` notices, and never a traceback."""
    world.path.write_bytes(parts(world.good)[0] + raw)
    try:
        look(world.path)
    finally:
        world.restore()


class Stopping(threading.Event):
    """Stops a job at its third training step."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > 3


def try_checkpoint(world: World, raw: bytes) -> None:
    """A checkpoint whose header, and its digest, was changed."""
    data = parts(world.kept)[1]
    head = raw
    try:
        found = json.loads(raw[8:])
        metadata = found["__metadata__"]
        metadata["digest"] = checkpoint._digest(metadata["checkpoint"], hashlib.sha256(data).hexdigest())
        head = with_length(json.dumps(found).encode())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass  # as it is
    world.paths.checkpoint.write_bytes(head + data)
    try:
        look(world.path)
        if checkpoint_header.find(world.paths.checkpoint, read_header(world.path).document) is not None:
            *_, end = run_job.run(world.path, Train(), Stopping())
            assert "defect" not in end.event.message, end.event
            assert all(finding.ok for finding in verify(world.path))
    finally:
        world.restore()


def try_checkpoint_data(world: World, raw: bytes) -> None:
    """A checkpoint whose tensors were changed: its digest tells, and it is not resumed."""
    world.paths.checkpoint.write_bytes(parts(world.kept)[0] + raw)
    try:
        *_, end = run_job.run(world.path, Train(), Stopping())
        assert "defect" not in end.event.message, end.event
        assert world.path.read_bytes() == world.good
    finally:
        world.restore()


def try_journal(world: World, raw: bytes) -> None:
    """A journal, read and continued."""
    world.paths.journal.write_bytes(raw)
    try:
        look(world.path)
        assert packnet(["inspect", str(world.path)]) == 0
        assert packnet(["watch", str(world.path)]) == 0
        *_, end = run_job.run(world.path, Evaluate(tasks=("one",)))
        assert end.event.outcome == "done", end.event
        assert world.paths.journal.read_bytes().startswith(raw)
    finally:
        world.restore()


def try_address(world: World, raw: bytes) -> None:
    """`engine.json`: nobody answers, and no file is removed because of it."""
    canary = world.paths.folder / "engine-1.sock"
    canary.write_bytes(b"a file, and no socket")
    world.paths.address.write_bytes(raw)
    try:
        assert client.connect(world.path) is None
        server._remove_dead_socket(world.paths)
        assert canary.exists()
        assert world.path.exists()
        with world.paths.locked():
            pass
    finally:
        world.paths.address.unlink(missing_ok=True)
        canary.unlink(missing_ok=True)


def try_trust(world: World, raw: bytes) -> None:
    """The record of what this user trusts: no mutant of another file's line trusts this file's function."""
    where = trust._path()
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(raw)
    assert not trust.is_trusted(world.folder / "nosuch.safetensors", "os:abort")
    assert trust.is_trusted(world.path, "digits_net")


def try_socket(world: World, raw: bytes) -> None:
    """Lines to a running engine, after a good Hello and without: each is answered, and good clients are served."""
    file = Paths(world.engine.file)
    hello = encode(Hello(file.identity())) + b"\n"
    for first in (b"", hello):
        address = address_decoder.decode(file.address.read_bytes()).socket
        with socket.socket(socket.AF_UNIX) as rude:
            rude.settimeout(ANSWER)
            rude.connect(address)
            try:
                rude.sendall(first + raw)
                rude.shutdown(socket.SHUT_WR)
                with rude.makefile("rb") as lines:
                    for line in lines:
                        reply_decoder.decode(line)
            except (ConnectionResetError, BrokenPipeError):  # closed before all was read: more than a message's length
                pass
        if b"leave" in raw:  # it may obey
            world.end_engine()
        status = world.engine.status()
        for job in (*status.waiting, status.job):
            if job is not None:
                with suppress(RequestError):  # it has just ended
                    world.engine.stop(job)


def _messages(world: World) -> list[bytes]:
    commands = [
        add("x", world.data, prune=None), Prune(ratio=0.5, layers={"conv": 0.3}), Train(recipe={"lr": 0.1}), Evaluate(),
        Preview(), Compare(baseline="lwf", tasks=("two",)), Order(data={"x": str(world.data)}), Drop(task="two"),
        Undo(), Discard(),
    ]  # fmt: skip
    hello = Hello(Paths(world.engine.file).identity())
    messages = [hello, *map(Submit, commands), Stop(1), Status()]
    return [encode(message) + b"\n" for message in messages]


def _trusted(world: World) -> list[bytes]:
    lines = [msgspec.json.encode(trust.Trusted(str(world.path), name)) for name in ("a:b", "tests.networks:toy")]
    return [b"\n".join(lines) + b"\n"]


def _data(raw: bytes) -> list[bytes]:
    """The data of a file, and it with numbers that are none."""
    data = parts(raw)[1]
    bad = np.frombuffer(data[: len(data) // 4 * 4], np.float32).copy()
    bad[::97] = np.nan
    return [data, bad.tobytes() + data[len(bad) * 4 :]]


KINDS = {
    "header": Kind(try_header, lambda world: [parts(world.good)[0]], 25),
    "tensors": Kind(try_tensors, lambda world: _data(world.good), 5),
    "checkpoint": Kind(try_checkpoint, lambda world: [parts(world.kept)[0]], 15),
    "checkpointdata": Kind(try_checkpoint_data, lambda world: _data(world.kept), 3),
    "journal": Kind(try_journal, lambda world: [world.journal], 10),
    "address": Kind(try_address, lambda world: [b'{"socket":"/tmp/engine-1.sock","pid":4711}'], 5),
    "trust": Kind(try_trust, _trusted, 5),
    "socket": Kind(try_socket, _messages, 15),
}
