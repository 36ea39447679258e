"""Draws a table as SVG and PNG: bars, or lines over the columns. Needs matplotlib."""

from pathlib import Path
from typing import Any

from packnet_core.errors import RequestError
from packnet_core.paper.numbers import Mean
from packnet_core.paper.tables import Table

STARS = "right after"  # in the titles of those rows of Figure 4 that the paper draws as stars


def draw(name: str, table: Table, out: Path, lines: bool) -> list[Path]:
    """Draw a table to NAME.svg and NAME.png in the folder `out`, as `lines` or as bars. Returns the paths.

    Raises RequestError if matplotlib is missing.
    """
    try:
        import matplotlib
    except ImportError:
        raise RequestError('pictures need matplotlib: pip install "packnet-tui[paper]"') from None
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "packnet"  # the same picture gives the same file
    from matplotlib import pyplot

    rows = [(title, values) for title, values in table.rows if any(isinstance(v, Mean) for v in values)]
    rows = [(title, values) for title, values in rows if not title.startswith(("mean gap", "#", "("))]
    picture, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
    (_lines if lines else _bars)(axes, table, rows)
    axes.set_ylabel("top-1 error, %")
    axes.set_title(table.title)
    axes.grid(axis="y", alpha=0.3)
    if rows:
        axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    paths = [out / f"{name}.svg", out / f"{name}.png"]
    picture.savefig(paths[0], metadata={"Date": None})
    picture.savefig(paths[1], dpi=110)
    pyplot.close(picture)
    return paths


def _bars(axes: Any, table: Table, rows: list[Any]) -> None:
    """One group per row, one bar per column."""
    width = 0.8 / max(len(table.columns), 1)
    for index, column in enumerate(table.columns):
        found = [(place, values[index]) for place, (_, values) in enumerate(rows) if isinstance(values[index], Mean)]
        if found:
            places = [place + (index + 0.5) * width - 0.4 for place, _ in found]
            means, errors = [m.mean for _, m in found], [m.standard_error or 0 for _, m in found]
            axes.bar(places, means, width, yerr=errors, label=column)
    axes.set_xticks(range(len(rows)), [title for title, _ in rows])


def _lines(axes: Any, table: Table, rows: list[Any]) -> None:
    """One line per row; rows of the same task have the same colour."""
    colours: dict[str, str] = {}
    for title, values in rows:
        task = title.split(":")[-1].split(",")[0].strip()
        colour = colours.setdefault(task, f"C{len(colours)}")
        found = [(place, value) for place, value in enumerate(values) if isinstance(value, Mean)]
        star = STARS in title
        style = "--" if star or title.startswith("LwF") else ":" if title.startswith("EWC") else "-"
        axes.errorbar(
            [place for place, _ in found],
            [m.mean for _, m in found],
            yerr=[m.standard_error or 0 for _, m in found],
            label=title,
            color=colour,
            linestyle=style,
            marker="*" if star else "o",
        )
    axes.set_xticks(range(len(table.columns)), table.columns)
