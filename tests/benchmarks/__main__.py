"""python -m tests.benchmarks: run the benchmarks, print the table of ratios, write it as JSON.

python -m tests.benchmarks                              everything on the CPU
python -m tests.benchmarks --device cuda                the core's cases on a GPU, some minutes
python -m tests.benchmarks --clock cpu --quick          on a shared machine: processor time
python -m tests.benchmarks --step                       the optimizer's step alone, in milliseconds
python -m tests.benchmarks --growth                     how costs grow with tasks and weights, also as curves
python -m tests.benchmarks --input                      images per second, and how long the device waits for them
python -m tests.benchmarks --precision                  bf16, channels-last and torch.compile
python -m tests.benchmarks --kept                       what a job gains by keeping freed memory (CPU)
python -m tests.benchmarks -k "step and resnet50"       some cases; other options go to pytest
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
TABLES = ("step", "growth", "input", "precision", "kept")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clock", default="wall", choices=("wall", "cpu"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    for name in TABLES:
        parser.add_argument(f"--{name}", dest="table", action="store_const", const=name)
    parser.add_argument("--out", type=Path, help="the JSON file; benchmarks-DEVICE.json if left out")
    given, more = parser.parse_known_args()
    out = given.out or Path(f"benchmarks-{f'{given.table}-' if given.table else ''}{given.device}.json")
    # pytest-benchmark measures nothing if it finds variables of pytest-xdist
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    environment = {**inherited, "OMP_NUM_THREADS": str(given.threads)}
    if given.table:
        command = ["tests.benchmarks.print_table", given.table, given.device, str(given.threads), str(out)]
    else:
        command = ["pytest", *arguments(given, out), *more]
    return subprocess.run([sys.executable, "-m", *command], env=environment).returncode


def arguments(given: argparse.Namespace, out: Path) -> list[str]:
    """The arguments for pytest."""
    files = [str(FOLDER)] if given.device == "cpu" else [str(FOLDER / "test_core.py")]
    options = ["--device", given.device, "--clock", given.clock, "--results", str(out)]
    # the project's own options would run cases in parallel, with a time limit
    return [*files, *options, *(["--quick"] if given.quick else []), "-q", "-o", "addopts=", "-o", "timeout=0"]


if __name__ == "__main__":
    sys.exit(main())
