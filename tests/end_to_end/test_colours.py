"""Text can be read on every kind of terminal, by the bytes that reach it: with and without colours, dark and light."""

from pathlib import Path

import pytest

from tests.end_to_end.painted import Colours, Painted, packnet_tui
from tests.tui.made_up import at_rest

SIXTEEN, MORE = ("linux", "screen", "xterm", "vt100"), ("xterm-256color", "tmux-256color")
LIGHT = {"TEXTUAL_THEME": "textual-light"}
BLACK, WHITE = 0, 7


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return at_rest(tmp_path_factory.mktemp("file") / "model.safetensors")


@pytest.fixture
def opened(path, request):
    term, theme, colours = request.param
    painted = Painted(*packnet_tui(path), TERM=term, **theme, **({} if colours else {"NO_COLOR": "1"}))
    yield painted
    painted.close()


@pytest.mark.parametrize(
    "opened",
    [(term, theme, colours) for term in SIXTEEN + MORE for theme in ({}, LIGHT) for colours in (True, False)],
    ids=lambda value: f"{value[0]}-{value[1].get('TEXTUAL_THEME', 'no theme')}-{'' if value[2] else 'no '}colours",
    indirect=True,
)
def test_no_text_has_the_colour_of_its_background(opened):
    opened.wait_for("leave")
    opened.press(":nosuch\r")
    opened.wait_for("there is no command")  # in a toast
    opened.press("?")
    opened.wait_for("scroll")
    texts = [(colours, text) for colours, text in opened.texts() if set(text) != {"▀"}]  # a mosaic is no text
    assert len(texts) > 100
    # nobody knows whether the terminal itself is dark or light
    for own in (Colours(WHITE, BLACK), Colours(BLACK, WHITE)):
        for colours, text in texts:
            seen = [own[k] if colours[k] is None else colours[k] for k in (0, 1)]
            assert seen[0] != seen[1], (colours, text)


@pytest.mark.parametrize("opened", [("xterm", {}, False), ("linux", LIGHT, False)], indirect=True)
def test_without_colours_none_is_sent(opened):
    opened.wait_for("leave")
    assert {colours[:2] for colours, _ in opened.texts()} == {(None, None)}


MOSAICS = {"256": ("xterm-256color", {}, True), "16": ("linux", {}, True), "none": ("xterm-256color", {}, False)}


@pytest.mark.parametrize(("kind", "opened"), MOSAICS.items(), ids=MOSAICS, indirect=["opened"])
def test_a_mosaic_and_occupancy_are_in_the_colours_that_there_are(opened, kind):
    opened.wait_for("who owns most")
    texts = list(opened.texts())
    drawn = "".join(text for _, text in texts)
    assert ("▀" in drawn, "▓" in drawn, "11111" in drawn) == (kind == "256", kind == "16", kind == "none")
    cells = [colours for colours, text in texts if set(text) <= set("▀█▓▒") and text]
    if kind == "256":
        assert {len(colours.background) for colours in cells} == {1}  # of the 256
    if kind == "16":
        assert {colours.text in range(1, 16) for colours in cells} == {True}
        assert {colours.background for colours in cells} == {None}
