"""Arguments parsed by Typer, without what it does to a program: no exit, no message of its own."""

from typing import Any

import typer

from packnet_core.errors import RequestError
from packnet_tui.cli.shell import INTERRUPTED


def call(app: typer.Typer, name: str, arguments: list[str]) -> Any:
    """Let Typer parse arguments and call their command. Returns what that gives: an Order, or an exit status.

    Raises RequestError where the arguments make no sense.
    """
    # click's UsageError, wherever this version of Typer keeps it
    usage_error: type[Exception] = typer.BadParameter.__mro__[1]
    command = typer.main.get_command(app)
    try:
        return command.main(arguments, prog_name=name, standalone_mode=False)
    except usage_error as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else name
        message: str = getattr(error, "format_message", error.__str__)()
        raise RequestError(f"{message.rstrip('.')}; see {where} --help") from None
    except typer.Abort:  # Ctrl-C, in some versions
        return INTERRUPTED
