"""A command typed in the workbench after `:`, parsed by the command line's own parser."""

import shlex
from difflib import get_close_matches
from pathlib import Path

from packnet_core.errors import RequestError
from packnet_core.schema.commands import Command

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
    from packnet_tui.cli import job_commands, read_commands  # Typer comes with them; `cli.program` leads to torch
    from packnet_tui.cli.request import Request, call

    named = rest[:1] if word == "baseline" else []  # the only command whose file is its second argument
    app = read_commands.app if word in READS else job_commands.app
    request: Request = call(app, "packnet", [word, *named, str(file), *rest[len(named) :]])
    if request.trust is not None:
        raise RequestError(f"leave, and let the code run with: packnet-tui open {file} --trust {request.trust}")
    return request.command
