from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from packnet_tui.state.bars import cells
from packnet_tui.state.marks import Marks, glyph
from packnet_tui.workbench.widgets.occupancy_pane import owner_bar

counts = st.lists(st.integers(0, 200_000_000), min_size=1, max_size=20)
some = counts.filter(any)


@given(some, st.integers(1, 200))
def test_the_cells_add_up_to_the_width(counts, width):
    assert sum(cells(counts, width)) == width


@given(some, st.integers(1, 200))
def test_every_owner_has_a_cell_if_there_is_room(counts, width):
    shown = cells(counts, width)
    if sum(count > 0 for count in counts) <= width:
        assert [cell > 0 for cell in shown] == [count > 0 for count in counts]
    assert all(cell == 0 for cell, count in zip(shown, counts, strict=True) if count == 0)


@given(some, st.integers(1, 200))
def test_a_larger_count_never_gets_fewer_cells(counts, width):
    by_count = sorted(zip(counts, cells(counts, width), strict=True))
    assert all(a <= b for (n, a), (m, b) in pairwise(by_count) if n < m)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9).filter(any))
def test_a_bar_with_a_cell_per_weight_is_exact(counts):
    assert cells(counts, sum(counts)) == counts


@given(counts, st.integers(-3, 0))
def test_without_width_or_weights_there_are_no_cells(counts, width):
    assert cells(counts, width) == cells([0] * len(counts), 10) == [0] * len(counts)


bars = given(counts.filter(lambda counts: len(counts) > 2 and any(counts)), st.integers(1, 120))


@bars
def test_a_bar_has_the_width_given_and_the_tasks_in_order(counts, width):
    *owned, freed, free = counts
    bar = owner_bar(owned, free, width, Marks(solid=False), freed).plain
    assert len(bar) == width
    order = "".join("123456789abcdefghijk"[: len(owned)]) + "×·"
    assert list(bar) == sorted(bar, key=order.index)


@bars
def test_with_colours_each_task_is_a_block_that_begins_with_its_digit(counts, width):
    *owned, freed, free = counts
    marks = Marks()
    digits, blocks = (owner_bar(owned, free, width, Marks(solid=solid), freed) for solid in (False, True))
    assert len(blocks.plain) == width
    spans = iter(blocks.spans)
    for owner, _ in enumerate(owned, 1):
        if count := digits.plain.count(glyph(owner)):
            span = next(spans)
            assert span.style == marks.block(owner)
            assert blocks.plain[span.start : span.end] == glyph(owner) + " " * (count - 1)
    for sign in "×·":
        assert blocks.plain.count(sign) == digits.plain.count(sign)
