"""A command typed in the workbench after `:`, parsed by the command line's own parser."""

import shlex
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from packnet_core.errors import RequestError
from packnet_core.schema.commands import Command
from packnet_tui.cli.shell import quoted

if TYPE_CHECKING:
    from typer import Typer

CHANGES, READS = ("add", "prune", "train", "drop", "undo", "discard"), ("eval", "preview", "baseline")
JOB_COMMANDS = (*CHANGES, *READS)  # those that make a job
PRINTED = ("inspect", "verify", "sizes", "forecast", "export")  # those whose output is shown
ELSEWHERE = {  # those that make no sense here, and what to do instead
    "watch": "panes 3 and 5 show the running job",
    "stop": "x stops a job; the engine ends by itself after q, or in a shell: packnet stop {file}",
    "new": "it makes another file: type it in a shell",
    "demo": "it makes another file: packnet-tui demo in a shell",
    "paper": "it runs experiments on files of its own: type it in a shell",
    "open": "leave with q, and type in a shell: packnet-tui open FILE",
}
COMMANDS = (*JOB_COMMANDS, *PRINTED, *ELSEWHERE)


def words_of(line: str) -> list[str]:
    """The words of a line, as a shell splits them. Raises RequestError for a quote that is not closed."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise RequestError(f"{line!r}: {error}") from None


def printed(words: Sequence[str], file: Path, architecture: str) -> list[str] | None:
    """The arguments of `packnet` for a line whose output is shown; None if it is none of those.

    `help NAME` is `NAME --help`, and `sizes` is about the file's architecture if none is named.
    Raises RequestError for a command that makes no sense here.
    """
    word, *rest = words
    if word == "help" and rest:
        word, rest = rest[0], ["--help"]
        if word not in COMMANDS:
            raise unknown(word)
    if {"-h", "--help"} & set(rest) and word in COMMANDS:
        return [word, "--help"]
    if word in ELSEWHERE:
        raise RequestError(f"{word}: {ELSEWHERE[word].format(file=quoted(file))}")
    if word == "sizes":
        return [word, *rest] if rest and not rest[0].startswith("-") else [word, architecture, *rest]
    return [word, *with_file(word, rest, file)] if word in PRINTED else None


def parse(line: str, file: Path) -> Command:
    """Parse a line such as `prune 0.75 --retrain-epochs 5` to a command for a file. It is not done yet.

    Raises RequestError if the line is not such a command.
    """
    word, *rest = words_of(line)
    if word not in JOB_COMMANDS:
        raise unknown(word)
    if {"--json", "--install-completion", "--show-completion"} & set(rest):
        raise RequestError(f"for scripts, type in a shell: packnet {word} {' '.join(rest)}")
    from packnet_tui.cli.request import Request, call  # Typer comes with it

    request: Request = call(parser_of(word), "packnet", [word, *with_file(word, rest, file)])
    if request.trust is not None:
        raise RequestError(f"leave, and let the code run with: packnet-tui open {file} --trust {request.trust}")
    if request.on_done:
        raise RequestError("--on-done is for a shell; for this screen: packnet-tui open FILE --on-done CMD")
    return request.command


def unknown(word: str, known: Iterable[str] = (*JOB_COMMANDS, *PRINTED)) -> RequestError:
    """The error for a word that is no command."""
    close = get_close_matches(word, known, 1)
    hint = f"did you mean {close[0]}?" if close else "tab completes all there are"
    return RequestError(f"there is no command {word!r}; {hint}")


def parser_of(word: str) -> "Typer":
    """The part of the command line that has this command."""
    from packnet_tui.cli import file_commands, job_commands, read_commands  # not `cli.program`, which leads to torch

    return read_commands.app if word in READS else job_commands.app if word in CHANGES else file_commands.app


def with_file(word: str, arguments: list[str], file: Path) -> list[str]:
    """The arguments of a command with the file in its place: the first, in `baseline` the second, in `sizes` none."""
    if word == "sizes":
        return arguments
    at = 1 if word == "baseline" else 0
    return [*arguments[:at], str(file), *arguments[at:]]
