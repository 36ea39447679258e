"""A mosaic as lines of text: half blocks in shades, blocks in the terminal's own colours, or digits."""

from typing import TYPE_CHECKING

from rich.text import Text

from packnet_tui.state.marks import BLOCKS, Marks, glyph

if TYPE_CHECKING:
    from packnet_tui.state.mosaic import Mosaic

Cell = tuple[int, int]  # owner (0 free, -1 none) and step of brightness


def rows_per_line(marks: Marks) -> int:
    """How many rows of cells a line of text holds."""
    return 2 if marks.solid and marks.shades else 1


def mosaic_lines(mosaic: "Mosaic", wide: int, high: int, marks: Marks) -> list[Text]:
    """The lines of a mosaic whose cells are `wide` characters wide and `high` rows high (see `rows_per_line`)."""
    rows = [
        list(zip(owners, steps, strict=True))
        for owners, steps in zip(mosaic.owner.tolist(), mosaic.step.tolist(), strict=True)
        for _ in range(high)
    ]
    if rows_per_line(marks) == 1:
        draw = _block if marks.solid else _digit
        return [_line(row, [draw(cell, marks, mosaic.highlighted) for cell in row], wide) for row in rows]
    lines = []
    for i in range(0, len(rows), 2):
        upper, lower = rows[i], rows[i + 1] if i + 1 < len(rows) else None
        cells = list(zip(upper, lower or upper, strict=True))
        colours = [[_shade(cell, marks, mosaic.highlighted) for cell in pair] for pair in cells]
        signs = [(" ", f"on {a}") if lower and a == b else ("▀", f"{a} on {b}" if lower else a) for a, b in colours]
        lines.append(_line(cells, signs, wide))
    return lines


def _line(cells: "list[Cell] | list[tuple[Cell, Cell]]", signs: list[tuple[str, str]], wide: int) -> Text:
    """One line; equal neighbours are one piece, so that few bytes go to the terminal."""
    line, begin = Text(), 0
    for i in range(1, len(cells) + 1):
        if i == len(cells) or cells[i] != cells[begin]:
            sign, style = signs[begin]
            line.append(sign * (wide * (i - begin)), style)
            begin = i
    return line


def _shade(cell: Cell, marks: Marks, highlighted: bool) -> str:
    owner, step = cell
    return marks.free[0] if owner < 0 else marks.shade(owner, step, highlighted)


def _block(cell: Cell, marks: Marks, highlighted: bool) -> tuple[str, str]:
    owner, step = cell
    if owner > 0:
        return BLOCKS[step], marks.colour(owner)
    return (BLOCKS[step], "") if owner == 0 and highlighted else ("·", "dim")


def _digit(cell: Cell, marks: Marks, highlighted: bool) -> tuple[str, str]:
    """A task's digit; of a highlighted owner, only where its share is among the largest."""
    owner, step = cell
    large = step == 0 or not highlighted
    if owner > 0:
        return (glyph(owner), marks.colour(owner)) if large else ("·", "dim")
    return ("·", "dim") if owner == 0 and large else (" ", "")
