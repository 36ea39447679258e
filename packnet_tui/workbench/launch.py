"""The program `packnet-tui`: from arguments to an exit status; an error is one line."""

import sys
from collections.abc import Sequence

from packnet_tui.cli.main import run_app
from packnet_tui.cli.shell import report_errors


def main(arguments: Sequence[str] | None = None) -> int:
    """The workbench in the terminal. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)

    def run() -> int:
        from packnet_tui.workbench.open_command import app  # slow to import; an error or Ctrl-C meanwhile is one line

        return run_app(app, "packnet-tui", given)

    return report_errors(run)
