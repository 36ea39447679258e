"""Signs on screen: a glyph and a colour for every owner, and the ASCII character for every other sign."""

from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

OWNERS = "123456789" + ascii_lowercase + ascii_uppercase  # task 1 is "1", so that it is readable without colour
BEYOND = "+"  # any later task

# From the 256-colour cube, so that a terminal with 256 colours shows exactly these.
DARK = ("#5fafff", "#ffaf5f", "#87d787", "#ff87af", "#d7d75f", "#af87ff", "#5fd7d7", "#ff8787", "#afd7ff")
LIGHT = ("#005faf", "#af5f00", "#008700", "#af005f", "#5f5f00", "#5f00d7", "#008787", "#d70000", "#5f5f87")
TERMINAL = ("blue", "yellow", "green", "magenta", "cyan", "red", "bright_blue", "bright_green", "bright_magenta")

# One character for each character, so that nothing moves. Letters in names are not replaced.
TO_ASCII: dict[int, int | str] = dict(str.maketrans("·…●○×→←↑↓–±•│┤├└─┆╌┴✗≤┌┐┘┬┼✓★", "..*ox><^v-~o|++|-:-+x<+++++v*"))
TO_ASCII |= {ord("≈"): "~"}
TO_ASCII |= str.maketrans("╭╮╯╰┏┓┛┗━┃▔▁▂▌▐▎▏▕▊", "++++++++=|-__||||||")  # borders; = around the pane that has the focus
TO_ASCII |= dict.fromkeys(map(ord, "▃▄▅▆▇▀█▉▋▍"), " ")  # ends of scroll bars, whose colours show them


def _plain(dots: int) -> str:
    """The ASCII character nearest to a braille cell's dots: high, low, both, or filled."""
    high, low = dots & 0b00011011, dots & 0b11100100
    if high and low:
        return "|" if dots.bit_count() > 3 else "*"
    return "'" if high else "." if low else " "


TO_ASCII |= {0x2800 + dots: _plain(dots) for dots in range(256)}


def glyph(owner: int) -> str:
    """The character of a task, by its index from 1."""
    return OWNERS[owner - 1] if owner <= len(OWNERS) else BEYOND


@dataclass(frozen=True)
class Marks:
    """How owners are drawn on this terminal."""

    colours: tuple[str, ...] = DARK

    def colour(self, owner: int) -> str:
        """A task's colour. Every ninth task has the same one; their glyphs differ."""
        return self.colours[(owner - 1) % len(self.colours)]
