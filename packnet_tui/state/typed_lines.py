"""The lines that this user typed after `:`, kept between sessions in the user's state folder."""

from contextlib import suppress
from pathlib import Path

from platformdirs import user_state_path

from packnet_core.errors import DiskError
from packnet_core.files.atomic import replace_file
from packnet_core.schema.text import printable

KEPT = 200


def typed_lines() -> list[str]:
    """The lines, the oldest first; none if there are none or they can't be read."""
    with suppress(OSError):
        return [printable(line) for line in _path().read_text("utf-8", "replace").split("\n") if line][-KEPT:]
    return []


def keep_line(line: str) -> None:
    """Add a line as the newest, in place of the same line before. A disk that refuses is no reason to stop work."""
    lines = [*(other for other in typed_lines() if other != line), line][-KEPT:]
    with suppress(OSError, DiskError):
        _path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(_path(), lambda file: file.write("\n".join(lines).encode("utf-8", "replace")))


def _path() -> Path:
    return user_state_path("packnet") / "typed.txt"
