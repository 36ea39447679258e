"""The workbench through a real SSH connection that breaks in the middle of training: the job goes on."""

import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from packnet_core.engine import client
from packnet_core.engine.places import Places
from packnet_core.events import JobFinished, TrainStep
from tests.end_to_end.tmux import Terminal, needs_tmux
from tests.waiting import until, until_event
from tests.worlds import images, pack_file

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
needs_sshd = pytest.mark.skipif(not os.access(SSHD, os.X_OK), reason="openssh-server is not installed")
pytestmark = [needs_tmux, needs_sshd]


class Server:
    """An sshd of our own on the loopback, that lets us in by a key of our own."""

    def __init__(self, folder: Path):
        for name in ("host", "key"):
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(keygen, check=True, capture_output=True)
        shutil.copy(folder / "key.pub", folder / "authorized")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = {
            "Port": self.port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host", "PidFile": "none",
            "AuthorizedKeysFile": folder / "authorized", "StrictModes": "no", "UsePAM": "no",
            "PasswordAuthentication": "no", "PermitRootLogin": "yes",
        }  # fmt: skip
        (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # where the system has not started one yet
        self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL)
        self._key = folder / "key"
        until(self._answers, "sshd to listen")

    def command(self, *words: object) -> str:
        """What to type into a shell to have a command run through SSH, with a terminal."""
        options = (
            f"-tt -F none -i {self._key} -p {self.port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        )
        programs = Path(sys.executable).parent
        path = f"PATH={programs}:{os.environ['PATH']} PYTHONPATH={os.environ.get('PYTHONPATH', '')} OMP_NUM_THREADS=1"
        remote = shlex.quote(f"cd {os.getcwd()} && env {path} {' '.join(map(str, words))}")
        return f"ssh -q {options} {pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1 {remote}; echo closed"

    def cut(self) -> None:
        """End every connection at this end, without a word to the other."""
        for pid in children(self._process.pid):
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.cut()
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def processes() -> dict[int, tuple[int, list[str]]]:
    """Parent and arguments of every process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found[int(entry.name)] = parent, (entry / "cmdline").read_text().split("\0")
            except OSError:
                continue
    return found


def children(pid: int) -> list[int]:
    """The sshd processes that one has begun, and those that they have."""
    of = [child for child, (parent, words) in processes().items() if parent == pid and "sshd" in words[0]]
    return [*of, *(other for child in of for other in children(child))]


def screens(path: Path) -> list[int]:
    return [pid for pid, (_, words) in processes().items() if "open" in words and str(path) in words and len(words) > 3]


def clients(port: int) -> list[int]:
    return [pid for pid, (_, words) in processes().items() if words[0] == "ssh" and str(port) in words]


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.stop()


@pytest.mark.parametrize("cut", ["at the server", "at the client"])
def test_a_cut_connection_leaves_the_job_and_a_new_one_shows_its_result(tmp_path, server, cut):
    path = pack_file(tmp_path / "net.safetensors")
    data = images(tmp_path / "data.npz", train=200)
    there = Terminal()
    there.type(server.command("packnet-tui", "open", path))
    there.wait_for("idle")
    there.press(":")
    there.press("-l", f"add cars --data {data} --epochs 120 --lr 0.05 --retrain-epochs 1 --prune 0.5")
    there.press("Enter")
    there.wait_for("TRAIN cars")
    until_event(path, TrainStep)
    if cut == "at the server":
        server.cut()
    else:
        for pid in clients(server.port):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not clients(server.port), "the connection to end")
    until(lambda: not screens(path), "the screen to end")
    there.hang_up()
    assert Places(path).is_locked()
    assert until_event(path, JobFinished).event.outcome == "done"

    again = Terminal()
    again.type(server.command("packnet-tui", "open", path))
    again.wait_for("add cars --prune 0.5: done")
    assert "retrained" in again.screen()
    again.press("q")
    again.wait_for("closed")
    again.hang_up()
    if engine := client.connect(path):
        with engine:
            engine.leave()
