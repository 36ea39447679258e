"""Requests: a command for a file, parsed from arguments with Typer, not done yet."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from packnet_core.data.kinds import resolve
from packnet_core.errors import RequestError
from packnet_core.schema.commands import Command
from packnet_tui.cli.output.progress import EVERY
from packnet_tui.cli.shell import INTERRUPTED

PARSING = re.compile(r"Input should be a valid (integer|number), .*")  # since Typer uses Pydantic


@dataclass(frozen=True)
class Request:
    """A command for a file, as it was typed; `trust` is code that the file names and that may run (see `trust`).

    `on_done` is what the shell runs once the job has ended; empty: nothing.
    """

    file: Path
    command: Command
    json: bool = False
    trust: str | None = None
    every: float = EVERY
    on_done: str = ""


def call(app: typer.Typer, name: str, arguments: list[str]) -> Any:
    """Parse the arguments of the program `name` with Typer and call their command. Returns what the command returns.

    Raises RequestError if the arguments are wrong.
    """
    usage_error: type[Exception] = typer.BadParameter.__mro__[1]  # click's, wherever this version of Typer keeps it
    command = typer.main.get_command(app)
    try:
        return command.main(arguments, prog_name=name, standalone_mode=False)
    except usage_error as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else name
        message: str = getattr(error, "format_message", error.__str__)().replace("Value error, ", "")
        message = _plain(message, error)
        if message.startswith("No such option") and (negative := next(filter(_is_negative, arguments), None)):
            message = f"{negative} is below 0, and a pruning ratio is a share from 0 to 1"
        raise RequestError(f"{message.rstrip('.')}; see {where} --help") from None
    except typer.Abort:  # Ctrl-C, in some versions
        return INTERRUPTED


def _plain(message: str, error: Exception) -> str:
    """A message in plain words, with what was typed in place of a number, which Pydantic's message leaves out."""
    if found := PARSING.search(message):
        try:
            typed = repr(error.__cause__.errors()[0]["input"])  # type: ignore[union-attr]
        except (AttributeError, LookupError):
            typed = "it"
        message = f"{message[: found.start()]}{typed} is not a {'whole ' * (found[1] == 'integer')}number"
    return message.replace("Input should", "it should")


def _is_negative(argument: str) -> bool:
    """Whether an argument is a number below 0, which the parser takes for an option."""
    with suppress(ValueError):
        return argument.startswith("-") and float(argument) <= 0
    return False


def examples(*lines: str) -> str:
    """Examples below the help of a command."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def task_and_data(text: str, known: list[str]) -> tuple[str, str | None]:
    """`TASK` or `TASK=DATA`; a task's name may have a = in it."""
    if text in known or "=" not in text:
        return text, None
    name, _, data = text.partition("=")
    return name, resolve(data)


def resolved(data: str | None) -> Any:
    """Data for a command: paths are made absolute, since an engine may work in another folder."""
    return None if data is None else resolve(data)
