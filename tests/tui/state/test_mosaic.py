"""What a mosaic shows of counts, and its legend."""

import numpy as np
import pytest

from packnet_core.packfile.owner_counts import OwnerCounts
from packnet_tui.state.mosaic import (
    NOBODY,
    STEPS,
    axes_in_words,
    cell_in_words,
    mosaic,
    scale,
    shares_in_words,
)


def counted(cells, outputs=2, inputs=2, positions=1, apart=False) -> OwnerCounts:
    return OwnerCounts(np.array(cells), outputs, inputs, positions, apart)


FOUR = counted([[[0, 8, 2], [9, 1, 0]], [[1, 3, 6], [5, 5, 0]]])  # free, task 1, task 2


def test_a_cell_shows_who_owns_most_of_it():
    shown = mosaic(FOUR)
    assert shown.owner.tolist() == [[1, 0], [2, 1]]  # of equal counts, the task's
    assert shown.shown == (0.5, 0.9)


def test_the_larger_the_share_the_brighter():
    shown = mosaic(FOUR)
    order = np.argsort([-0.8, -0.9, -0.6, -0.5], kind="stable")
    steps = shown.step.reshape(-1)[order]
    assert steps.tolist() == sorted(steps.tolist())
    assert (steps[0], steps[-1]) == (0, STEPS - 1)


def test_a_highlighted_task_is_shown_wherever_it_owns_any_weight():
    shown = mosaic(FOUR, 2)
    assert shown.owner.tolist() == [[2, NOBODY], [2, NOBODY]]
    assert shown.step[1, 0] < shown.step[0, 0]
    assert shown.shown == (0.2, 0.6)
    assert mosaic(FOUR, 0).owner.tolist() == [[NOBODY, 0], [0, 0]]


def test_a_highlighted_task_that_owns_nothing():
    shown = mosaic(counted([[[4, 0, 0]]], 1, 4), 2)
    assert shown.owner.tolist() == [[NOBODY]]
    assert shares_in_words(shown.shown) == "0 %"


def test_differences_by_chance_do_not_look_large():
    shown = mosaic(counted([[[0, 50, 50], [0, 51, 49]]], 1, 200))
    assert shown.step.tolist() == [[0, 0]]


def test_equal_shares_are_all_bright():
    shown = mosaic(counted([[[0, 1, 0], [1, 0, 0]]], 1, 2))
    assert shown.step.tolist() == [[0, 0]]
    assert shares_in_words(shown.shown) == "100 %"


def test_without_tasks_all_is_free():
    assert mosaic(counted([[[4], [4]]])).owner.tolist() == [[0, 0]]


@pytest.mark.parametrize(("cells", "room", "times"), [(3, 10, 3), (10, 10, 1), (6, 11, 1), (12, 10, 1)])
def test_cells_grow_to_fill_the_room(cells, room, times):
    assert scale(cells, room) == times


def test_the_legend_says_what_directions_and_cells_are():
    linear = counted(np.ones((64, 16, 2), int), 512, 512)
    assert axes_in_words(linear)[0] == "512 outputs ↓ × 512 inputs →, one cell = 8 × 32 weights"
    kernel = counted(np.ones((20, 16, 2), int), 64, 32, 9)
    assert axes_in_words(kernel)[0] == "64 outputs ↓ × 32 inputs × 9 kernel positions →, one cell ≈ 3 × 2 × 9 weights"
    apart = counted(np.ones((32, 9, 2), int), 32, 1, 9, apart=True)
    assert axes_in_words(apart)[0] == "32 outputs ↓ × 1 input × 9 kernel positions →, one cell = 1 weight"
    assert cell_in_words(counted(np.ones((16, 9, 2), int), 32, 1, 9, apart=True)) == "one cell = 2 × 1 weights"
    widths = [len(text) for text in axes_in_words(kernel)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 20
