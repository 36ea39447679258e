"""Stratified, seeded choice of labelled images, the same on every machine. Needs no torch."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def allot(counts: Ints, total: int, least: int = 0, spare: int = 0) -> Ints:
    """How many images to take of each class: `total` in all, in proportion to `counts` (int64, images per class).

    By largest remainder; ties go to the earlier class. Of each class at least `least` images are taken and at least
    `spare` are left, if the class has enough; `total` is raised or lowered if necessary.
    """
    most = np.maximum(counts - spare, 0)
    low = np.minimum(least, most)
    total = int(min(max(total, low.sum()), most.sum()))
    exact = counts * total  # exact shares in units of 1 / images, so that remainders are whole numbers
    images = max(int(counts.sum()), 1)
    shares = np.clip(exact // images, low, most)
    # the sum may now be too small or too large: correct the shares furthest from exact, by one image each
    while (missing := total - int(shares.sum())) != 0:
        step = 1 if missing > 0 else -1
        allowed = shares < most if step > 0 else shares > low
        gap = (exact - shares * images) * step
        order = np.lexsort((np.arange(len(counts)), -gap, ~allowed))
        shares[order[: min(abs(missing), int(allowed.sum()))]] += step
    return shares


def choose(labels: Ints, shares: Ints, seed: int) -> NDArray[np.bool_]:
    """A mask over `labels` (int64 N) that is true for `shares[c]` images of each class c, drawn by `seed`.

    With the same labels and seed, larger shares choose the same images and more. Images are sorted by raw bits of a
    PCG64 generator: NumPy guarantees those for all versions, but not the numbers it derives from them.
    """
    keys = np.random.PCG64(seed).random_raw(len(labels))
    order = np.lexsort((keys, labels))
    counts = np.bincount(labels, minlength=len(shares))
    firsts = np.cumsum(counts) - counts
    place = np.arange(len(labels)) - firsts[labels[order]]  # each image's place within its class
    mask = np.zeros(len(labels), np.bool_)
    mask[order[place < shares[labels[order]]]] = True
    return mask
