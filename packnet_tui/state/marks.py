"""Signs on screen: a glyph and a colour for every owner, and the ASCII character for every other sign."""

from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

OWNERS = "123456789" + ascii_lowercase + ascii_uppercase  # task 1 is "1", so that it is readable without colour
BEYOND = "+"  # any later task

# Each task's colour, then the same for smaller shares of a mosaic's cell, nearer to the background. All are from the
# 256-colour cube, so that a terminal with 256 colours shows exactly these. Neighbours differ for the colour-blind too.
DARK_SHADES = (
    ("#5fafff", "#0087d7", "#005f87"), ("#ffd75f", "#af8700", "#5f5f00"), ("#00af5f", "#008700", "#005f00"),
    ("#d75fd7", "#af00af", "#5f005f"), ("#5fff00", "#5faf00", "#5f8700"), ("#ffafd7", "#d787af", "#875f87"),
    ("#ff5f5f", "#d70000", "#870000"), ("#ff8700", "#d75f00", "#875f00"), ("#5fffff", "#00afaf", "#005f5f"),
)  # fmt: skip
LIGHT_SHADES = (
    ("#005faf", "#5f87d7", "#87afd7"), ("#af5f00", "#d7875f", "#d7af87"), ("#5f005f", "#875f87", "#af87af"),
    ("#008787", "#5fafaf", "#87d7d7"), ("#5f00ff", "#875fff", "#af87ff"), ("#d700d7", "#d75fd7", "#d787d7"),
    ("#d7005f", "#ff5f87", "#ff87af"), ("#5f0000", "#af5f5f", "#d78787"), ("#005fff", "#5f87ff", "#87afff"),
)  # fmt: skip
DARK, LIGHT = (tuple(colour for colour, *_ in shades) for shades in (DARK_SHADES, LIGHT_SHADES))
# Nobody knows how a terminal shows its own colours; in the usual tables neighbours differ well.
TERMINAL = (
    "blue", "green", "magenta", "bright_green", "bright_blue", "cyan", "yellow", "bright_magenta", "red",
)  # fmt: skip
DIM = ("blue", "red")  # of these, the ones that need light text
# The larger the free share, the nearer to the background; if free weights are highlighted, the farther from it.
FREE_DARK, FREE_LIGHT = ("#262626", "#3a3a3a", "#4e4e4e"), ("#c6c6c6", "#b2b2b2", "#9e9e9e")
BRIGHT_DARK, BRIGHT_LIGHT = ("#e4e4e4", "#9e9e9e", "#626262"), ("#1c1c1c", "#585858", "#8a8a8a")
BLOCKS = "█▓▒"  # in place of shades, in the terminal's own colours

# One character for each character, so that nothing moves. Letters in names are not replaced.
TO_ASCII: dict[int, int | str] = dict(str.maketrans("·…●○×→←↑↓–±≈•│┤├└─┆╌┴✗≤┌┐┘┬┼✓★", "..*ox><^v-~~o|++|-:-+x<+++++v*"))
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
    """How owners are drawn on this terminal.

    colours  a colour per task; every ninth task has the same one, and their glyphs differ
    shades   per colour: it and the same for smaller shares; empty in the terminal's own colours, which have none
    free     the same for free weights; `bright` if they are highlighted
    solid    whether colours alone may tell tasks apart: not in monochrome and not in ASCII
    """

    colours: tuple[str, ...] = DARK
    shades: tuple[tuple[str, ...], ...] = DARK_SHADES
    free: tuple[str, ...] = FREE_DARK
    bright: tuple[str, ...] = BRIGHT_DARK
    solid: bool = True

    def colour(self, owner: int) -> str:
        """A task's colour."""
        return self.colours[(owner - 1) % len(self.colours)]

    def block(self, owner: int) -> str:
        """The style of a digit on a task's colour: dark or light text, whichever can be read."""
        colour = self.colour(owner)
        if colour.startswith("#"):
            return f"{'#000000' if _luminance(colour) > 0.18 else '#ffffff'} on {colour}"
        return f"{'white' if colour in DIM else 'black'} on {colour}"

    def shade(self, owner: int, step: int, highlighted: bool = False) -> str:
        """The colour of an owner (0: free) for a step away from the largest share; needs `shades`."""
        if owner:
            return self.shades[(owner - 1) % len(self.shades)][step]
        return (self.bright if highlighted else self.free)[step]


def _luminance(colour: str) -> float:
    """The relative luminance of a colour `#rrggbb`, as WCAG 2 defines it: 0 black, 1 white."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue))
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def marks_for(theme_is_dark: bool, terminals_own: bool, solid: bool) -> Marks:
    """The marks for a theme: Textual's dark or light ones, or the terminal's own colours."""
    if terminals_own:
        return Marks(TERMINAL, (), solid=solid)
    if theme_is_dark:
        return Marks(solid=solid)
    return Marks(LIGHT, LIGHT_SHADES, FREE_LIGHT, BRIGHT_LIGHT, solid)
