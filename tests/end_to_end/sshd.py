"""A real SSH server on loopback that only this user can log in to."""

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import until

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
SEPARATION = Path("/run/sshd")  # sshd needs this empty folder when it runs as root
needs_sshd = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None,
    reason="no SSH server or client is installed (Debian: openssh-server, openssh-client)",
)


class Server:
    """An sshd with its own keys and settings. It drops a silent client after two seconds."""

    def __init__(self, folder: Path):
        self._folder = folder
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "client.pub", folder / "authorized")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        if os.getuid() == 0:
            SEPARATION.mkdir(mode=0o755, exist_ok=True)
        # the environment of the test, so that the same code runs there
        variables = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        given = " ".join(f'"{name}={value}"' for name, value in {**variables, "OMP_NUM_THREADS": "1"}.items())
        (folder / "config").write_text(
            f"ListenAddress 127.0.0.1:{self._port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
            "StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nPidFile none\nPrintMotd no\n"
            f"ClientAliveInterval 1\nClientAliveCountMax 2\nSetEnv {given}\n"
        )
        with open(folder / "log", "wb") as log:
            self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "config"], stderr=log)
        until(lambda: self._process.poll() is not None or self._answers(), "sshd to come up")
        assert self._process.poll() is None, (folder / "log").read_text()

    def command(self, *arguments: object) -> str:
        """The shell command that runs a program through SSH, on a terminal."""
        there = shlex.join(map(str, (Path(sys.executable).with_name(str(arguments[0])), *arguments[1:])))
        return shlex.join([
            "ssh", "-F", "none", "-t", "-p", str(self._port), "-i", str(self._folder / "client"),
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            f"{getpass.getuser()}@127.0.0.1", there,
        ])  # fmt: skip

    def clients(self) -> list[int]:
        """The ssh client processes that are connected to this server."""
        return [pid for pid, (_, line) in _processes().items() if line[:1] == ["ssh"] and str(self._port) in line]

    def sessions(self) -> list[int]:
        """The server's processes for connections, one or two per connection."""
        known, grown = {self._process.pid}, True
        processes = _processes()
        while grown:
            grown = {pid for pid, (parent, line) in processes.items() if parent in known and "sshd" in line[0]} - known
            known |= grown
        return sorted(known - {self._process.pid})

    def cut(self) -> None:
        """End every connection, as a network failure does."""
        for pid in self.sessions():
            os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        self.cut()
        self._process.terminate()
        self._process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def _processes() -> dict[int, tuple[int, list[str]]]:
    """Parent and command line of each process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                line = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:  # it has ended since
                continue
            found[int(entry.name)] = (parent, line)
    return found
