"""The engine's queue and socket: no job is lost, no command reaches another file, no client disturbs it."""

import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from packnet_core.engine import client
from packnet_core.engine.protocol import LONGEST, Reply, Status, Submit, address_decoder, encode
from packnet_core.engine.queue import Queue
from packnet_core.engine.server import Server
from packnet_core.errors import RequestError
from packnet_core.jobs import journal
from packnet_core.jobs.history import fold
from packnet_core.jobs.journal import Journal
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Evaluate, Order
from packnet_core.schema.events import JobFinished, JobQueued
from packnet_core.schema.text import from_json
from tests.worlds import LONG, add, images, pack_file


@pytest.fixture
def path(tmp_path):
    return pack_file(tmp_path / "net.safetensors")


@pytest.fixture
def engine(path):
    with client.start(path) as engine:
        yield engine
        engine.leave()


def test_a_queue_that_closes_cancels_what_waits_and_takes_no_more(path):
    paths = Paths(path)
    with closing(Journal(paths.journal)) as writer:
        queue, refused, together = Queue(paths, writer), [], threading.Barrier(9)

        def submit():
            together.wait()
            for _ in range(20):
                try:
                    queue.submit(add("one", "/data.npz"))
                except RequestError as error:
                    refused.append(str(error))

        threads = [threading.Thread(target=submit) for _ in range(8)]
        for thread in threads:
            thread.start()
        together.wait()
        queue.close()
        for thread in threads:
            thread.join()
        assert queue.take() is None
        assert queue.jobs() == (None, ())
    events = journal.read(paths.journal)
    queued = {entry.job for entry in events if isinstance(entry.event, JobQueued)}
    cancelled = {entry.job for entry in events if isinstance(entry.event, JobFinished)}
    assert queued == cancelled
    assert len(queued) + len(refused) == 160
    assert all("takes no more jobs" in text for text in refused)


def test_the_order_of_new_tasks_is_measured_before_they_are_added(path):
    paths, order = Paths(path), Order(data={"one": "/data.npz"})
    with closing(Journal(paths.journal)) as writer:
        queue = Queue(paths, writer)
        running = queue.submit(add("zero", "/data.npz"))
        assert queue.take()[0] == running
        waiting = [queue.submit(add(name, "/data.npz")) for name in ("one", "two")]
        first = queue.submit(order)
        assert queue.jobs() == (running, (first, *waiting))
        history = fold(journal.read(paths.journal))
        assert list(history.queue) == [first, running, *waiting]  # `take` is not in the journal
        assert queue.take() == (first, order)
        queue.close()


def test_a_job_after_leave_is_refused(path, tmp_path):
    data = images(tmp_path / "data.npz")
    with client.start(path) as engine:
        engine.submit(add("one", data, recipe=LONG))
        engine.leave()
        with pytest.raises(RequestError, match="takes no more jobs"):
            engine.submit(Evaluate())


def test_the_engine_of_another_file_is_not_taken_for_this_ones(path, engine, tmp_path):
    other = pack_file(tmp_path / "other.safetensors")
    sockets = shutil.ignore_patterns("*.sock")
    shutil.copytree(Paths(path).folder, Paths(other).folder, ignore=sockets, dirs_exist_ok=True)
    assert Paths(other).address.exists()
    assert client.connect(other) is None
    assert client.connect(path) is not None


def raw(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(address_decoder.decode(Paths(path).address.read_bytes()).socket)
    return connection


def ask(connection, line):
    connection.sendall(line)
    with connection.makefile("rb") as lines:
        return from_json(lines.readline(), Reply)


def test_a_command_without_a_word_on_the_file_is_refused(path, engine):
    with raw(path) as connection:
        assert "hello" in ask(connection, encode(Submit(Evaluate())) + b"\n").error


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe\n", b"{}\n", b"[" * 100_000 + b"\n", b'{"type":"hello","file":["a"]}\n'],
    ids=["not UTF-8", "no type", "deep", "wrong type"],
)
def test_nonsense_is_answered_by_an_error(path, engine, line):
    with raw(path) as connection:
        assert ask(connection, line).error
    assert engine.status().pid


def test_a_client_that_leaves_before_its_reply_leaves_no_trace_in_the_log(path, engine):
    for _ in range(50):
        with raw(path) as connection:
            connection.sendall((encode(Status()) + b"\n") * 100)
    with raw(path) as connection:
        connection.sendall(b"x" * (LONGEST + 10))
    assert engine.status().pid
    assert "Traceback" not in Paths(path).log.read_text()


def test_hundreds_of_clients_at_once_all_find_the_engine(path, engine):
    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(lambda _: client.connect(path), range(400)))
    assert all(found)
    for one in found:
        one.close()


def test_another_users_process_is_refused(path, monkeypatch):
    paths = Paths(path)
    with paths.locked(), closing(Journal(paths.journal)) as writer:
        server = Server(paths, writer, 60)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr("packnet_core.engine.server.same_user", lambda _: False)  # as the kernel would say
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.socket_path))
            assert connection.recv(1) == b""
        server.shutdown()
        thread.join()
        server.queue.close()
        server.worker.join()
        server.server_close()
