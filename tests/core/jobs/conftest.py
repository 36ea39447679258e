"""Colour images, and a pack file with one task."""

import numpy as np
import pytest

from tests.worlds import add, images, pack_file, work


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz", size=16, channels=3)


@pytest.fixture
def others(tmp_path):
    return images(tmp_path / "others.npz", size=16, channels=3, seed=1)


@pytest.fixture
def noise(tmp_path):
    """Images with random labels, so that the validation error goes up and down."""
    path = images(tmp_path / "noise.npz", size=16, channels=3, train=120, seed=3)
    arrays = dict(np.load(path))
    arrays["train_labels"] = np.random.default_rng(0).permutation(arrays["train_labels"])
    np.savez(path, **arrays)
    return path


@pytest.fixture
def path(tmp_path, data):
    path = pack_file(tmp_path / "net.safetensors", "tests.networks:with_biases", size=16, channels=3)
    work(path, add("one", data))
    return path
