"""Paths of the files beside a pack file, and the lock that a process holds while it works on it. Needs no torch."""

import fcntl
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packnet_core.errors import RequestError

SOCKET_PATH_LIMIT = 100  # bytes; the kernel's own limit is 104 to 108


class Paths:
    """The fixed paths of one pack file: `model.safetensors` has the folder `model.packnet/` beside it.

    Symbolic links are resolved first, so that all names of a file share one lock and one journal.
    """

    def __init__(self, path: str | Path):
        self.file = Path(path).expanduser().resolve()
        stem = self.file.stem if self.file.suffix == ".safetensors" else self.file.name
        self.folder = self.file.with_name(stem + ".packnet")
        self.journal = self.folder / "journal.jsonl"
        self.lock = self.folder / "lock"
        self.address = self.folder / "engine.json"  # the socket that the running engine listens on
        self.log = self.folder / "engine.log"  # what the engine process printed
        self.checkpoint = self.folder / "checkpoint.safetensors"  # of an interrupted job, to resume from
        self.best = self.folder / "best.safetensors"  # the best trial so far of a search for a pruning ratio

    def epoch(self, phase: str, trial: int, step: int) -> Path:
        """The file of a phase's best epoch so far. Each phase of a job has its own: a checkpoint may still need it."""
        return self.folder / f"epoch-{phase}-{trial}-{step}.safetensors"

    def give_up(self) -> None:
        """Remove the checkpoint of an interrupted job, and what belongs to it."""
        self.checkpoint.unlink(missing_ok=True)
        self.best.unlink(missing_ok=True)
        self.forget_epochs()

    def forget_epochs(self, but: Path | None = None) -> None:
        """Remove the files of best epochs, except `but`, which is still needed."""
        for path in self.folder.glob("epoch-*.safetensors"):
            if path != but:
                path.unlink(missing_ok=True)

    def retire_journal(self) -> None:
        """Rename the journal of a former file of this name, and remove its checkpoint, for a new file."""
        if self.journal.exists():
            self.journal.rename(self.folder / f"journal-{time.strftime('%Y%m%d-%H%M%S')}.jsonl")
        self.give_up()

    def identity(self) -> tuple[int, int]:
        """Device and inode of the lock file: they identify this pack file; a copy of the folder has others.

        Raises OSError if no process has worked on the file yet.
        """
        stat = self.lock.stat()
        return stat.st_dev, stat.st_ino

    def socket_folder(self) -> Path:
        """A folder that only this user may enter, whose paths are short enough for a socket.

        The folder beside the file if its path is short, else the user's runtime folder, else a new one in /tmp.
        """
        from platformdirs import user_runtime_path

        with warnings.catch_warnings():  # it warns without XDG_RUNTIME_DIR; the engine's log is for real errors
            warnings.simplefilter("ignore")
            runtime = user_runtime_path("packnet")
        room = SOCKET_PATH_LIMIT - len("/engine-1234567890.sock")
        for folder in (self.folder, runtime):
            if len(os.fsencode(folder)) <= room:
                try:
                    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                except OSError:
                    continue
                if folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK):
                    return folder
        return Path(tempfile.mkdtemp(prefix="packnet-", dir="/tmp"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file's lock, the right to change it. Raises RequestError if another process holds it.

        The kernel releases the lock when its process ends, however it ends.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(exist_ok=True)
        lock = FileLock(self.lock)
        try:
            lock.acquire(timeout=0.2, poll_interval=0.01)  # longer than `is_locked` holds it
        except Timeout:
            raise RequestError(
                f"another packnet process is working on {self.file.name}; "
                f"see what it does with: packnet watch {self.file}"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Whether a process holds the lock now. Needs no permission to write to the folder."""
        try:
            with open(self.lock, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # released when the file is closed, at once
        except BlockingIOError:
            return True
        except OSError:
            pass  # there is no lock file yet
        return False


def signature(path: Path) -> tuple[int, int, int]:
    """Inode, time of change in nanoseconds and size: they differ once the file was replaced or written to."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
