"""Writes a table as Markdown, with the paper's layout, and as JSON; and all results in one file beside it."""

import json
from pathlib import Path
from typing import Any

import msgspec

from packnet_core.paper.numbers import Mean
from packnet_core.paper.plan import Cell, Plan, key, with_parents
from packnet_core.paper.runner import Results
from packnet_core.paper.tables import Table, Value


def markdown(table: Table, missing: int, cells: int) -> str:
    """The table in Markdown, with a line about missing cells, if any."""
    lines = [f"### {table.title}", "", "| | " + " | ".join(table.columns) + " |"]
    lines.append("| --- |" + " --- |" * len(table.columns))
    lines += [f"| {title} | " + " | ".join(map(format_value, values)) + " |" for title, values in table.rows]
    if missing:
        lines += ["", f"{missing} of {cells} cells are not computed yet; numbers that need them are –."]
    return "\n".join(lines) + "\n"


def format_value(value: Value) -> str:
    """`12.30 ± 0.40 (3)`: mean, standard error and number of values, the last two if there are several; – for None."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    spread = "" if value.standard_error is None else f" ± {value.standard_error:.2f} ({value.count})"
    return f"{value.mean:.2f}{spread}"


def conditions(plan: Plan, results: Results) -> list[str]:
    """How the results were made, in lines: network, images, recipe, machines, time."""
    lines = [f"Network: {plan.arch}, weights: {Path(plan.weights).name}."]
    for found in results.values():
        if "images" in found and "path" in found["cell"] and found["cell"]["path"]:
            counts = found["images"]
            task = found["cell"]["path"][-1]
            line = f"{task}: images " + ", ".join(f"{count:,} {part}" for part, count in counts.items()) + "."
            if line not in lines:
                lines.append(line)
    recipe = plan.recipe
    lines.append(
        f"Recipe: {recipe.optimizer}, momentum {recipe.momentum:g}, batches of {recipe.batch_size}, {recipe.epochs} "
        f"epochs at {recipe.lr:g} divided by ten after {recipe.decays_after}, {recipe.retraining_epochs} of "
        f"retraining at {recipe.retraining_lr:g}; {recipe.precision}; the seed is the run's number."
    )
    machines = sorted({f"{found['machine']}, torch {found['torch']}" for found in results.values()})
    seconds = sum(found["seconds"] for found in results.values())
    lines.append(f"Made on {'; '.join(machines)}: {seconds / 60:.0f} minutes of work in {len(results)} cells.")
    return lines


def write_table(
    name: str, table: Table, plan: Plan, cells: list[Cell], results: Results, out: Path, command: str
) -> list[Path]:
    """Write NAME.md and NAME.json to the folder `out`. Returns their paths.

    NAME.json lists the names of the results that the table is made from; both have the `command` that makes them.
    """
    wanted = {key(cell) for cell in with_parents(cells, plan)}
    found = {name: numbers for name, numbers in results.items() if name in wanted}
    text = markdown(table, len(wanted) - len(found), len(wanted))
    text += "\n" + "\n".join(f"- {line}" for line in conditions(plan, found)) + f"\n\n    {command}\n"
    document: dict[str, Any] = {
        "title": table.title,
        "command": command,
        "plan": msgspec.to_builtins(plan),
        "columns": list(table.columns),
        "rows": {title: [_plain(value) for value in values] for title, values in table.rows},
        "missing": sorted(wanted - found.keys()),
        "results": sorted(found),
    }
    paths = [out / f"{name}.md", out / f"{name}.json"]
    paths[0].write_text(text, encoding="utf-8")
    paths[1].write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return paths


def write_results(results: Results, out: Path) -> Path:
    """Write results.jsonl: all results of the folder's tables, one per line. Returns its path."""
    path = out / "results.jsonl"
    lines = (json.dumps({"name": name, **found}, ensure_ascii=False) for name, found in results.items())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _plain(value: Value) -> Any:
    if not isinstance(value, Mean):
        return value
    return {"mean": value.mean, "error": value.standard_error, "count": value.count}
