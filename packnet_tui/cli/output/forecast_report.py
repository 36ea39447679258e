"""`packnet forecast`: how many more tasks fit, and in which order to add them."""

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from packnet_core.data.kinds import named_sources
from packnet_core.errors import RequestError
from packnet_core.packfile import trust as trusted
from packnet_core.packfile.header import read_header
from packnet_core.planning import forecast as core
from packnet_core.planning.forecast import Forecast
from packnet_core.planning.order import hardest_first
from packnet_core.schema.document import Document
from packnet_core.schema.events import Entry, Hardness
from packnet_core.schema.recipes import Recipe
from packnet_tui.cli.output.progress import Display
from packnet_tui.cli.output.text_tables import aligned
from packnet_tui.state.fits import sentence
from packnet_tui.state.format import MISSING, share, two_digits

REPORT_FORMAT = 1  # of the JSON below


def print_forecast(
    file: Path,
    arguments: Sequence[str],
    order: Sequence[str],
    least: float,
    recipe: Recipe,
    json: bool,
    *,
    trust: str | None = None,
    **choices: Any,
) -> int:
    """Print what fits at each ratio, the recommended order of `NAME=DATA`, or both. Returns the exit status."""
    document = read_header(file).document
    if trust is not None:
        trusted.trust(file, trust)
    data = _named([*order, *(text for text in arguments if "=" in text)])
    ratios = _ratios([text for text in arguments if "=" not in text])
    if not ratios and not data:
        ratios = list(core.RATIOS)
    forecasts = [core.forecast_of(document, ratio, least) for ratio in ratios]
    found: list[Hardness] = []
    if data:
        document.index(choices["features"]) if choices["features"] else None  # before torch is imported
        found = _measured(file, data, recipe, json, **choices)
    if json:
        facts: dict[str, object] = {"format": REPORT_FORMAT}
        if ratios:
            facts |= {"least": least, "forecasts": [_facts(found) for found in forecasts]}
        if found:
            facts |= {"order": [hardness.name for hardness in found], "hardness": found}
        sys.stdout.buffer.write(msgspec.json.encode(facts) + b"\n")
        return 0
    blocks = [_room_lines(document, forecasts, least)] if ratios else []
    blocks += [_order_lines(found)] if found else []
    print("\n\n".join("\n".join(block) for block in blocks))
    return 0


def _ratios(texts: Sequence[str]) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError as error:
        raise RequestError(f"a pruning ratio is a share from 0 to 1: {error}") from None


def _named(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=DATA` options as data by name."""
    try:
        return named_sources(texts)
    except RequestError as error:
        raise RequestError(f"--order: {error}") from None


def _measured(
    file: Path, data: dict[str, str], recipe: Recipe, json: bool, *, device: str | None, **choices: Any
) -> list[Hardness]:
    """Measure the error of a new head on each data set, and show progress. Returns them, the hardest first."""
    from packnet_core.jobs.hardness import measure
    from packnet_core.network.device import pick_device

    found = []
    with Display() as display:
        for event in measure(file, data, recipe, device=pick_device(device), **choices):
            if isinstance(event, Hardness):
                found.append(event)
            elif not json:
                display.show(Entry(at=time.time(), job=0, event=event))
    return hardest_first(found)


def _facts(found: Forecast) -> dict[str, object]:
    return {
        "ratio": found.ratio, "tasks": found.tasks, "owns": found.total.owns, "free": found.total.free,
        "layers": [{**msgspec.structs.asdict(room), "tasks": room.tasks} for room in found.layers],
    }  # fmt: skip


def _room_lines(document: Document, forecasts: Sequence[Forecast], least: float) -> list[str]:
    """One line per layer: how many more tasks fit there at each ratio; then what each of them would own in total."""
    newest = document.open_task
    lines = [
        "Tasks that fit: each takes all free weights and is pruned at the ratio.",
        f"It is counted if it then owns at least {100 * least:.3g} % of the weights.",
    ]
    if newest and core.waits_for_pruning(document):
        lines.append(f"{newest.name}, which is not pruned yet, is pruned at the same ratio first.")
    table = [["layer", "weights", "free %", *(f"at {found.ratio:g}" for found in forecasts)]]
    free = [*(layer.free for layer in document.layers), document.free]
    for now, *row in zip(free, *((*found.layers, found.total) for found in forecasts), strict=True):
        name = row[0].name.removesuffix(".weight")
        counts = [str(room.tasks) for room in row]
        table.append([name, f"{row[0].weights:,}", share(now, row[0].weights), *counts])
    width = shutil.get_terminal_size((80, 24)).columns
    lines += ["", *aligned(table, width, left={"layer"}, flexible=0), ""]
    return lines + [sentence(found) for found in forecasts]


def _order_lines(found: Sequence[Hardness]) -> list[str]:
    """The measured errors as lines, the hardest first."""
    rows = [["task", "classes", "validation", "test", "top-5", "chance"]]
    for hardness in found:
        error = hardness.error
        rows.append(
            [hardness.name, str(hardness.classes), two_digits(hardness.validation_error),
             two_digits(error.top1), two_digits(error.top5), two_digits(hardness.chance)]
        )  # fmt: skip
    shown = [i for i, name in enumerate(rows[0]) if name != "top-5" or any(row[i] != MISSING for row in rows[1:])]
    table = [[row[i] for i in shown] for row in rows]
    names = ", ".join(hardness.name for hardness in found)
    return [
        "Errors in percent of a new head on fixed features:",
        "",
        *aligned(table, 80, left={"task"}, flexible=0),
        "",
        f"The hardest first (§5.1): {names}",
    ]
