"""The largest pruning ratio that costs no more than so much, by bisection. Needs no torch."""

from collections.abc import Sequence

Trial = tuple[float, float]  # a ratio, and the error in percent after it
DIGITS = 3  # of a ratio


def next_ratio(largest: float, trials: Sequence[Trial], allowed: float, most: int) -> float | None:
    """The ratio to try next: the `largest` first, then the middle between what fits and what costs too much.

    None where `most` trials are done, the largest fits, or there is nothing between.
    """
    if not trials:
        return largest
    fitting = max((ratio for ratio, error in trials if error <= allowed), default=0.0)
    costly = min((ratio for ratio, error in trials if error > allowed), default=None)
    if costly is None or len(trials) >= most:
        return None
    middle = round((fitting + costly) / 2, DIGITS)
    return middle if fitting < middle < costly else None


def best(trials: Sequence[Trial], allowed: float) -> Trial | None:
    """The largest ratio that was tried and fits; None where none does."""
    return max((trial for trial in trials if trial[1] <= allowed), default=None)
