"""What a benchmark was run on: processor, accelerator, versions, date."""

import datetime
import os
import platform
from pathlib import Path

import torch


def machine() -> dict[str, object]:
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],  # others' work on the same cores makes times longer, and noisier
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a str of a class of its own, which JSON writers refuse
    }


def peak_bytes() -> int:
    """The most memory that this process had; getrusage would count what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
