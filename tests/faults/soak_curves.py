"""The curves of a soak: how much each grows in an hour, and their picture."""

import json
from pathlib import Path

import numpy as np
import psutil

from packnet_core.packfile.paths import Paths

POINTS = 240  # of a curve
WARM = 0.25  # the share of the time that is left out of the slopes
PLOTS = {  # title: its curves
    "memory, MB": ("engine", "workbench", "reader"),
    "engine": ("descriptors", "threads"),
    "on the disk, MB": ("journal", "folder"),
    "pack file, MB": ("file",),
    "jobs done": ("jobs",),
}


def measured(paths: Paths, engine: psutil.Process, workbench: int, reader: int) -> dict[str, float]:
    """What a soak looks at, now; the screens by their process ids."""
    return {
        "engine": engine.memory_info().rss / 1e6,
        "workbench": psutil.Process(workbench).memory_info().rss / 1e6,
        "reader": psutil.Process(reader).memory_info().rss / 1e6,
        "descriptors": engine.num_fds(),
        "threads": engine.num_threads(),
        "journal": paths.journal.stat().st_size / 1e6,
        "folder": sum(file.stat().st_size for file in list(paths.folder.iterdir()) if file.exists()) / 1e6,
        "file": paths.file.stat().st_size / 1e6,
    }


def write(out: Path, samples: dict[str, list[float]], **found: object) -> None:
    """Write what was found so far, a line each."""
    lines = [f'  "{name}": {json.dumps(value)}' for name, value in {**found, **samples}.items()]
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def slopes(samples: dict) -> dict[str, list[float]]:
    """By curve: its mean after the first quarter, and how much it grows in an hour, by least squares."""
    warm = int(len(samples["minutes"]) * WARM)
    hours = np.array(samples["minutes"][warm:]) / 60
    if len(hours) < 3:
        return {}
    values = {name: np.array(samples[name][warm:]) for names in PLOTS.values() for name in names}
    return {
        name: [round(float(each.mean()), 3), round(float(np.polyfit(hours, each, 1)[0]), 3)]
        for name, each in values.items()
    }


def draw(found: dict, path: Path) -> None:
    """The curves, one plot each kind."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    step = -(-len(found["minutes"]) // POINTS)
    figure, axes = pyplot.subplots(1, len(PLOTS), figsize=(14, 2.8), layout="constrained")
    for axis, (title, names) in zip(axes, PLOTS.items(), strict=True):
        for name in names:
            axis.plot(found["minutes"][::step], found[name][::step], label=name)
        axis.set(title=title, xlabel="minutes", ylim=(0, None))
        axis.grid(alpha=0.3)
        if len(names) > 1:
            axis.legend(frameon=False)
    figure.savefig(path)


def report(out: Path) -> int:
    """Draw a soak's curves beside its JSON, and print what grew and what went wrong."""
    found = json.loads(out.read_text())
    draw(found, out.with_suffix(".svg"))
    print(f"{found['minutes'][-1]:.0f} minutes: {found['counts']}")
    for name, (mean, growth) in slopes(found).items():
        print(f"{name:12} mean {mean:10.3f}   in an hour {growth:+10.3f}   {growth / mean if mean else 0:+.1%}")
    print(*(found["faults"] or ["no fault"]), sep="\n")
    return bool(found["faults"])
