"""What commands share towards the shell: one-line errors, exit statuses, questions, quoted paths."""

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from packnet_core.errors import PacknetError, RequestError
from packnet_core.schema.text import printable

INTERRUPTED = 130  # the exit status that shells give for Ctrl-C


class Interrupted(PacknetError):
    """Ctrl-C ended the command; the message says what happens to the work."""

    status = INTERRUPTED


def complain(message: str) -> None:
    """Print one line on stderr, if that is still open."""
    with suppress(OSError):
        print("packnet:", printable(" ".join(message.split())), file=sys.stderr, flush=True)


def report_errors(work: Callable[[], int]) -> int:
    """Call `work`. Returns its exit status; an error is one line on stderr, never a traceback."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # for a terminal without × or …
    try:
        status = work()
        sys.stdout.flush()
        return status
    except PacknetError as error:
        complain(str(error))
        return error.status
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # as with `| head`; Python's own flush at exit needs an open stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}")
        return 1


def _open_closed_streams() -> None:
    """Open standard streams that the caller closed (`>&-`) to nowhere: else the next file would take their place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


def confirm(question: str, without_terminal: str) -> bool:
    """Ask on the terminal; the default is no. Raises RequestError(without_terminal) if there is no terminal."""
    if not sys.stdin.isatty():
        raise RequestError(without_terminal)
    print(printable(question), "[y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def is_terminal() -> bool:
    """Whether stdout is a terminal that can redraw a line."""
    return sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb")


def has_terminal() -> bool:
    """Whether there is a terminal for a screen and its keys. Textual draws on stderr."""
    return sys.stdin.isatty() and sys.stderr.isatty() and is_terminal()


def require_terminal(file: Path) -> None:
    """Raise RequestError, naming the commands that need no terminal, if there is no terminal for a screen."""
    if not has_terminal():
        raise RequestError(
            f"the workbench needs a terminal; without one: packnet inspect {quoted(file)}, packnet watch {quoted(file)}"
        )


def quoted(path: Path) -> str:
    """A path quoted for a shell."""
    return shlex.quote(str(path))
