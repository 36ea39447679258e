"""The time that is left, from the times of events: a pause or a jump of the clock does not spoil it."""

import pytest

from packnet_tui.state.pace import Pace


def paced(*moments: tuple[float, int]) -> Pace:
    """A phase that starts at 0 s; each moment is a time in seconds, and the images that are done by then."""
    pace = Pace(0.0)
    for at, done in moments:
        pace.add(at, done)
    return pace


def test_nothing_is_known_before_the_first_second():
    assert paced().seconds_left(900) is None
    assert paced((0.3, 10), (0.9, 100)).seconds_left(900) is None


def test_the_time_left_is_at_the_speed_of_the_last_spans():
    assert paced((1, 100)).seconds_left(900) == pytest.approx(9)
    assert paced((1, 100), (2, 300)).seconds_left(600) == pytest.approx(4)
    fast = [(100.0 + second, 1000 + 50 * second) for second in range(1, 31)]
    assert paced(*((float(second), 10 * second) for second in range(1, 101)), *fast).seconds_left(500) == pytest.approx(
        10
    )


def test_many_quick_events_count_by_the_second():
    assert paced(*((i / 100, i) for i in range(1, 501))).seconds_left(200) == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(
    "moments",
    [
        [(1, 100), (2, 200), (7202, 300), (7203, 400)],
        [(1, 100), (7201, 200)] + [(7201 + i, 200 + 100 * i) for i in range(1, 4)],
        [(1, 100), (2, 200), (-3598, 300), (-3597, 400)],
        [(1, 100), (2, 200), (-3598, 300), (3, 400), (4, 500)],
    ],
    ids=["the machine slept", "the clock was set forward", "the clock was set back", "back and forward again"],
)
def test_a_pause_and_a_jump_of_the_clock_do_not_count(moments):
    assert paced(*moments).seconds_left(1000) == pytest.approx(10)


def test_a_phase_that_starts_again_keeps_its_speed():
    assert paced((1, 100), (2, 200), (2.1, 10), (3.1, 110)).seconds_left(100) == pytest.approx(1)


def test_numbers_that_no_phase_has_do_no_harm():
    assert paced((1, 10**400)).seconds_left(5) is None
    assert paced((1, 100), (2, 10**400), (3, 10**400 + 100)).seconds_left(10**400) > 1e10
    assert paced((1e308, 5), (float("inf"), 9)).seconds_left(5) > 1e10
    assert paced((1, 100)).seconds_left(-100) == -1
