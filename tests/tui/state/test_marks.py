"""The colours of owners: what a terminal with 256 colours has, readable, and different for the colour-blind too.

Colour blindness is simulated with the matrices of Machado, Oliveira and Fernandes, "A Physiologically-based Model for
Simulation of Color Vision Deficiency", IEEE TVCG 15 (2009), table for severity 1.0, on linear RGB. Differences are
CIE 1976 ΔE*ab under D65.
"""

from itertools import combinations

import numpy as np
import pytest
from rich.color import Color, ColorSystem
from textual.theme import BUILTIN_THEMES

from packnet_tui.state.marks import DARK, DARK_SHADES, LIGHT, LIGHT_SHADES, TERMINAL, Marks, marks_for

VISION = {
    "usual": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
PALETTES = pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
SHADES = pytest.mark.parametrize(
    ("shades", "dark"), [(DARK_SHADES, True), (LIGHT_SHADES, False)], ids=["dark", "light"]
)


def linear(colour: str) -> np.ndarray:
    """Linear RGB, 0 to 1."""
    given = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(given <= 0.04045, given / 12.92, ((given + 0.055) / 1.055) ** 2.4)


def lab(colour: str, vision: str) -> np.ndarray:
    seen = np.clip(np.array(VISION[vision]) @ linear(colour), 0, 1)
    x, y, z = (np.cbrt(v) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in TO_XYZ @ seen / WHITE)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: str, other: str, vision: str) -> float:
    return float(np.linalg.norm(lab(one, vision) - lab(other, vision)))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2: 1 to 21."""
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_right():
    assert lab("#ffffff", "usual") == pytest.approx([100, 0, 0], abs=0.01)
    assert lab("#ff0000", "usual") == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    grey = difference("#808080", "#808080", "protanopia") + abs(lab("#808080", "deuteranopia")[1:]).sum()
    assert grey < 0.1  # who is colour-blind sees grey as it is
    assert difference("#ff0000", "#00ff00", "usual") > 2 * difference("#af5f00", "#5f8700", "deuteranopia")


@pytest.mark.parametrize("vision", VISION)
@PALETTES
def test_tasks_beside_each_other_differ(colours, vision):
    for i, colour in enumerate(colours):
        for apart, least in ((1, 28), (2, 23)):  # where a task owns nothing, the next but one is its neighbour
            other = colours[(i + apart) % len(colours)]
            assert difference(colour, other, vision) >= least, (colour, other)
    assert min(difference(a, b, vision) for a, b in combinations(colours, 2)) >= (40 if vision == "usual" else 11)


@SHADES
def test_every_shade_is_a_colour_of_the_256(shades, dark):
    for colour in (each for row in shades for each in row):
        number = Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).number
        assert number is not None
        red, green, blue = ((0, 95, 135, 175, 215, 255)[(number - 16) // n % 6] for n in (36, 6, 1))
        assert colour == f"#{red:02x}{green:02x}{blue:02x}"


@SHADES
def test_shades_go_to_the_background_in_steps_that_can_be_seen(shades, dark):
    background = "#121212" if dark else "#e0e0e0"
    for row in shades:
        seen = [contrast(colour, background) for colour in row]
        assert seen == sorted(seen, reverse=True)
        assert min(seen) > 1.2
        for vision in VISION:
            assert min(difference(a, b, vision) for a, b in combinations(row, 2)) > 9, row


@pytest.mark.parametrize("name", [name for name, theme in BUILTIN_THEMES.items() if not name.startswith("ansi")])
def test_a_tasks_colour_can_be_read_on_every_theme(name):
    theme = BUILTIN_THEMES[name]
    background = theme.to_color_system().generate()["background"]
    marks = marks_for(theme.dark, terminals_own=False, solid=True)
    assert min(contrast(colour, background) for colour in marks.colours) > 2.8
    assert all(contrast(shade, background) < 4 for shade in marks.free)


@pytest.mark.parametrize("marks", [marks_for(dark, False, True) for dark in (True, False)], ids=["dark", "light"])
def test_the_digit_on_a_block_can_be_read(marks):
    for owner in range(1, 10):
        text, background = marks.block(owner).split(" on ")
        assert background == marks.colour(owner)
        assert contrast(text, background) > 4.5


def test_in_the_terminals_own_colours_there_are_no_others():
    marks = marks_for(True, terminals_own=True, solid=True)
    assert marks.colours == TERMINAL
    assert not marks.shades
    for owner in range(1, 10):
        words = marks.block(owner).split(" on ")
        assert all(Color.parse(word).type.name == "STANDARD" for word in words)
        assert words[0] != words[1]


def test_after_nine_tasks_the_colours_begin_anew():
    assert Marks().colour(10) == Marks().colour(1)
    assert Marks().shade(10, 2) == Marks().shade(1, 2)
