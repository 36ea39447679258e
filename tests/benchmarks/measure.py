"""What every benchmark needs: times, peak memory, child processes, Markdown rows, and JSON with the machine's facts."""

import datetime
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import torch

PACKNET = "import sys; from packnet_tui.cli.main import packnet; sys.argv[0] = 'packnet'; sys.exit(packnet())"


def seconds(work: Callable[[], object], device: torch.device, clock: Callable[[], float] = time.perf_counter) -> float:
    """How long `work` takes, including all that it queued on a GPU."""
    _synchronize(device)
    begun = clock()
    work()
    _synchronize(device)
    return clock() - begun


def medians(
    works: Sequence[Callable[[], object]], rounds: int, device: torch.device, *, warmups: int = 1
) -> list[float]:
    """The median seconds of each of `works`, run in turn, so that all meet the same conditions."""
    times = [[seconds(work, device) for work in works] for _ in range(warmups + rounds)]
    return [statistics.median(of_one) for of_one in zip(*times[warmups:], strict=True)]


def printed(module: str, *arguments: str) -> list[float]:
    """The numbers that a module of this folder prints, run as a program in its own process."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(number) for number in done.stdout.split()]


def packnet(*arguments: object) -> None:
    """Run `packnet` in a new interpreter, its output thrown away."""
    python("-c", PACKNET, *arguments)


def python(*arguments: object) -> None:
    """Run a new interpreter, its output thrown away."""
    subprocess.run([sys.executable, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def peak_bytes() -> int:
    """The most memory that this process had; getrusage would count what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def markdown(cells: Iterable[object]) -> str:
    """One row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def write(path: str | Path, **content: object) -> None:
    """Write results as JSON, after the facts of this machine."""
    path = Path(path)
    path.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine(), **content})) + b"\n")


def machine() -> dict[str, object]:
    """Processor, accelerator, versions, load and date."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],  # other work on the same cores makes times longer and noisier
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # its own subclass of str, which JSON encoders refuse
    }


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
