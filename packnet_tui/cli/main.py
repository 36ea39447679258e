"""The program `packnet`: from arguments to an exit status. An error is one line."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packnet_tui.cli.shell import INTERRUPTED, complain, report_errors

if TYPE_CHECKING:
    from typer import Typer


def packnet(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return report_errors(lambda: _packnet(given))


def _packnet(arguments: list[str]) -> int:
    match arguments:
        # scripts call inspect in loops, and importing Typer takes longer than the whole answer
        case ["inspect", file] | ["inspect", "--json", file] | ["inspect", file, "--json"] if file[:1] != "-":
            from packnet_tui.cli.output.inspect_report import print_inspection

            return print_inspection(Path(file), json=len(arguments) == 3)
    from packnet_tui.cli.program import app

    return run_app(app, "packnet", arguments)


def run_app(app: "Typer", name: str, arguments: list[str]) -> int:
    """Parse the arguments of the program `name` and do what they ask. Returns the exit status."""
    from packnet_tui.cli.request import Request, call

    result = call(app, name, arguments or ["--help"])
    if isinstance(result, Request):
        from packnet_tui.cli.execute import carry_out

        return carry_out(result)
    if result == INTERRUPTED:
        complain("interrupted")
    return int(result or 0) if arguments else 2


if __name__ == "__main__":
    sys.exit(packnet())
