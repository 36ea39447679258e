"""The benchmarks: what their command runs on which device, and that what they measure runs at all."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.benchmarks import growth, kept
from tests.benchmarks.__main__ import arguments
from tests.benchmarks.made_networks import OPTIMIZERS, guarded, second_task, stepping, trained

CPU = torch.device("cpu")


def test_on_a_gpu_only_the_cores_cases_run():
    given = argparse.Namespace(device="cuda", clock="wall", quick=True)
    chosen = arguments(given, Path("out.json"))
    assert [Path(a).name for a in chosen if a.endswith(".py")] == ["test_core.py"]
    assert "--quick" in chosen


def test_the_cores_cases_need_no_terminal():
    code = (
        "import sys, tests.benchmarks.conftest, tests.benchmarks.test_core;"
        "print(*[name for name in ('textual', 'typer', 'packnet_tui') if name in sys.modules])"
    )
    assert not subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.strip()


def test_results_are_written_with_the_machines_facts(tmp_path):
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--threads", "1", "--out", str(out), "-k", "itself"]
    subprocess.run(command, check=True, capture_output=True)
    table = json.loads(out.read_text())
    assert table["settings"] == {"device": "cpu", "clock": "wall", "quick": True}
    assert table["machine"]["torch"]
    (row,) = table["results"]
    assert row["ratio"] > 0
    assert row["case"] == "test_the_measure_itself"


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_of_each_optimizer_trains_what_it_should(name, fused):
    """The guarded step the newest task's weights, torch's own step all of them."""
    kind, settings = OPTIMIZERS[name]
    for ours in (True, False):
        network = second_task("cifar_resnet8", 0.5, CPU)
        optimizer = guarded(network, kind, settings) if ours else kind(trained(network), **settings, fused=fused)
        before = {name: weight.detach().clone() for name, weight in network.weights.items()}
        stepping(network, optimizer, torch.randn(2, 3, 32, 32), torch.tensor([1, 2]))()
        for name, weight in network.weights.items():
            changed, newest = weight != before[name], network.owners[name] == network.open
            assert changed[newest].any()
            assert changed[~newest].any() != ours


def test_the_costs_of_growth_are_measured(tmp_path):
    row = growth.costs("cifar_resnet8", 2, tmp_path, CPU)
    assert all(row[what] > 0 for what in growth.WHAT)


@pytest.mark.parametrize("loop", ["job, memory not kept", "torch"])
def test_the_loops_of_kept_memory_are_measured(loop, monkeypatch, capsys):
    monkeypatch.setitem(kept.NETWORKS, "cifar_resnet8", (2, 32))
    kept.one(loop, "cifar_resnet8")
    step, batch, peak = map(float, capsys.readouterr().out.split())
    assert min(step, batch, peak) > 0
