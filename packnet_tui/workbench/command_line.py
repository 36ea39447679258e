"""A command typed in the workbench after `:`, parsed by the command line's own parser."""

import shlex
from pathlib import Path

from packnet_core.errors import RequestError
from packnet_core.schema.commands import Command

COMMANDS = ("add", "prune", "train", "eval", "preview", "baseline", "drop")  # those that are work on the open file


def parse(line: str, file: Path) -> Command:
    """`prune 0.75 --retrain-epochs 5` as the command it is on a file. Raises RequestError where it is none.

    Nothing is asked and nothing is done.
    """
    try:
        word, *rest = shlex.split(line)
    except ValueError as error:
        raise RequestError(f"{line!r}: {error}") from None
    if word not in COMMANDS:
        raise RequestError(f"there is no {word!r} here; there are {', '.join(COMMANDS)}, and the names of all actions")
    if {"-h", "--help", "--json", "--install-completion", "--show-completion"} & set(rest):
        raise RequestError(f"for its options: packnet {word} --help, in a shell")
    from packnet_tui.cli.job_commands import app
    from packnet_tui.cli.parsing import call
    from packnet_tui.cli.request import Request  # Typer comes with it

    named = rest[:1] if word == "baseline" else []  # the one command whose file is not its first argument
    request: Request = call(app, "packnet", [word, *named, str(file), *rest[len(named) :]])
    return request.command
