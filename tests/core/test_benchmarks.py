"""The benchmarks' command: what it runs on which device, and that the core's cases need no textual."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.__main__ import arguments


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
