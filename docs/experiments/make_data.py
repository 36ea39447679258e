"""The data of the experiments in docs/results, from larger sets.

    python docs/experiments/make_data.py DATA OUT

DATA holds cifar10.npz, fashion.npz, signs.npz and mnist10k.npz. OUT gets cifar10, fashion, signs and mnist with at most
2,000 test images each, classes in proportion, so that evaluation does not take longer than training; and dev-fashion,
dev-signs and dev-mnist, whose test images are left out of the training images, for choosing a recipe without the test
set.
"""

import sys
from pathlib import Path

import numpy as np

from packnet_core.data.split import allot, choose

TEST, DEVELOPMENT = 2000, {"fashion": 2000, "signs": 400, "mnist": 2000}
SETS = {"cifar10": "cifar10", "fashion": "fashion", "signs": "signs", "mnist": "mnist10k"}


def sample(labels: np.ndarray, count: int) -> np.ndarray:
    """A mask that selects `count` images, classes in proportion."""
    counts = np.bincount(labels).astype(np.int64)
    return choose(labels.astype(np.int64), allot(counts, count), seed=0)


def main(source: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, file in SETS.items():
        arrays = dict(np.load(source / f"{file}.npz"))
        kept = sample(arrays["test_labels"], TEST)
        test = {"test_images": arrays["test_images"][kept], "test_labels": arrays["test_labels"][kept]}
        np.savez(out / f"{name}.npz", **{**arrays, **test})
        if name in DEVELOPMENT:
            held = sample(arrays["train_labels"], DEVELOPMENT[name])
            images, labels = arrays["train_images"], arrays["train_labels"]
            np.savez(
                out / f"dev-{name}.npz",
                classes=arrays["classes"],
                train_images=images[~held],
                train_labels=labels[~held],
                test_images=images[held],
                test_labels=labels[held],
            )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
