"""Small data, and a pack file without a task, for the tests that need no others."""

import pytest

from tests.worlds import images, pack_file


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz")


@pytest.fixture
def path(tmp_path):
    return pack_file(tmp_path / "net.safetensors")
