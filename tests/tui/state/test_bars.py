from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from packnet_tui.state.bars import cells
from packnet_tui.state.marks import Marks
from packnet_tui.workbench.widgets.occupancy_pane import owner_bar

counts = st.lists(st.integers(0, 200_000_000), min_size=1, max_size=20)
some = counts.filter(any)
PROJECTIONS = ("in_proj_weight", "out_proj.weight")


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


@given(counts.filter(lambda counts: len(counts) > 2 and any(counts)), st.integers(1, 120))
def test_a_bar_has_the_width_given_and_the_tasks_in_order(counts, width):
    *owned, freed, free = counts
    bar = owner_bar(owned, free, width, Marks(), freed).plain
    assert len(bar) == width
    order = "".join("123456789abcdefghijk"[: len(owned)]) + "×·"
    assert list(bar) == sorted(bar, key=order.index)


def test_a_shortened_layer_name_keeps_its_numbers():
    assert layer_name("features.28.weight") == "features.28"
    assert layer_name("attention.in_proj_weight") == "attention.in_proj"
    assert layer_name("weight") == "weight"
    assert layer_name("encoder.layers.encoder_layer_11.mlp.0.weight", 18) == "e.l.e11.mlp.0"
    assert layer_name("features.denseblock4.denselayer16.conv2.weight", 24) == "f.d4.denselayer16.conv2"
    assert layer_name("features.denseblock4.denselayer16.conv2.weight", 15) == "f.d4.d16.conv2"
    blocks = [f"encoder.layers.encoder_layer_{i}.self_attention.{part}" for i in range(12) for part in PROJECTIONS]
    assert len({layer_name(name, 18) for name in blocks}) == len(blocks)


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.integers(0, 40))
def test_a_layer_name_is_no_wider_than_its_room(name, width):
    assert cell_len(layer_name(name, width)) <= width
