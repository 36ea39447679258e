"""Paths of the files beside a pack file, and the lock that a process holds while it works on it. Needs no torch."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from packnet_core.errors import RequestError, disk_errors
from packnet_core.files.atomic import remove_leftovers, replace_file

if TYPE_CHECKING:
    from filelock import FileLock

SOCKET_PATH_LIMIT = 100  # bytes; the kernel's own limit is 104 to 108


class Paths:
    """The fixed paths of one pack file: `model.safetensors` has the folder `model.packnet/` beside it.

    Symbolic links are resolved first, so that all names of a file share one lock and one journal. On
    read-only media, or if that folder can't be made, a folder in the user's state folder takes its place.
    """

    def __init__(self, path: str | Path):
        with disk_errors():
            self._set(Path(os.path.expanduser(path)).resolve())

    def _set(self, file: Path) -> None:
        if not file.name:
            raise RequestError(f"{file} is a folder, and no file")
        self.file = file
        packed = self.file.suffix == ".safetensors"  # the folder of any other name ends otherwise: no two share one
        beside = self.file.with_name(f"{self.file.stem}.packnet" if packed else f"{self.file.name}.packnet-files")
        if beside.is_dir():
            usable = not os.statvfs(beside).f_flag & os.ST_RDONLY
        else:
            usable = os.access(beside.parent, os.W_OK) or not beside.parent.is_dir()
        self.folder = beside if usable else self.elsewhere
        self._own_journal, self._journal_beside = (folder / "journal.jsonl" for folder in (self.folder, beside))
        self.lock = self.folder / "lock"
        self.address = self.folder / "engine.json"  # the socket that the running engine listens on
        self.log = self.folder / "engine.log"  # what the engine process printed
        self.beside = self.folder / "checkpoint.safetensors"
        self.best = self.folder / "best.safetensors"  # the best trial so far of a search for a pruning ratio

    @cached_property
    def elsewhere(self) -> Path:
        """This file's folder in the user's state folder, whether it is there or not."""
        from platformdirs import user_state_path

        named = self.file.stem[:50]  # 255 bytes are the most that a name may have
        return user_state_path("packnet") / f"{sha256(os.fsencode(self.file)).hexdigest()[:16]}-{named}"

    @cached_property
    def second_lock(self) -> Path:
        """A lock outside of the folder: while it is held, deleting the folder lets no other process in."""
        return self.elsewhere.with_name(f"{self.elsewhere.name[:16]}.lock")

    @property
    def journal(self) -> Path:
        """The journal. On read-only media, until something is done there, the one that came with the file."""
        came_with_it = not os.path.exists(self._own_journal) and os.path.exists(self._journal_beside)
        return self._journal_beside if came_with_it else self._own_journal

    @property
    def spare(self) -> Path:
        """A checkpoint that the disk of the file refused."""
        return self.elsewhere / "spare.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The newest checkpoint of an interrupted job, to resume from; there may be none."""
        return self.spare if _modified(self.spare) > _modified(self.beside) else self.beside

    def epoch(self, phase: str, trial: int, step: int) -> Path:
        """The file of a phase's best epoch so far. Each phase of a job has its own: a checkpoint may still need it."""
        return self.folder / f"epoch-{phase}-{trial}-{step}.safetensors"

    def former(self, name: str) -> Path:
        """The pack file as it was before a drop, by a name that identifies that state (see `former`)."""
        return self.folder / f"former-{name}.safetensors"

    def formers(self) -> list[Path]:
        """All former files that are there: at most one, and what a killed process left."""
        return list(self.folder.glob("former-*.safetensors"))

    def forget_formers(self, but: Path | None = None) -> None:
        """Remove all former files but one: the file has changed since. Raises OSError if one of them stays."""
        for path in self.formers():
            if path != but:
                path.unlink(missing_ok=True)

    def give_up(self) -> None:
        """Remove the checkpoint of an interrupted job, then what belongs to it. Raises OSError if one of them stays.

        The newest checkpoint goes last of the two: until it is gone, the job can be resumed, and after it nothing can.
        """
        checkpoints = sorted((self.beside, self.spare), key=_modified)
        for path in (*checkpoints, self.best, *self.folder.glob("epoch-*.safetensors")):
            path.unlink(missing_ok=True)

    def forget_epochs(self, but: Path | None) -> None:
        """Remove the files of best epochs, except `but`, which is still needed."""
        for path in self.folder.glob("epoch-*.safetensors"):
            if path != but:
                path.unlink(missing_ok=True)

    def retire_journal(self) -> None:
        """Rename the journal of a former file of this name, and remove what else it left, for a new file."""
        if self.journal.exists():
            self.journal.rename(self.folder / f"journal-{time.strftime('%Y%m%d-%H%M%S')}.jsonl")
        self.give_up()
        self.forget_formers()

    def make_folder(self) -> None:
        """Make the folder, for this user alone. Raises RequestError if it is another user's, or no folder."""
        with suppress(FileExistsError):
            self.folder.mkdir(mode=0o700, parents=self.folder == self.elsewhere)
        if problem := self._problem():
            raise RequestError(f"{self.folder} {problem}; packnet works only in a folder of its own user: remove it")
        if stat.S_IMODE(self.folder.stat().st_mode) & 0o077:
            self.folder.chmod(0o700)
        if self.journal != self._own_journal:  # what is done here continues the history that came with the file
            with open(self.journal, "rb") as former:
                replace_file(self._own_journal, lambda file: shutil.copyfileobj(former, file))

    def is_private(self) -> bool:
        """Whether the folder is there and this user's, so that what is in it can be trusted."""
        try:
            return not self._problem()
        except OSError:
            return False

    def _problem(self) -> str:
        """Why the folder must not be used; empty if it may be."""
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
        with ExitStack() as self._held:
            with suppress(OSError):  # without a state folder the lock beside the file is the only one
                self.second_lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._lock(self.second_lock)
            with disk_errors():
                self.make_folder()
            try:
                self._lock(self.lock)
            except OSError as error:
                raise RequestError(f"{self.folder} can't be written to: {error.strerror or error}") from None
            self._remove_leftovers()
            yield

    def restore(self) -> None:
        """Make the folder and its lock again where they were deleted while this process holds the lock.

        Raises OSError, and RequestError as `make_folder` and `locked` do.
        """
        if not self.lock.exists():
            self.make_folder()
            self._lock(self.lock)

    def _lock(self, path: Path) -> None:
        """Lock a file until `locked` ends. Raises RequestError if another process has it, and OSError."""
        from filelock import FileLock, Timeout

        lock = FileLock(path, mode=0o600, thread_local=False)  # who can read a file can lock it
        try:
            lock.acquire(timeout=0.2, poll_interval=0.01)  # longer than `is_locked` holds it
        except Timeout:
            raise RequestError(
                f"another packnet process, or thread of this one, is working on {self.file.name}; "
                f"see what it does with: packnet watch {self.file}"
            ) from None
        self._held.callback(_release, lock)

    def _remove_leftovers(self) -> None:
        """Remove what a killed process left: files that were never finished, and its socket."""
        for path in (self.file, self.beside, self.spare, self.best, self.address, self.journal):
            remove_leftovers(path)
        with suppress(OSError):
            for left in (".epoch-*.safetensors.????????", ".former-*.safetensors.????????", "engine-*.sock"):
                for path in self.folder.glob(left):
                    path.unlink(missing_ok=True)

    def is_locked(self) -> bool:
        """Whether a process holds the lock now. Needs no permission to write here."""
        return (self.is_private() and _is_locked(self.lock)) or _is_locked(self.second_lock)


def _release(lock: "FileLock") -> None:
    with suppress(OSError):
        lock.release()


def _is_locked(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # released when the file is closed, at once
    except BlockingIOError:
        return True
    except OSError:
        pass  # there is no lock file yet
    return False


def _modified(path: Path) -> int:
    """When a file was written, in nanoseconds since 1970; -1 where it is missing or can't be looked at."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def signature(path: Path) -> tuple[int, int, int]:
    """Inode, time of change in nanoseconds and size: another one if the file was replaced or written to."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size
