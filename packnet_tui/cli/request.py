"""What is typed becomes an Order: a command for a file, not done yet. What makes orders has in common."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from packnet_core.data.kinds import resolve
from packnet_core.schema.commands import Command
from packnet_core.schema.recipes import Recipe


@dataclass(frozen=True)
class Request:
    """A command for a file, as it was typed."""

    file: Path
    command: Command
    json: bool = False


def examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def typed(ctx: typer.Context) -> dict[str, Any]:
    """What was said on the command line, and is no default."""
    said = {}
    for name, value in ctx.params.items():
        source = ctx.get_parameter_source(name)
        if source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP"):
            said[name] = value.value if isinstance(value, StrEnum) else value
    return said


def of_recipe(said: dict[str, Any]) -> dict[str, Any]:
    """The part of it that is a recipe's: options have the names of its fields."""
    return {name: value for name, value in said.items() if name in Recipe.__struct_fields__}


def given(**values: Any) -> dict[str, Any]:
    """The values that were given, as a recipe has them."""
    return {k: v.value if isinstance(v, StrEnum) else v for k, v in values.items() if v is not None}


def task_and_data(text: str, known: list[str]) -> tuple[str, str | None]:
    """`TASK` or `TASK=DATA`; the name of a task may have a = in it."""
    if text in known or "=" not in text:
        return text, None
    name, _, data = text.partition("=")
    return name, resolved(data)


def resolved(data: str | None) -> Any:
    return None if data is None else resolve(data)
