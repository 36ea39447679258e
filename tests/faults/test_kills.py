"""A few real kills in the ordinary suite, hundreds with `pytest -m faults tests/faults`."""

import pytest

from tests.faults.kills import run


def check(counts, kills, terms):
    assert counts["lost"] == counts["tracebacks"] == 0, counts
    assert counts["kills"] >= kills
    assert counts["terms"] >= terms


def test_some_kills_lose_nothing():
    check(run(10, 3, seed=1), 10, 3)


@pytest.mark.faults
@pytest.mark.timeout(3 * 3600)
def test_many_kills_lose_nothing():
    check(run(500, 100), 500, 100)
