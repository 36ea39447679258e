"""Stratified, seeded choices among labelled images: the same on every machine. Needs no torch."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def allot(counts: Ints, total: int, least: int = 0, spare: int = 0) -> Ints:
    """Share `total` out among classes in proportion to `counts`, by largest remainder; ties go to the earlier class.

    Every class gets at least `least` and leaves at least `spare` of its images over, as far as it has so many.
    """
    most = np.maximum(counts - spare, 0)
    low = np.minimum(least, most)
    total = int(min(max(total, low.sum()), most.sum()))
    exact = counts * total  # in units of 1 / images, so that remainders are whole numbers
    images = max(int(counts.sum()), 1)
    shares = np.clip(exact // images, low, most)
    # the sum may be off either way now: move one image at a time where that is furthest from exact, and allowed
    while (missing := total - int(shares.sum())) != 0:
        step = 1 if missing > 0 else -1
        allowed = shares < most if step > 0 else shares > low
        gap = (exact - shares * images) * step
        order = np.lexsort((np.arange(len(counts)), -gap, ~allowed))
        shares[order[: min(abs(missing), int(allowed.sum()))]] += step
    return shares


def choose(labels: Ints, shares: Ints, seed: int) -> NDArray[np.bool_]:
    """A mask over `labels` that is true for `shares[c]` images of each class c, drawn by `seed`.

    With the same labels and seed, larger shares choose the same images and more. NumPy promises the raw bits of a
    PCG64 for ever, and not what it makes of them; hence the sort of raw bits.
    """
    keys = np.random.PCG64(seed).random_raw(len(labels))
    order = np.lexsort((keys, labels))
    counts = np.bincount(labels, minlength=len(shares))
    firsts = np.cumsum(counts) - counts
    place = np.arange(len(labels)) - firsts[labels[order]]  # of each image within its class
    mask = np.zeros(len(labels), np.bool_)
    mask[order[place < shares[labels[order]]]] = True
    return mask
