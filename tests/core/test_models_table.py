"""The table in docs/models.md agrees with the script that makes it."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
ROWS = [line for line in (DOCS / "models.md").read_text().splitlines() if line.startswith("| ") and "_" in line]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("which_models_pack", DOCS / "experiments" / "which_models_pack.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "mnasnet0_5", "squeezenet1_1"])
def test_the_script_gives_a_models_row(script, name):
    assert script.row(name) in ROWS


def test_all_but_squeezenet_pack():
    refused = {line.split()[1] for line in ROWS if not line.endswith("| yes |")}
    assert refused == {"squeezenet1_0", "squeezenet1_1"}
    assert len(ROWS) > 60


def test_the_script_finds_a_first_task_that_changed(script, monkeypatch):
    monkeypatch.setattr(script, "GuardedOptimizer", Unguarded)
    assert script.row("shufflenet_v2_x0_5").endswith("| no: its first task changed |")


class Unguarded:
    """Steps all weights with weight decay, as if only gradients were masked."""

    def __init__(self, make, weights, others, task):
        self.optimizer = make([*(parameter for parameter, _ in weights), *others])
        self.step, self.zero_grad = self.optimizer.step, self.optimizer.zero_grad
