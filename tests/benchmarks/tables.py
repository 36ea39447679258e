"""A table that is no list of ratios, in a process of its own; `python -m tests.benchmarks --NAME` begins it."""

import sys
from importlib import import_module
from pathlib import Path

import msgspec
import torch

from tests.benchmarks.machine import machine

if __name__ == "__main__":
    name, device, threads, out = sys.argv[1:]
    torch.set_num_threads(int(threads))
    module = import_module(f"tests.benchmarks.{name}")
    rows = []
    for row in module.main(torch.device(device), int(threads)):
        rows.append(row)  # written at once, so that a run that is cut short is not lost
        table = {"machine": machine(), "device": device, "rows": rows}
        Path(out).write_bytes(msgspec.json.format(msgspec.json.encode(table)) + b"\n")
    if hasattr(module, "draw"):
        module.draw(rows, Path(out).with_suffix(".svg"))
