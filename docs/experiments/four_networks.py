"""Packs three tasks into each of the paper's four networks, at the smallest real scale, and measures time and memory.

    python docs/experiments/four_networks.py DATA OUT [NETWORK ...]

DATA has fashion.npz, signs.npz and mnist10k.npz; 200 training and 200 test images are drawn from each. Networks have
full width, 32×32 images and random weights, so errors mean little. What counts is that the errors of older tasks do not
change by a digit, and the time and memory. Every step is a `packnet` process. OUT gets the pack files, results.json and
results.md.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

NETWORKS = ("vgg16", "vgg16_bn", "resnet50", "densenet121")
TASKS = {"fashion": ("fashion.npz", 0.5), "signs": ("signs.npz", 0.75), "mnist": ("mnist10k.npz", 0.75)}  # §4: ratios
RECIPE = ("--epochs", "1", "--lr", "0.01", "--retrain-epochs", "1", "--retrain-lr", "0.001", "--yes")
IMAGES = 200


class Costs:
    """Cost of child processes: elapsed and processor seconds in all, and the largest memory of one, in bytes."""

    def __init__(self) -> None:
        self.seconds, self.cpu, self.memory = 0.0, 0.0, 0

    def packnet(self, *arguments: object) -> str:
        """Run `packnet` with these arguments. Returns its output; ends the script if it fails."""
        begun = time.monotonic()
        command = [sys.executable, "-m", "packnet_tui.cli.main", *map(str, arguments)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            printed = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{printed}")
        self.seconds += time.monotonic() - begun
        self.cpu += usage.ru_utime + usage.ru_stime
        self.memory = max(self.memory, usage.ru_maxrss * 1024)
        return printed


def draw(source: Path, target: Path) -> Path:
    """Write a data set with at most 200 training and test images, drawn by a fixed seed. Returns its path."""
    arrays, rng = dict(np.load(source)), np.random.default_rng(0)
    for part in ("train", "test"):
        rows = np.sort(rng.permutation(len(arrays[f"{part}_labels"]))[:IMAGES])
        for kind in ("images", "labels"):
            arrays[f"{part}_{kind}"] = arrays[f"{part}_{kind}"][rows]
    np.savez(target, **arrays)
    return target


def evaluated(costs: Costs, file: Path) -> dict[str, list[float]]:
    """Each task's error in percent, and its loss, unrounded."""
    events = [json.loads(line)["event"] for line in costs.packnet("eval", file, "--json").splitlines()]
    return {e["task"]: [e["error"]["top1"], e["loss"]] for e in events if e["type"] == "evaluated"}


def pack_tasks(network: str, data: Path, out: Path) -> dict[str, Any]:
    """Pack three tasks into one network. Ends the script if the error or loss of an older task changes."""
    file, work, checks = out / f"{network}.safetensors", Costs(), Costs()
    work.packnet("new", file, "--arch", network, "--input-size", 32)
    results: dict[str, list[float]] = {}
    for task, (name, ratio) in TASKS.items():
        source = draw(data / name, out / name)
        work.packnet("add", file, task, "--data", source, "--prune", ratio, *RECIPE)
        now = evaluated(checks, file)
        changed = [old for old, found in results.items() if now[old] != found]
        if changed:
            sys.exit(f"{network}: {changed} changed with {task}: {results} before, {now} now")
        results = now
    checks.packnet("verify", file)
    totals = json.loads(checks.packnet("inspect", file, "--json"))["totals"]
    return {
        "network": network,
        "weights": totals["weights"],
        "free": totals["free"],
        "errors": {task: error for task, (error, _) in results.items()},
        "file_bytes": file.stat().st_size,
        "seconds": work.seconds,
        "cpu_seconds": work.cpu,
        "seconds_with_checks": work.seconds + checks.seconds,
        "memory_bytes": max(work.memory, checks.memory),
    }


def main(data: Path, out: Path, networks: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for network in networks or NETWORKS:
        rows.append(pack_tasks(network, data, out))
        print(json.dumps(rows[-1]), flush=True)
        (out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    titles = ("network", "weights", "errors, %", "free", "file", "time", "of processors", "peak memory")
    lines = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|"]
    for row in rows:
        errors = " / ".join(f"{error:.2f}" for error in row["errors"].values())
        free = 100 * row["free"] / row["weights"]
        lines.append(
            f"| {row['network']} | {row['weights'] / 1e6:.1f} M | {errors} | {free:.1f} % "
            f"| {row['file_bytes'] / 1e6:.0f} MB | {row['seconds']:.0f} s | {row['cpu_seconds']:.0f} s "
            f"| {row['memory_bytes'] / 1e9:.2f} GB |"
        )
    (out / "results.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
