"""Completions of a line after `:`: words, options, tasks, layers and paths, as the shell completes them."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packnet_tui.workbench.command_line import JOB_COMMANDS, parser_of, with_file

LAST_WORD = re.compile(r"(.*(?<!\\)\s)?(.*)")  # a blank after a backslash is part of a word


def complete_line(line: str, file: Path, words: Iterable[str]) -> list[str]:
    """All lines that complete the last word of `line`; `words` may stand first beside the commands.

    A whole word ends with a blank; a folder or `NAME=` does not.
    """
    before, escaped = LAST_WORD.fullmatch(line).groups("")  # type: ignore[union-attr]  # it matches every line
    start = re.sub(r"\\(.)", r"\1", escaped)
    if not before.strip():
        found = [word for word in (*JOB_COMMANDS, *words) if word.startswith(start)]
    else:
        found = [re.sub(r"([\s'\"\\])", r"\\\1", word) for word in _arguments(before.split(), start, file)]
    return [f"{before}{word}{'' if word.endswith(('/', '=')) else ' '}" for word in dict.fromkeys(found)]


def _arguments(words: list[str], start: str, file: Path) -> list[str]:
    """Completions of an argument, from the declarations of the command line."""
    name, *given = words
    if name not in JOB_COMMANDS:
        return []
    import typer

    group: Any = typer.main.get_command(parser_of(name))
    command = group.commands[name]
    typed = with_file(name, given, file)
    context = command.make_context(name, typed, resilient_parsing=True, parent=group.context_class(group))
    options = {flag: option for option in command.params for flag in option.opts if flag.startswith("-")}
    asked = options.get(given[-1]) if given else None
    if asked and not asked.is_flag:
        return [choice.value for choice in asked.shell_complete(context, start)]
    if start.startswith("-"):
        hidden = ("--help", "--json", "--every", "--trust", "--on-done")
        return sorted(flag for flag in options if flag.startswith(start) and flag not in hidden)
    arguments = [each for each in command.params if not each.opts[0].startswith("-") and each.name != "file"]
    left = [each for each in arguments if each.nargs == -1 or not context.params.get(each.name)]
    choices = [choice.value for choice in left[0].shell_complete(context, start)] if left else []
    return [choice for choice in choices if choice not in given]
