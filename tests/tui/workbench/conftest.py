"""Each test of the workbench has a state folder of its own: a theme or layout of one is not seen by the next."""

import pytest


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
