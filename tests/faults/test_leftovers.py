"""What killed processes left: unfinished files and sockets go, those of a living writer stay."""

import os
import signal
import socket
import subprocess
import sys
import threading

from packnet_core.engine.protocol import Address, encode
from packnet_core.files.atomic import replace_file
from packnet_core.packfile.paths import Paths
from tests.worlds import pack_file

KILLED = """
import sys, time
from pathlib import Path
from packnet_core.files.atomic import replace_file
def write(file):
    file.write(b"half")
    file.flush()
    print("writes", flush=True)
    time.sleep(60)
replace_file(Path(sys.argv[1]), write)
"""


def killed_while_writing(path):
    """Let a process begin to replace a file, and kill it. Returns what it left."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writes\n"
    (left,) = path.parent.glob(f".{path.name}.*")
    replace_file(path, lambda file: file.write(b"whole"))
    assert left.exists()  # its writer lives
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return left


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    path = tmp_path / "out.safetensors"
    left = killed_while_writing(path)
    replace_file(path, lambda file: file.write(b"again"))
    assert not left.exists()
    assert os.listdir(tmp_path) == ["out.safetensors"]


def test_the_next_holder_of_the_lock_removes_what_a_killed_one_left(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    paths = Paths(path)
    left = [killed_while_writing(each) for each in (path, paths.beside, paths.best, paths.epoch("train", 0, 1))]
    other = tmp_path / ".net.safetensors.bak"
    other.write_bytes(b"the user's own")
    with paths.locked():
        assert not any(each.exists() for each in left)
    assert other.exists()


def test_an_unfinished_file_of_a_living_writer_stays(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    writes, go_on = threading.Event(), threading.Event()

    def write(file):
        file.write(b"new")
        writes.set()
        go_on.wait(60)

    writer = threading.Thread(target=replace_file, args=(path, write))
    writer.start()
    writes.wait(60)
    with Paths(path).locked():
        go_on.set()
        writer.join()
    assert path.read_bytes() == b"new"


def dead_socket(path):
    path.parent.mkdir(exist_ok=True, parents=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
    return path


def test_a_killed_engines_socket_is_removed_beside_the_file_and_elsewhere(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    paths = Paths(path)
    beside = dead_socket(paths.folder / "engine-4.sock")
    far = dead_socket(tmp_path / "packnet-x" / "engine-5.sock")
    paths.address.write_bytes(encode(Address(str(far), 5)))
    serve_once(path)
    assert not beside.exists()
    assert not far.parent.exists()


def test_a_living_socket_or_another_file_that_an_address_names_stays(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    precious = tmp_path / "engine-6.sock"
    precious.write_text("not a socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "engine-7.sock"))
        listening.listen()
        for each in (precious, tmp_path / "engine-7.sock"):
            Paths(path).address.write_bytes(encode(Address(str(each), 5)))
            serve_once(path)
            assert each.exists()


def serve_once(path):
    """Start an engine that leaves at once."""
    subprocess.run([sys.executable, "-m", "packnet_core.engine", str(path), "0"], check=True, timeout=120)


def test_the_engines_log_is_cut_to_its_tail(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    log = Paths(path).log
    log.write_bytes(b"old line\n" * 300_000 + b"last words\n")
    serve_once(path)
    assert log.stat().st_size < 1_100_000
    assert log.read_bytes().endswith(b"old line\nlast words\n")
    assert log.read_bytes().startswith(b"old line\n")
