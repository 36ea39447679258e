"""`packnet sizes`: how large a network with its tasks would be, packed and otherwise, as in the paper's tables."""

import sys
from typing import TYPE_CHECKING

import msgspec

from packnet_core.errors import RequestError
from packnet_core.schema.text import printable
from packnet_tui.cli.output.text_tables import aligned
from packnet_tui.state.format import file_size

if TYPE_CHECKING:
    from packnet_core.planning.sizes import Sizes

PAPERS = (1000, 200, 196, 102)  # classes of ImageNet, CUBS, Stanford Cars, Flowers (Table 1)
REPORT_FORMAT = 1  # of the JSON below


def print_sizes(arch: str, tasks: int | None, classes: str | None, json: bool) -> int:
    """Print the three sizes. Returns the exit status. Raises RequestError for an unusable network or class count."""
    counts = class_counts(tasks, classes)  # before torch is imported
    from packnet_core.planning.sizes import sizes

    found = sizes(arch, counts)
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(facts(arch, found)) + b"\n")
    else:
        print("\n".join(lines(arch, found)))
    return 0


def class_counts(tasks: int | None, classes: str | None) -> tuple[int, ...]:
    """Class counts per task, from a text like 1000,200; further tasks have the last count."""
    try:
        given = PAPERS if classes is None else tuple(int(part) for part in classes.split(","))
    except ValueError:
        raise RequestError(f"{classes!r} is not a list of numbers of classes, one per task, like 1000,200") from None
    tasks = len(given) if tasks is None else tasks
    if classes is not None and len(given) > tasks:
        raise RequestError(f"--classes has {len(given)} numbers, and --tasks is {tasks}; give one class count per task")
    return given[:tasks] + given[-1:] * (tasks - len(given))


def lines(arch: str, found: "Sizes") -> list[str]:
    """The sizes as the paper prints them, in megabytes of 10^6 bytes."""
    tasks = len(found.classes)
    unit = "bit" if found.bits == 1 else "bits"
    shown = list(map(str, found.classes if tasks < 7 else (*found.classes[:5], "…", found.classes[-1])))
    rows = [
        ["", "models", "size"],
        ["classifier only", "1", megabytes(found.classifier_only)],
        ["packed", "1", megabytes(found.packed)],
        ["individual networks", str(tasks), megabytes(found.individual)],
    ]
    return [
        printable(f"{arch}: {found.weights:,} weights that can be packed"),
        f"{tasks} {'task' if tasks == 1 else 'tasks'}, classes: {', '.join(shown)}",
        f"owners: {found.bits} {unit} per weight, {megabytes(found.owners)}",
        "",
        *aligned(rows, 80, left={""}, flexible=0),
    ]


def facts(arch: str, found: "Sizes") -> dict[str, object]:
    """The object that `packnet sizes --json` prints; its first four sizes are named as in `packnet inspect --json`."""
    names = ("network", "rest", "heads", "owners", "classifier_only", "packed", "individual")
    return {
        "format": REPORT_FORMAT,
        "architecture": arch,
        "classes": found.classes,
        "weights": found.weights,
        "bits": found.bits,
        "bytes": {name: getattr(found, name) for name in names},
    }


def megabytes(size: int) -> str:
    """Bytes in megabytes, as in the paper; below ten megabytes with a decimal."""
    return f"{size / 1e6:,.0f} MB" if size >= 1e7 else file_size(size)
