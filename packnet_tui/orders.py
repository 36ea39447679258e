"""What a command line asks for, before anything is asked or done."""

from dataclasses import dataclass
from pathlib import Path

from packnet_core.commands import Command


@dataclass(frozen=True)
class Order:
    """A command for a file, as it was typed. `work.carry_out` does it; the workbench gives it to the engine."""

    file: Path
    command: Command
    json: bool = False
