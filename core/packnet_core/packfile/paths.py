"""Paths of the files beside a pack file, and the lock that a process holds while it works on it. Needs no torch."""

import fcntl
import os
import stat
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from packnet_core.errors import RequestError
from packnet_core.files.atomic import remove_leftovers

SOCKET_PATH_LIMIT = 100  # bytes; the kernel's own limit is 104 to 108


class Paths:
    """The fixed paths of one pack file: `model.safetensors` has the folder `model.packnet/` beside it.

    Symbolic links are resolved first, so that all names of a file share one lock and one journal. On
    read-only media, or where that folder can't be made, a folder in the user's state folder takes its place.
    """

    def __init__(self, path: str | Path):
        self.file = Path(os.path.expanduser(path)).resolve()
        if not self.file.name:
            raise RequestError(f"{self.file} is a folder, and no file")
        packed = self.file.suffix == ".safetensors"  # the folder of any other name ends otherwise: no two share one
        beside = self.file.with_name(f"{self.file.stem}.packnet" if packed else f"{self.file.name}.packnet-files")
        if beside.is_dir():
            usable = not os.statvfs(beside).f_flag & os.ST_RDONLY
        else:
            usable = os.access(beside.parent, os.W_OK) or not beside.parent.is_dir()
        self.folder = beside if usable else self.elsewhere
        self.journal = self.folder / "journal.jsonl"
        self.lock = self.folder / "lock"
        self.address = self.folder / "engine.json"  # the socket that the running engine listens on
        self.log = self.folder / "engine.log"  # what the engine process printed
        self.beside = self.folder / "checkpoint.safetensors"
        self.best = self.folder / "best.safetensors"  # the best trial so far of a search for a pruning ratio

    @cached_property
    def elsewhere(self) -> Path:
        """This file's folder in the user's state folder, whether it is there or not."""
        from platformdirs import user_state_path

        return user_state_path("packnet") / f"{sha256(os.fsencode(self.file)).hexdigest()[:16]}-{self.file.stem}"

    @property
    def spare(self) -> Path:
        """A checkpoint that the disk of the file refused."""
        return self.elsewhere / "spare.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of an interrupted job, to resume from; there may be none."""
        return self.spare if not self.beside.exists() and self.spare.exists() else self.beside

    def epoch(self, phase: str, trial: int, step: int) -> Path:
        """The file of a phase's best epoch so far. Each phase of a job has its own: a checkpoint may still need it."""
        return self.folder / f"epoch-{phase}-{trial}-{step}.safetensors"

    def give_up(self) -> None:
        """Remove the checkpoint of an interrupted job, and what belongs to it."""
        self.beside.unlink(missing_ok=True)
        self.spare.unlink(missing_ok=True)
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

    def make_folder(self) -> None:
        """Make the folder, for this user alone. Raises RequestError where it is another user's, or no folder."""
        with suppress(FileExistsError):
            self.folder.mkdir(mode=0o700, parents=self.folder == self.elsewhere)
        if problem := self._problem():
            raise RequestError(f"{self.folder} {problem}; packnet works only in a folder of its own user: remove it")
        if stat.S_IMODE(self.folder.stat().st_mode) & 0o077:
            self.folder.chmod(0o700)

    def is_private(self) -> bool:
        """Whether the folder is there and this user's, so that what is in it can be trusted."""
        try:
            return not self._problem()
        except OSError:
            return False

    def _problem(self) -> str:
        """Why the folder must not be used; empty where it may be."""
        status = self.folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            return "is not a folder" if not stat.S_ISLNK(status.st_mode) else "is a symbolic link"
        return "" if status.st_uid == os.geteuid() else f"belongs to another user ({status.st_uid})"

    def identity(self) -> tuple[int, int]:
        """Device and inode of the lock file: they identify this pack file; a copy of the folder has others.

        Raises OSError if no process has worked on the file yet.
        """
        status = self.lock.stat()
        return status.st_dev, status.st_ino

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

        The kernel releases the lock when its process ends, however it ends. What a killed holder left is removed.
        """
        from filelock import FileLock, Timeout

        self.make_folder()
        lock = FileLock(self.lock, mode=0o600)  # who can read a file can lock it
        try:
            lock.acquire(timeout=0.2, poll_interval=0.01)  # longer than `is_locked` holds it
        except Timeout:
            raise RequestError(
                f"another packnet process is working on {self.file.name}; "
                f"see what it does with: packnet watch {self.file}"
            ) from None
        except OSError as error:
            raise RequestError(f"{self.folder} can't be written to: {error.strerror or error}") from None
        try:
            self._remove_leftovers()
            yield
        finally:
            lock.release()

    def _remove_leftovers(self) -> None:
        """Remove what a killed process left: files that were never finished, and its socket."""
        for path in (self.file, self.beside, self.spare, self.best, self.address, self.journal):
            remove_leftovers(path)
        with suppress(OSError):
            for path in (*self.folder.glob(".epoch-*.safetensors.????????"), *self.folder.glob("engine-*.sock")):
                path.unlink(missing_ok=True)

    def is_locked(self) -> bool:
        """Whether a process holds the lock now. Needs no permission to write here."""
        if not self.is_private():
            return False
        try:
            with open(self.lock, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # released when the file is closed, at once
        except BlockingIOError:
            return True
        except OSError:
            pass  # there is no lock file yet
        return False


def signature(path: Path) -> tuple[int, int, int]:
    """Inode, time of change in nanoseconds and size: another one where the file was replaced or written to."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size
