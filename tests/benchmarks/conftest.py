"""Benchmarks as ratios: each case is timed in turn with its yardsticks in the same process; a ratio is of medians.

`python -m tests.benchmarks` runs them, prints the table and writes it as JSON; see there for the options.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest
import torch

from packnet_core.packfile import storage
from tests.benchmarks.made_networks import packed
from tests.benchmarks.measure import seconds, write

RESULTS = pytest.StashKey[list["Result"]]()
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass
class Result:
    case: str
    yardstick: str
    ratio: float
    spread: float  # half the distance between the quartiles of the paired ratios
    bar: float | None
    aim: float | None
    seconds: float

    @property
    def verdict(self) -> str:
        return "" if self.bar is None else ("met" if self.ratio <= self.bar else "MISSED")


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="device of the networks: cpu or cuda")
    parser.addoption("--clock", default="wall", choices=CLOCKS, help="cpu: processor time, for shared machines")
    parser.addoption("--quick", action="store_true", help="at most three rounds")
    parser.addoption("--results", help="where to write the table as JSON")


def pytest_configure(config):
    config.stash[RESULTS] = []


@pytest.fixture(scope="session")
def device(request) -> torch.device:
    return torch.device(request.config.getoption("device"))


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    """A pack file of VGG-16 with four tasks."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    storage.save(path, *packed("vgg16"))
    return path


@pytest.fixture
def compare(benchmark, request, device):
    """Call as `compare(subject, yardstick, bar=…, aim=…)`; `before` runs untimed before each subject call.

    `also` are other yardsticks by name, each with its bar and aim.
    """
    clock = CLOCKS[request.config.getoption("clock")]

    def run(
        subject: Callable[[], object],
        yardstick: Callable[[], object],
        *,
        bar: float | None = None,
        aim: float | None = None,
        before: Callable[[], object] = lambda: None,
        also: dict[str, tuple[Callable[[], object], float | None, float | None]] | None = None,
        rounds: int = 5,
    ) -> None:
        yardsticks = {"": (yardstick, bar, aim), **(also or {})}
        against: dict[str, list[float]] = {name: [] for name in yardsticks}
        times: list[float] = []

        def setup() -> None:
            for name, (work, _, _) in yardsticks.items():
                against[name].append(seconds(work, device, clock))
            before()

        rounds = min(rounds, 3) if request.config.getoption("quick") else rounds
        benchmark.pedantic(
            lambda: times.append(seconds(subject, device, clock)), setup=setup, rounds=rounds, warmup_rounds=1
        )
        for name, others in against.items():
            pairs = list(zip(times[1:], others[1:], strict=True))  # the first ones belong to the warm-up
            ratio = statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)
            quartiles = statistics.quantiles([a / b for a, b in pairs], n=4)
            spread, median = (quartiles[2] - quartiles[0]) / 2, statistics.median(a for a, _ in pairs)
            keep(request.config, Result(request.node.name, name, ratio, spread, *yardsticks[name][1:], median))

    return run


@pytest.fixture
def note(request):
    """Put a figure that is not a ratio of times in the table: `note(0.98, bar=1.06)`."""

    def put(ratio: float, *, bar: float | None = None, aim: float | None = None) -> None:
        keep(request.config, Result(request.node.name, "", ratio, 0.0, bar, aim, 0.0))

    return put


def pytest_terminal_summary(terminalreporter, config):
    results = config.stash[RESULTS]
    if not results:
        return
    terminalreporter.section("ratios to the yardstick (median of each, half the interquartile range)")
    for r in results:
        bar = "" if r.bar is None else f"bar {r.bar:g}"
        aim = "" if r.aim is None else f"aim {r.aim:g}"
        case = r.case if not r.yardstick else f"{r.case} against {r.yardstick}"
        terminalreporter.write_line(
            f"{case:66} {r.ratio:7.3f} ± {r.spread:<6.3f} {bar:11} {aim:10} {r.verdict:7} {1000 * r.seconds:9.1f} ms"
        )


def keep(config, result: Result) -> None:
    """Put a result in the table and write it at once, so that an interrupted run is not lost."""
    config.stash[RESULTS].append(result)
    if path := config.getoption("results"):
        settings = {name: config.getoption(name) for name in ("device", "clock", "quick")}
        write(path, settings=settings, results=[asdict(r) for r in config.stash[RESULTS]])
