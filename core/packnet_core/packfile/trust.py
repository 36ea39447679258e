"""Which functions may run because a pack file names them (law 6). Needs no torch.

A file's architecture may be `module:function`, so a stranger's file could name any code. Such a function runs only if
this user named it: to make a file (`packnet new --arch`), or with `--trust`. It is called without arguments, so that no
file has a say in what it does; hence it is trusted for copies and other files too, while Python finds its module in the
same place. The user's state folder has the record: one line per function.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import msgspec
from msgspec import Struct

from packnet_core.errors import RequestError, WorkError
from packnet_core.files.lines import append, ends_whole
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.schema.text import UNREADABLE, printable

PATIENCE = 120.0  # seconds that a function may take when it is tried
TRY = "import sys; from packnet_core.network.architectures import build; build(sys.argv[1]); print('built')"


class Trusted(Struct, frozen=True):
    """A line of the record: the function that this user named for a pack file, and the file of its module."""

    file: str
    function: str
    module: str = ""  # of the outermost package; empty where it is no file


def names_code(architecture: str) -> bool:
    """Whether this name of an architecture is `module:function`."""
    return ":" in architecture


def is_trusted(path: str | Path, architecture: str) -> bool:
    """Whether the network of a pack file may be built: it names no code, or code that this user named."""
    if not names_code(architecture):
        return True
    file, module = str(Paths(path).file), _module(architecture)
    return any(
        known.function == architecture and known.module == module and (module or known.file == file)
        for known in _record()
    )


def require(path: str | Path, architecture: str) -> None:
    """Raises RequestError, saying what to do, if `is_trusted` is false."""
    if not is_trusted(path, architecture):
        raise RequestError(
            f"{Path(path).name} names code to build its network, {architecture!r}, and it runs only if you say so: "
            f"--trust {architecture} (in Python: packnet_core.open(PATH, trust={architecture!r}))"
        )


def trust(path: str | Path, function: str) -> None:
    """Allow the function that a pack file names, from now on; the function is tried first (see `allow`).

    Raises RequestError if the file names something else, or the function does not build a network.
    """
    named = read_header(path).document.architecture.name
    if named != function:
        raise RequestError(f"{Path(path).name} names {named!r} as its architecture, not {function!r}")
    allow(path, function)


def allow(path: str | Path, architecture: str) -> None:
    """Record that this user named a function, for a pack file that may not exist yet. Others need no record.

    A function that was not allowed before is first called in a process of its own, so that one that ends its
    process or never returns is one line. Raises RequestError if it does not build a network, WorkError if the
    record can't be written.
    """
    if is_trusted(path, architecture):
        return
    _try(architecture)
    line = msgspec.json.encode(Trusted(str(Paths(path).file), architecture, _module(architecture))) + b"\n"
    where = _path()
    try:
        where.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(where, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            append(handle, line if ends_whole(where) else b"\n" + line)
        finally:
            os.close(handle)
    except OSError as error:
        raise WorkError(f"{where}, which records the code you trust, can't be written: {error.strerror}") from None


def _module(function: str) -> str:
    """The file of a function's outermost module or package, found without running it; empty where there is none."""
    name = function.partition(":")[0].partition(".")[0]
    try:
        spec = find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return ""
    return os.path.realpath(spec.origin) if spec and spec.has_location and spec.origin else ""


def _path() -> Path:
    from platformdirs import user_state_path

    return user_state_path("packnet") / "trusted.jsonl"


def _record() -> list[Trusted]:
    """What this user allowed; empty if there is no record. Lines that can't be read are passed over."""
    try:
        lines = _path().read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Trusted))  # a path, never shown
        except UNREADABLE:
            continue
    return found


def _try(function: str) -> None:
    """Build a network by a function in a process of its own. Raises RequestError if that fails."""
    if function.startswith("__main__:"):  # of this process alone
        return
    # where this process finds modules, the other one must too; its own current folder is no such place
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", TRY, function],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise RequestError(f"{function} has not returned a network within {PATIENCE:.0f} s") from None
    if done.returncode == 0 and done.stdout.rstrip().endswith(b"built"):
        return
    *_, last = done.stderr.decode(errors="replace").strip().splitlines() or [""]
    how = f"was ended by signal {-done.returncode}" if done.returncode < 0 else "ended"
    reason = last.removeprefix("packnet_core.errors.RequestError: ") or f"its process {how}"
    raise RequestError(printable(reason if function in reason else f"{function} built no network: {reason}"))
