"""Completions of a line after `:`: words, options, tasks, layers and paths, as the shell completes them."""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from packnet_core.schema.text import printable
from packnet_tui.workbench.command_line import JOB_COMMANDS, PRINTED, parser_of, with_file

LAST_WORD = re.compile(r"(.*(?<!\\)\s)?(.*)")  # a blank after a backslash is part of a word


def complete_line(line: str, file: Path, words: Mapping[str, Sequence[str]]) -> list[str]:
    """All lines that complete the last word of `line`.

    Beside the commands, `words` may stand first, each followed by one of its own. A whole word
    ends with a blank; a folder or `NAME=` does not.
    """
    before, escaped = LAST_WORD.fullmatch(line).groups("")  # type: ignore[union-attr]  # it matches every line
    start = re.sub(r"\\(.)", r"\1", escaped)
    if not before.strip():
        found = [word for word in (*JOB_COMMANDS, *PRINTED, *words) if word.startswith(start)]
    elif following := words.get(before.strip()):
        found = [word for word in following if word.startswith(start)]
    else:
        found = [re.sub(r"([\s'\"\\])", r"\\\1", word) for word in _arguments(before.split(), start, file)]
    return [f"{before}{word}{'' if word.endswith(('/', '=')) else ' '}" for word in dict.fromkeys(found)]


def _arguments(words: list[str], start: str, file: Path) -> list[str]:
    """Completions of an argument, from the declarations of the command line."""
    name, *given = words
    if name == "save-svg":
        return _files(start)
    if name not in (*JOB_COMMANDS, *PRINTED):
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
        hidden = ("--every", "--trust", "--on-done", *(() if name in PRINTED else ("--json", "--help")))
        return sorted(flag for flag in options if flag.startswith(start) and flag not in hidden)
    arguments = [each for each in command.params if not each.opts[0].startswith("-") and each.name != "file"]
    left = [each for each in arguments if each.nargs == -1 or not context.params.get(each.name)]
    if left and left[0].name == "out":  # a path, which the shell itself completes
        return _files(start)
    choices = [choice.value for choice in left[0].shell_complete(context, start)] if left else []
    return [choice for choice in choices if choice not in given]


def _files(start: str) -> list[str]:
    """Files and folders whose paths begin with a text; none where a folder can't be read."""
    folder, name = os.path.split(start)
    with suppress(OSError), os.scandir(os.path.expanduser(folder) or ".") as entries:
        named = [e for e in entries if e.name.startswith(name) and (name or e.name[0] != ".")]
        paths = [os.path.join(folder, e.name) + "/" * e.is_dir() for e in named]
        return sorted(path for path in paths if printable(path) == path)
    return []
