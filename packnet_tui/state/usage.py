"""Usage of a job's device: the GPU, as NVIDIA's library reports it, else the job's process."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

GB = 1e9


@dataclass
class Meter:
    """Reads load and memory, as `gpu0 87 %  11.2/80G` or `cpu 97 %  1.2G`. Reading may block."""

    _processes: dict[int, Any] = field(default_factory=dict)

    def read(self, device: str, pid: int) -> str:
        """Usage of a torch device, such as `cuda:0`, or of the process that works on it; empty if it is unknown."""
        if device.startswith("cuda") and (words := _gpu(int(device.partition(":")[2] or 0))):
            return words
        return self._process(pid)

    def _process(self, pid: int) -> str:
        import psutil

        try:
            if pid not in self._processes:
                self._processes = {pid: psutil.Process(pid)}
                self._processes[pid].cpu_percent()  # the next call measures since this one
                return ""
            process = self._processes[pid]
            return f"cpu {process.cpu_percent():.0f} %  {process.memory_info().rss / GB:.1f}G"
        except psutil.Error:
            self._processes = {}
            return ""


def _gpu(index: int) -> str:
    """The GPU that torch calls `index`; empty if NVIDIA's library does not answer."""
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            handle = _handle(pynvml, index)
            busy = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        finally:
            with suppress(pynvml.NVMLError):
                pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return ""
    return f"gpu{index} {busy} %  {memory.used / GB:.1f}/{memory.total / GB:.0f}G"


def _handle(pynvml: Any, index: int) -> Any:
    """NVIDIA's handle of a GPU of torch, which counts only those in CUDA_VISIBLE_DEVICES; NVIDIA counts all."""
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    name = visible[index] if index < len(visible) else str(index)
    return pynvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else pynvml.nvmlDeviceGetHandleByUUID(name)
