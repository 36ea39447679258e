"""What stands for what on screen: a glyph and a colour for every owner, and signs that ASCII replaces."""

from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

OWNERS = "123456789" + ascii_lowercase + ascii_uppercase  # task 1 is "1"; readable without any colour
BEYOND = "+"

# Steps of the 256-colour cube, so that a terminal of 256 colours shows these very ones.
DARK = ("#5fafff", "#ffaf5f", "#87d787", "#ff87af", "#d7d75f", "#af87ff", "#5fd7d7", "#ff8787", "#afd7ff")
LIGHT = ("#005faf", "#af5f00", "#008700", "#af005f", "#5f5f00", "#5f00d7", "#008787", "#d70000", "#5f5f87")
TERMINAL = ("blue", "yellow", "green", "magenta", "cyan", "red", "bright_blue", "bright_green", "bright_magenta")

# One character for one, so that nothing moves. Names keep the letters they have.
TO_ASCII: dict[int, int | str] = dict(str.maketrans("·…●○×→←↑↓–±•│┤├└─┆╌┴✗≤┌┐┘┬┼✓★", "..*ox><^v-~o|++|-:-+x<+++++v*"))
TO_ASCII |= str.maketrans("╭╮╯╰┏┓┛┗━┃▔▁▂▌▐▎▏▕▊", "++++++++=|-__||||||")  # borders, = around what has the focus
TO_ASCII |= dict.fromkeys(map(ord, "▃▄▅▆▇▀█▉▋▍"), " ")  # ends of scroll bars: their colours say enough


def _plain(dots: int) -> str:
    """The ASCII sign nearest to a braille cell's dots: high, middle, low, or filled."""
    high, low = dots & 0b00011011, dots & 0b11100100
    if high and low:
        return "|" if dots.bit_count() > 3 else "*"
    return "'" if high else "." if low else " "


TO_ASCII |= {0x2800 + dots: _plain(dots) for dots in range(256)}


def glyph(owner: int) -> str:
    """The one character of a task, counted from 1."""
    return OWNERS[owner - 1] if owner <= len(OWNERS) else BEYOND


@dataclass(frozen=True)
class Marks:
    """How owners are drawn on this terminal."""

    colours: tuple[str, ...] = DARK

    def colour(self, owner: int) -> str:
        """A task's colour; every ninth task shares one, and its glyph tells them apart."""
        return self.colours[(owner - 1) % len(self.colours)]
