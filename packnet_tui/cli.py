"""The two programs, `packnet` and `packnet-tui`: from arguments to an exit status, errors being one line."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packnet_core.errors import RequestError
from packnet_tui.shell import INTERRUPTED, complain, report_errors

if TYPE_CHECKING:
    from typer import Typer


def packnet(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return report_errors(lambda: _packnet(given))


def workbench(arguments: Sequence[str] | None = None) -> int:
    """The workbench in the terminal. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)

    def work() -> int:
        from packnet_tui.workbench import app

        return _run(app, "packnet-tui", given)

    return report_errors(work)


def _packnet(arguments: list[str]) -> int:
    match arguments:
        # scripts inspect in loops, and importing Typer takes longer than the whole answer
        case ["inspect", file] | ["inspect", "--json", file] | ["inspect", file, "--json"] if file[:1] != "-":
            from packnet_tui.report import inspect

            return inspect(Path(file), json=len(arguments) == 3)
    from packnet_tui.commands import app

    return _run(app, "packnet", arguments)


def _run(app: "Typer", name: str, arguments: list[str]) -> int:
    from packnet_tui.orders import Order

    result = call(app, name, arguments or ["--help"])
    if isinstance(result, Order):
        from packnet_tui.work import carry_out

        return carry_out(result)
    if result == INTERRUPTED:
        complain("interrupted")
    return int(result or 0) if arguments else 2


def call(app: "Typer", name: str, arguments: list[str]) -> Any:
    """Let Typer parse arguments and call their command. Returns what that gives: an Order, or an exit status.

    Raises RequestError where the arguments make no sense.
    """
    import typer

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


if __name__ == "__main__":
    sys.exit(packnet())
