"""The program `packnet` with all its commands, in the order of its help."""

from typing import Annotated

import typer

from packnet_tui.cli import file_commands, job_commands, paper_command, read_commands

HELP_ORDER = (
    "new", "add", "prune", "train", "eval", "preview", "baseline", "drop", "undo", "discard", "inspect", "verify",
    "export", "watch", "stop", "sizes", "forecast", "demo", "paper",
)  # fmt: skip


def make_program(help: str, epilog: str) -> typer.Typer:
    """A program, still without commands: plain help, `-h`, and `--version`."""
    return typer.Typer(
        help=help,
        epilog=epilog,
        callback=_root,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print("packnet-tui", version("packnet-tui"))
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app = make_program(
    "Pack many tasks into one network, in one file, without changing old tasks by one bit.",
    "Exit status: 0 done, 1 the work failed or was stopped, 2 the request or the file is wrong. "
    "The workbench in the terminal: packnet-tui open FILE",
)
_found = {
    info.name or getattr(info.callback, "__name__", ""): info
    for module in (file_commands, job_commands, paper_command, read_commands)
    for info in module.app.registered_commands
}
app.registered_commands = [_found[name] for name in HELP_ORDER]
