"""Small files in this user's state folder, kept between sessions. A disk that refuses is no reason to stop work."""

from contextlib import suppress
from pathlib import Path

from platformdirs import user_state_path

from packnet_core.errors import DiskError
from packnet_core.files.atomic import replace_file

LARGEST = 1 << 20  # bytes that are read of one


def kept(name: str) -> bytes:
    """The content of a file; empty if there is none, or it can't be read."""
    with suppress(OSError), open(_path(name), "rb") as file:
        return file.read(LARGEST)
    return b""


def keep(name: str, content: bytes) -> None:
    """Replace a file, which only this user can read."""
    with suppress(OSError, DiskError):
        _path(name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _path(name).touch(mode=0o600)
        replace_file(_path(name), lambda file: file.write(content))


def _path(name: str) -> Path:
    return user_state_path("packnet") / name
