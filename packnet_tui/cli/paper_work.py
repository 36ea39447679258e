"""`packnet paper`: an experiment from arguments to files, with its progress as lines or a bar."""

import sys
from pathlib import Path

from packnet_core.errors import RequestError
from packnet_core.paper.plan import Named, Plan
from packnet_tui.cli.shell import quoted
from packnet_tui.state.format import duration


def named(text: str) -> Named:
    """`NAME=DATA`. Raises RequestError where it is not that."""
    name, _, data = text.partition("=")
    if not name or not data:
        raise RequestError(f"{text!r} is not NAME=DATA, such as signs=signs.npz")
    return Named(name=name, data=data)


def paper(
    names: list[str], plan: Plan, runs: int, out: Path, *, jobs: int, device: str | None, only: str, draw: bool
) -> int:
    """Compute what is missing of some experiments, and write them. Returns the exit status."""
    from packnet_core.paper import pictures, report, runner
    from packnet_core.paper.experiments import EXPERIMENTS

    if unknown := [name for name in names if name not in EXPERIMENTS]:
        raise RequestError(f"there is no experiment {unknown[0]!r}; there are {', '.join(EXPERIMENTS)}")
    runner.settle(plan, out)
    cells = [cell for name in names for cell in EXPERIMENTS[name].cells(plan, runs)]
    try:
        for tick in runner.run(plan, cells, out, jobs=jobs, device=device, only=only):
            print(
                f"{tick.done}/{tick.cells}  {tick.cell}  {duration(tick.seconds)}, {duration(tick.seconds_left)} left",
                flush=True,
            )
    finally:  # what is there is written, however it ended
        results = runner.read(out)
        command = " ".join(["packnet", *map(quoted, map(Path, _without(sys.argv[1:], "--only")))])
        for name in names:
            experiment = EXPERIMENTS[name]
            table = experiment.make(plan, results, runs)
            paths = report.write(name, table, plan, experiment.cells(plan, runs), results, out, command)
            if draw:
                paths += pictures.draw(name, table, out, experiment.lines)
            print(f"wrote {', '.join(str(path) for path in paths)}")
        print(f"wrote {report.write_results(results, out)}")
    return 0


def _without(arguments: list[str], option: str) -> list[str]:
    """The arguments without an option and its value: it says which cells came when, not what they are."""
    if option not in arguments:
        return arguments
    at = arguments.index(option)
    return arguments[:at] + arguments[at + 2 :]
