"""The share of the gap between Classifier Only and an individual network that is closed."""

import pytest

from packnet_core.planning.gap import gap_closed


@pytest.mark.parametrize(
    ("error", "classifier", "individual", "closed"),
    [(18.0, 34.0, 14.0, 80.0), (12.0, 34.0, 14.0, 110.0), (40.0, 34.0, 14.0, -30.0)],
)
def test_the_share_of_the_gap_that_is_closed(error, classifier, individual, closed):
    assert gap_closed(error, classifier, individual) == pytest.approx(closed)


@pytest.mark.parametrize(
    ("error", "classifier", "individual"),
    [(14.0, 14.0, 14.0), (18.0, 14.0, 34.0), (18.0, 34.0, None), (18.0, None, 14.0), (None, 34.0, 14.0)],
)
def test_without_a_gap_or_with_an_unknown_error_there_is_no_share(error, classifier, individual):
    assert gap_closed(error, classifier, individual) is None


def test_the_papers_cars_with_the_network_pruned_by_half():
    """Table 2: 56.42 % by Classifier Only, 18.08 % packed, 13.97 % by an individual network."""
    assert gap_closed(18.08, 56.42, 13.97) == pytest.approx(90.3, abs=0.05)
