"""A small real example, offline: three tasks of real handwritten digits packed into one file."""

import sys
from importlib.util import find_spec
from pathlib import Path

from packnet_core.errors import RequestError
from packnet_core.schema.commands import Add
from packnet_core.schema.recipes import Recipe
from packnet_tui.cli.shell import quoted

ARCHITECTURE, INPUT_SIZE = "digits_net", 8
TASKS = {
    "zero-to-three": "sklearn:digits:0-3",
    "four-to-six": "sklearn:digits:4-6",
    "seven-to-nine": "sklearn:digits:7-9",
}
RECIPE = Recipe(lr=0.02, epochs=30, retrain_epochs=15)  # long enough to watch
PRUNE = 0.6


def demo_commands() -> list[Add]:
    """The demo's commands: each task is added, pruned and retrained."""
    return [Add(task=task, data=data, recipe=RECIPE, prune=PRUNE) for task, data in TASKS.items()]


def check_can_run(file: Path) -> None:
    """Raise RequestError if scikit-learn is missing or the file exists."""
    if find_spec("sklearn") is None:
        raise RequestError('the demo needs scikit-learn, for its digits: pip install "packnet-tui[demo]"')
    if file.exists():
        raise RequestError(
            f"{file} exists already; open it with: packnet-tui open {quoted(file)}, or name another file for the demo"
        )


def make(file: Path) -> None:
    """Make the demo's file, without tasks."""
    from packnet_core.packfile.create import new

    for _ in new(file, ARCHITECTURE, input_size=INPUT_SIZE, channels=1):
        pass


def run_demo(file: Path) -> int:
    """Run the demo with plain lines as output. Returns the exit status."""
    from packnet_tui.cli.execute import do_here
    from packnet_tui.cli.output.inspect_report import print_inspection

    check_can_run(file)
    print(f"three tasks of real handwritten digits, packed into {file}", flush=True)
    make(file)
    for command in demo_commands():
        if status := do_here(file, command):
            return status
    print()
    print_inspection(file)
    print(f"\nopen it with: packnet-tui open {quoted(file)}")
    return 0


if __name__ == "__main__":  # only make the file, for the workbench
    from packnet_tui.cli.shell import report_errors

    def _make() -> int:
        make(Path(sys.argv[1]))
        return 0

    sys.exit(report_errors(_make))
