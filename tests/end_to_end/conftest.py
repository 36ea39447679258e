"""Fixtures for all end-to-end tests: a pack file, data, terminals, an SSH server. Their processes end with the test."""

import pytest

from tests.end_to_end.processes import end_engine
from tests.end_to_end.sshd import Server
from tests.end_to_end.tmux import Terminal
from tests.worlds import images, pack_file


@pytest.fixture
def path(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    yield path
    end_engine(path)


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz", train=200)


def _opened():
    """A terminal of 120 × 40."""
    terminal = Terminal()
    yield terminal
    terminal.hang_up()


terminal, another = pytest.fixture(_opened, name="terminal"), pytest.fixture(_opened, name="another")


@pytest.fixture
def sshd(tmp_path):
    """An SSH server that this user can log in to."""
    folder = tmp_path / "ssh"
    folder.mkdir()
    server = Server(folder)
    yield server
    server.close()
