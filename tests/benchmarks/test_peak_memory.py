"""Peak memory of training, beyond that of torch's own loop."""

import statistics

import pytest

from tests.benchmarks.measure import printed


def peak(*kind: str) -> tuple[float, float]:
    """Peak bytes, and the number of prunable weights; the median of three processes, which differ by one percent."""
    runs = [printed("peak_memory", *kind) for _ in range(3)]
    return statistics.median_low(memory for memory, _ in runs), runs[0][1]


@pytest.mark.parametrize("sealed", ["0.5", "0.9"])
def test_training_memory_vgg16_bytes_a_weight_more(note, sealed):
    """At most one byte per weight: its owner."""
    ours, weights = peak("packed", sealed)
    note((ours - peak("plain")[0]) / weights, bar=1.0, aim=0.0)
