"""A command typed in the workbench after `:`, parsed by the command line's own parser."""

import shlex
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from packnet_core.errors import RequestError
from packnet_core.schema.commands import Command

if TYPE_CHECKING:
    from typer import Typer

CHANGES, READS = ("add", "prune", "train", "drop"), ("eval", "preview", "baseline")
JOB_COMMANDS = (*CHANGES, *READS)  # those that make a job


def parse(line: str, file: Path) -> Command:
    """Parse a line such as `prune 0.75 --retrain-epochs 5` to a command for a file. It is not done yet.

    Raises RequestError if the line is not such a command.
    """
    try:
        word, *rest = shlex.split(line)
    except ValueError as error:
        raise RequestError(f"{line!r}: {error}") from None
    if word not in JOB_COMMANDS:
        close = get_close_matches(word, JOB_COMMANDS, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise RequestError(f"{word!r} is neither a command ({', '.join(JOB_COMMANDS)}) nor the name of an action{hint}")
    if {"-h", "--help", "--json", "--install-completion", "--show-completion"} & set(rest):
        raise RequestError(f"for its options, type in a shell: packnet {word} --help")
    from packnet_tui.cli.request import Request, call  # Typer comes with it

    request: Request = call(parser_of(word), "packnet", [word, *with_file(word, rest, file)])
    if request.trust is not None:
        raise RequestError(f"leave, and let the code run with: packnet-tui open {file} --trust {request.trust}")
    if request.on_done:
        raise RequestError("--on-done is for a shell; for this screen: packnet-tui open FILE --on-done CMD")
    return request.command


def parser_of(word: str) -> "Typer":
    """The part of the command line that has this command."""
    from packnet_tui.cli import job_commands, read_commands  # not `cli.program`, which leads to torch

    return read_commands.app if word in READS else job_commands.app


def with_file(word: str, arguments: list[str], file: Path) -> list[str]:
    """The arguments of a command with the file in its place: the first, but the second of `baseline`."""
    at = 1 if word == "baseline" else 0
    return [*arguments[:at], str(file), *arguments[at:]]
