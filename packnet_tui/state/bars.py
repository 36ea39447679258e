"""Counts as cells of a bar: proportional, with an exact sum, and at least one cell per owner."""

from collections.abc import Sequence


def cells(counts: Sequence[int], width: int) -> list[int]:
    """Share `width` cells among `counts` by largest remainder.

    The cells add up to `width`. Every count above zero gets at least one cell, if there are enough cells for all of
    them; a zero gets none. All arithmetic is in integers, so that equal counts give the same bar on every machine.
    """
    total = sum(counts)
    if total == 0 or width <= 0:
        return [0] * len(counts)
    present = [i for i, count in enumerate(counts) if count > 0]
    least = 1 if len(present) <= width else 0
    shared = [max(count * width // total, least) if count > 0 else 0 for count in counts]

    def missing(i: int) -> int:
        """A count's exact share minus the cells that it has, in units of 1/total of a cell."""
        return counts[i] * width - shared[i] * total

    while sum(shared) < width:
        shared[max(present, key=missing)] += 1
    while (
        sum(shared) > width
    ):  # small counts were rounded up to a cell: take one from the count furthest above its share
        shared[min((i for i in present if shared[i] > least), key=missing)] -= 1
    return shared
