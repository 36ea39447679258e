"""The range of a chart's y axis: a few extreme values do not stretch it, and it says what it leaves out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packnet_tui.state.scale import LABEL, Scale, loss_scale
from packnet_tui.state.series import Sample, thinned


def line(*values: float) -> list[Sample]:
    return [Sample(i, value, value) for i, value in enumerate(values)]


FLAT = [0.5, 0.8] * 15


def test_a_spike_does_not_flatten_the_rest():
    assert loss_scale([line(12.4, *FLAT)], log=False) == Scale(0.0, 0.8, beyond=12.4)


def test_on_a_log_scale_only_a_much_higher_spike_is_cut():
    assert loss_scale([line(12.4, *FLAT)], log=True).beyond == 0
    assert loss_scale([line(1e9, *FLAT)], log=True) == Scale(0.5, 0.8, log=True, beyond=1e9)


def test_what_is_cut_in_one_line_may_be_usual_in_another():
    assert loss_scale([line(12.4, *FLAT), line(*[11.0] * 20)], log=False) == Scale(0.0, 15.0)


@pytest.mark.parametrize("values", [[0.5, 12.4], [12.4, 0.5, 0.5], [12.4] + [0.5] * 6])
def test_of_a_few_values_none_is_cut(values):
    assert loss_scale([line(*values)], log=False) == Scale(0.0, 15.0)


@pytest.mark.parametrize("value", [0.5, 1e-7, 3e4])
@pytest.mark.parametrize("count", [1, 2, 50])
@pytest.mark.parametrize("log", [False, True])
def test_equal_values_are_inside(value, count, log):
    scale = loss_scale([line(*[value] * count)], log)
    assert scale.beyond == 0
    assert scale.low <= value <= scale.high
    assert all(len(text) <= LABEL for _, text in scale.ticks(5))


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[], [0.0], [0.0] * 20, [-1.0, -2.0]])
def test_without_a_value_above_0_there_is_a_scale_too(values, log):
    scale = loss_scale([line(*values)], log)
    assert (scale.low, scale.high, scale.beyond) == (0.0, 1.0, 0.0)


def test_nan_and_infinity_are_left_out():
    values = [math.nan, math.inf, *FLAT]
    assert loss_scale([thinned(line(*values), len(values), len(values))], log=False) == Scale(0.0, 0.8)


@given(st.lists(st.lists(st.floats(1e-6, 1e6), max_size=60), max_size=3), st.booleans())
def test_what_is_not_shown_is_said(lines, log):
    scale = loss_scale([line(*values) for values in lines], log)
    highest = max((value for values in lines for value in values), default=0.0)
    assert scale.beyond == (highest if highest > scale.high else 0.0)
