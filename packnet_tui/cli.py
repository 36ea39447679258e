"""The two programs, `packnet` and `packnet-tui`: from arguments to an exit status, errors being one line."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    from packnet_tui.order import Order
    from packnet_tui.parsing import call

    result = call(app, name, arguments or ["--help"])
    if isinstance(result, Order):
        from packnet_tui.work import carry_out

        return carry_out(result)
    if result == INTERRUPTED:
        complain("interrupted")
    return int(result or 0) if arguments else 2


if __name__ == "__main__":
    sys.exit(packnet())
