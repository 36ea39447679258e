"""Stratified choices: exact totals, proportional shares, the same on every machine."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from packnet_core.data.split import allot, choose

COUNTS = st.lists(st.integers(0, 200), min_size=1, max_size=30)


@given(COUNTS, st.integers(0, 3000), st.integers(0, 2), st.integers(0, 2))
def test_shares_have_the_total_and_keep_their_bounds(counts: list[int], total: int, least: int, spare: int) -> None:
    given = np.array(counts, np.int64)
    shares = allot(given, total, least, spare)
    most = np.maximum(given - spare, 0)
    low = np.minimum(least, most)
    assert (shares >= low).all()
    assert (shares <= most).all()
    assert shares.sum() == min(max(total, low.sum()), most.sum())


@given(st.lists(st.integers(1, 500), min_size=2, max_size=20), st.floats(0, 1))
def test_shares_are_within_one_of_proportion(counts: list[int], ratio: float) -> None:
    given = np.array(counts, np.int64)
    total = round(ratio * int(given.sum()))
    assert (np.abs(allot(given, total) - given * total / given.sum()) < 1).all()


def test_ties_go_to_the_earlier_class() -> None:
    assert allot(np.array([5, 5, 5, 5]), 2).tolist() == [1, 1, 0, 0]


def test_a_choice_has_the_shares_asked_for_and_grows_with_them() -> None:
    labels = np.arange(300) % 3
    few, more = (choose(labels, np.array(shares), 7) for shares in ([5, 0, 10], [9, 4, 10]))
    assert np.bincount(labels[few], minlength=3).tolist() == [5, 0, 10]
    assert (more | few == more).all()
    assert (choose(labels, np.array([5, 0, 10]), 8) != few).any()


def test_a_choice_is_the_same_on_every_machine() -> None:
    assert np.flatnonzero(choose(np.zeros(20, np.int64), np.array([5]), 0)).tolist() == [2, 3, 11, 13, 15]
