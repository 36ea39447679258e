"""A canvas of braille dots: four rows and two columns of them in every cell; or of plain signs, for ASCII."""

BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # [row][column] of a cell's dots
EMPTY = 0x2800


class Canvas:
    """`width` × `height` cells. Dots count from the top left; a sign put in a cell hides its dots."""

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self._dots = [[0] * width for _ in range(height)]
        self._signs: dict[tuple[int, int], tuple[str, str]] = {}
        self._styles = [[""] * width for _ in range(height)]

    @property
    def dots_wide(self) -> int:
        return 2 * self.width

    @property
    def dots_high(self) -> int:
        return 4 * self.height

    def dot(self, x: int, y: int, style: str = "") -> None:
        """Set one dot; those outside are left out."""
        if 0 <= x < self.dots_wide and 0 <= y < self.dots_high:
            self._dots[y // 4][x // 2] |= BITS[y % 4][x % 2]
            self._styles[y // 4][x // 2] = style

    def column(self, x: int, y0: int, y1: int, style: str = "") -> None:
        """All dots of a column between two rows."""
        for y in range(min(y0, y1), max(y0, y1) + 1):
            self.dot(x, y, style)

    def line(self, x0: int, y0: int, x1: int, y1: int, style: str = "") -> None:
        """A straight line, each of its columns joined to the next."""
        if x1 == x0:
            self.column(x0, y0, y1, style)
            return
        before = y0
        for x in range(x0, x1 + 1):
            y = round(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
            self.column(x, y if abs(y - before) <= 1 else before + (1 if y > before else -1), y, style)
            before = y

    def sign(self, column: int, row: int, character: str, style: str = "", over: bool = True) -> None:
        """A character in a cell; unless it goes `over` them, only where there are no dots."""
        if 0 <= column < self.width and 0 <= row < self.height and (over or not self._dots[row][column]):
            self._signs[column, row] = (character, style)

    def row(self, row: int, ascii: bool = False) -> list[tuple[str, str]]:
        """One row of cells: characters with their styles."""
        cells = []
        for column, dots in enumerate(self._dots[row]):
            style = self._styles[row][column]
            if (column, row) in self._signs:
                cells.append(self._signs[column, row])
            elif not dots:
                cells.append((" ", ""))
            elif ascii:
                cells.append((_plain(dots), style))
            else:
                cells.append((chr(EMPTY + dots), style))
        return cells


def _plain(dots: int) -> str:
    """The ASCII sign nearest to a cell's dots: high, middle, low, or filled."""
    high, low = dots & 0b00011011, dots & 0b11100100
    if high and low:
        return "|" if dots.bit_count() > 3 else "*"
    return "'" if high else "."
