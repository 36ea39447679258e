"""A real terminal for a test: a program on a pseudo-terminal, in its own session."""

import fcntl
import os
import pty
import select
import struct
import termios
from pathlib import Path


class Terminal:
    """Runs a program; `output` is all that was read of what it drew."""

    def __init__(self, *arguments: object, cwd: Path, columns: int = 80, rows: int = 24, **environment: str):
        self.output = b""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(str(arguments[0]), [str(a) for a in arguments], {**os.environ, "TERM": "xterm", **environment})
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def read_until(self, wanted: str) -> None:
        while wanted.encode() not in self.output:
            assert self._read(), f"no {wanted!r} in {self.output.decode()!r}"

    def read_until_still(self, seconds: float) -> None:
        """Read until nothing was drawn for some seconds."""
        while select.select([self._fd], [], [], seconds)[0]:
            assert self._read(), f"the program ended: {self.output.decode()!r}"

    def wait(self) -> int:
        """Wait until the program ends. Returns its exit status."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self._fd)

    def _read(self) -> bool:
        try:
            got = os.read(self._fd, 65536)
        except OSError:  # how Linux reports that the other end is closed
            return False
        self.output += got
        return bool(got)
