"""Benchmarks as ratios: each case is timed in turn with its yardstick, in the same process, and their medians divided.

pytest tests/benchmarks                      prints the table
pytest tests/benchmarks --benchmark-json F   keeps it, with machine and date
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

RESULTS = pytest.StashKey[list["Result"]]()


@dataclass
class Result:
    case: str
    ratio: float
    spread: float  # half the distance between the quartiles of the paired ratios
    bar: float | None
    aim: float | None
    seconds: float


def pytest_configure(config):
    config.stash[RESULTS] = []
    torch.set_num_threads(2)


@pytest.fixture
def compare(benchmark, request):
    """Call as `compare(subject, yardstick, bar=…, aim=…)`; `before` runs untimed before each subject call."""

    def run(
        subject: Callable[[], object],
        yardstick: Callable[[], object],
        *,
        bar: float | None = None,
        aim: float | None = None,
        before: Callable[[], object] = lambda: None,
        rounds: int = 5,
    ) -> None:
        against: list[float] = []

        def setup() -> None:
            begun = time.perf_counter()
            yardstick()
            against.append(time.perf_counter() - begun)
            before()

        benchmark.pedantic(subject, setup=setup, rounds=rounds, warmup_rounds=1)
        times = benchmark.stats.stats.data
        against = against[-len(times) :]  # the first one belongs to the warm-up
        ratio = statistics.median(times) / statistics.median(against)
        quartiles = statistics.quantiles([a / b for a, b in zip(times, against, strict=True)], n=4)
        spread = (quartiles[2] - quartiles[0]) / 2
        benchmark.extra_info.update(ratio=ratio, spread=spread, bar=bar, aim=aim, yardstick=against)
        seconds = statistics.median(times)
        request.config.stash[RESULTS].append(Result(request.node.name, ratio, spread, bar, aim, seconds))

    return run


@pytest.fixture
def note(request):
    """Put a figure that is no time in the table: `note(0.98, bar=1.06)`."""

    def put(ratio: float, *, bar: float | None = None, aim: float | None = None) -> None:
        request.config.stash[RESULTS].append(Result(request.node.name, ratio, 0.0, bar, aim, 0.0))

    return put


def pytest_terminal_summary(terminalreporter, config):
    results = config.stash[RESULTS]
    if not results:
        return
    terminalreporter.section("ratios to the yardstick (median of each, half the interquartile range)")
    for r in results:
        verdict = "" if r.bar is None else ("met" if r.ratio <= r.bar else "MISSED")
        bar = "" if r.bar is None else f"bar {r.bar:g}"
        aim = "" if r.aim is None else f"aim {r.aim:g}"
        terminalreporter.write_line(
            f"{r.case:58} {r.ratio:7.3f} ± {r.spread:<6.3f} {bar:11} {aim:10} {verdict:7} {1000 * r.seconds:9.1f} ms"
        )
