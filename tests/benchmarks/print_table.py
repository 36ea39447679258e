"""Prints one table and writes its rows as JSON, in its own process; `python -m tests.benchmarks --NAME` starts it.

The module NAME has the column titles `TITLES`, and `rows(device)`, which yields each row twice: as a JSON object, and
as cells to print. Its `draw(rows, path)`, if any, draws them.
"""

import sys
from importlib import import_module
from pathlib import Path

import torch

from tests.benchmarks.measure import markdown, write

if __name__ == "__main__":
    name, device, threads, out = sys.argv[1:]
    torch.set_num_threads(int(threads))
    module = import_module(f"tests.benchmarks.{name}")
    print(markdown(module.TITLES), markdown(["---"] * len(module.TITLES)), sep="\n")
    rows = []
    for row, cells in module.rows(torch.device(device)):
        print(markdown(cells), flush=True)
        rows.append(row)
        write(out, device=device, rows=rows)  # after each row, so that an interrupted run is not lost
    if hasattr(module, "draw"):
        module.draw(rows, Path(out).with_suffix(".svg"))
