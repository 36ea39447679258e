"""A pack file and a data set to work with; whatever works on the file afterwards is ended."""

import pytest

from tests.end_to_end.processes import end_engine
from tests.worlds import images, pack_file


@pytest.fixture
def path(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    yield path
    end_engine(path)


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz", train=200)
