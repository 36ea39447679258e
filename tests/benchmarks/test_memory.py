"""Memory while training, beyond what torch's own loop takes."""

import statistics
import subprocess
import sys

import pytest


def peak(*kind: str) -> tuple[int, int]:
    """Bytes at the most, and prunable weights; the median of three processes, which differ by one percent."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", *kind]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(3)]
    return statistics.median_low(int(memory) for memory, _ in runs), int(runs[0][1])


@pytest.mark.parametrize("sealed", ["0.5", "0.9"])
def test_training_memory_vgg16_bytes_a_weight_more(note, sealed):
    """At most one: the owner of each weight."""
    ours, weights = peak("packed", sealed)
    note((ours - peak("plain")[0]) / weights, bar=1.0, aim=0.0)
