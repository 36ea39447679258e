"""A stop while data is read from a disk or a network that does not answer: the work ends soon, nothing is left."""

import signal
import socket
import subprocess
import sys
import threading

import pytest

from packnet_core.data.downloads import open_torchvision
from packnet_core.data.reading import Reading
from packnet_core.errors import RequestError, Stopped
from packnet_core.jobs import journal, run_job
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.events import JobFinished
from tests.waiting import until
from tests.worlds import add, images

# the command line, with a disk that stops answering within the first array
HANGING = """
import sys, threading, zipfile
from packnet_tui.cli.main import packnet
def hang(*_):
    print("reading", flush=True)
    threading.Event().wait()
zipfile.ZipExtFile.read = hang
sys.exit(packnet(sys.argv[1:]))
"""
DOWNLOADING = """
import sys
from torchvision import datasets
from packnet_tui.cli.main import packnet
datasets.MNIST.mirrors = [sys.argv[1]]
sys.exit(packnet(sys.argv[2:]))
"""
SECONDS = 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_command_that_reads_arrays(path, tmp_path, number):
    data = images(tmp_path / "data.npz")
    command = [sys.executable, "-c", HANGING, "add", str(path), "one", "--data", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert any(line == "reading\n" for line in process.stdout)
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "add one: stopped; nothing changed" in err
    assert "Traceback" not in err
    last = journal.read(Paths(path).journal)[-1].event
    assert isinstance(last, JobFinished)
    assert last.outcome == "stopped"
    assert all(checked.ok for checked in verify(path))


@pytest.fixture
def server():
    """A server that takes connections and requests, and sends one byte of an answer's body."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked, connections = threading.Event(), []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\nx")
            asked.set()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/", asked
    listener.close()
    for connection in connections:
        connection.close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache" / "packnet" / "data"


def test_a_signal_ends_a_command_that_downloads(path, cache, server):
    address, asked = server
    command = [sys.executable, "-c", DOWNLOADING, address, "add", str(path), "one", "--data", "torchvision:MNIST"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert asked.wait(60)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "add one: stopped; nothing changed" in err
    assert not (cache / "MNIST").exists()


def test_a_stop_ends_a_job_and_its_reading_thread_ends_with_the_disk_s_answer(path, tmp_path, monkeypatch):
    data = images(tmp_path / "data.npz")
    stop, reading, answer = threading.Event(), threading.Event(), threading.Event()

    def hang(*_):
        reading.set()
        answer.wait()

    monkeypatch.setattr("zipfile.ZipExtFile.read", hang)
    entries, seen = run_job.run(path, add("one", data), stop), []
    worker = threading.Thread(target=lambda: seen.extend(entries))
    worker.start()
    assert reading.wait(60)
    assert any(thread.name == "reading" for thread in threading.enumerate())
    stop.set()
    worker.join(SECONDS)
    assert seen[-1].event.outcome == "stopped"
    answer.set()
    until(lambda: not any(thread.name == "reading" for thread in threading.enumerate()), "the thread to end")


def test_a_thread_that_computes_is_interrupted():
    begun = threading.Event()

    def forever():
        begun.set()
        while True:
            pass

    def check():
        if begun.is_set():
            raise Stopped

    with pytest.raises(Stopped):
        Reading(check_stop=check).interruptible(forever)
    assert not any(thread.name == "reading" for thread in threading.enumerate())


def test_what_reading_raises_and_returns_is_passed_on():
    assert Reading().interruptible(lambda: 5) == 5
    with pytest.raises(TimeoutError, match="network"):
        Reading().interruptible(lambda: (_ for _ in ()).throw(TimeoutError("network")))


def test_what_a_killed_download_left_is_removed_by_the_next_one(cache, server, path):
    address, asked = server
    command = [sys.executable, "-c", DOWNLOADING, address, "add", str(path), "one", "--data", "torchvision:MNIST"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert asked.wait(60)
    (left,) = cache.glob(".MNIST.*")
    process.kill()
    process.wait()
    assert left.exists()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])
        with pytest.raises(RequestError, match="could not be downloaded"):
            open_torchvision("torchvision:MNIST")
    assert not list(cache.iterdir())
