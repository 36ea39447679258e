from hypothesis import given
from hypothesis import strategies as st

from packnet_tui.widgets.braille import Canvas

places = st.tuples(st.integers(-5, 45), st.integers(-5, 45))


def text(canvas: Canvas, ascii: bool = False) -> list[str]:
    return ["".join(character for character, _ in canvas.row(row, ascii)) for row in range(canvas.height)]


def dots(canvas: Canvas) -> int:
    return sum((ord(character) - 0x2800).bit_count() for row in text(canvas) for character in row if character != " ")


def test_each_dot_has_its_own_place_in_a_cell():
    canvas = Canvas(1, 1)
    for x in range(2):
        for y in range(4):
            canvas.dot(x, y)
            assert dots(canvas) == 4 * x + y + 1
    assert text(canvas) == ["⣿"]


@given(st.integers(1, 20), st.integers(1, 10), st.sets(places))
def test_dots_outside_are_left_out(width, height, given):
    canvas = Canvas(width, height)
    for x, y in given:
        canvas.dot(x, y)
    assert dots(canvas) == sum(0 <= x < 2 * width and 0 <= y < 4 * height for x, y in given)
    assert [len(row) for row in text(canvas)] == [width] * height


@given(st.integers(0, 39), st.integers(0, 39), st.integers(0, 39), st.integers(0, 39))
def test_a_line_joins_its_ends_without_a_gap(x0, y0, x1, y1):
    x0, x1 = sorted((x0, x1))
    whole, ends = Canvas(20, 10), Canvas(20, 10)
    whole.line(x0, y0, x1, y1)
    ends.line(x0, y0, x1, y1)
    ends.dot(x0, y0)
    ends.dot(x1, y1)
    assert text(whole) == text(ends)
    assert dots(whole) >= max(abs(x1 - x0), abs(y1 - y0)) + 1


@given(st.sets(places, min_size=1))
def test_plain_signs_are_ascii_where_there_are_dots_and_nowhere_else(given):
    canvas = Canvas(20, 10)
    for x, y in given:
        canvas.dot(x, y)
    plain, braille = text(canvas, ascii=True), text(canvas)
    assert all(row.isascii() for row in plain)
    assert [[c == " " for c in row] for row in plain] == [[c == " " for c in row] for row in braille]


def test_a_sign_hides_dots_unless_it_is_told_to_give_way():
    canvas = Canvas(3, 1)
    for x in (0, 2):
        canvas.dot(x, 0)
    canvas.sign(0, 0, "•", "bold")
    canvas.sign(1, 0, "┆", over=False)
    canvas.sign(2, 0, "┆", over=False)
    canvas.sign(9, 9, "x")
    assert text(canvas) == ["•⠁┆"]
