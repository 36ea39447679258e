"""Counts as cells of a bar: proportional, exact in sum, and nobody who owns something disappears."""

from collections.abc import Sequence


def cells(counts: Sequence[int], width: int) -> list[int]:
    """Share `width` cells among `counts` by largest remainder.

    The cells add up to `width` exactly. Every count above zero gets a cell at least, if there are enough cells for
    all of those; a zero gets none. All is whole numbers, so that equal counts get the same bar everywhere.
    """
    total = sum(counts)
    if total == 0 or width <= 0:
        return [0] * len(counts)
    present = [i for i, count in enumerate(counts) if count > 0]
    least = 1 if len(present) <= width else 0
    shared = [max(count * width // total, least) if count > 0 else 0 for count in counts]

    def missing(i: int) -> int:
        """How much more than its cells a count deserves, in units of 1/total of a cell."""
        return counts[i] * width - shared[i] * total

    while sum(shared) < width:
        shared[max(present, key=missing)] += 1
    while sum(shared) > width:  # the small ones were rounded up, so the most favoured of the others gives a cell
        shared[min((i for i in present if shared[i] > least), key=missing)] -= 1
    return shared
