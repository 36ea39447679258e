"""`packnet paper`: computes experiments and writes their files, with progress as lines."""

import sys
from pathlib import Path

from packnet_core.errors import RequestError
from packnet_core.paper.plan import Plan, PlanTask
from packnet_tui.cli.shell import quoted
from packnet_tui.state.format import duration


def parse_task(text: str) -> PlanTask:
    """Parse `NAME=DATA`. Raises RequestError for other text."""
    name, _, data = text.partition("=")
    if not name or not data:
        raise RequestError(f"{text!r} is not NAME=DATA, such as signs=signs.npz")
    return PlanTask(name=name, data=data)


def run_experiments(
    names: list[str], plan: Plan, runs: int, out: Path, *, jobs: int, device: str | None, only: str, draw: bool
) -> int:
    """Compute the missing cells of experiments, and write their tables. Returns the exit status."""
    from packnet_core.paper import pictures, report, runner
    from packnet_core.paper.experiments import EXPERIMENTS

    if unknown := [name for name in names if name not in EXPERIMENTS]:
        raise RequestError(f"there is no experiment {unknown[0]!r}; the experiments are {', '.join(EXPERIMENTS)}")
    runner.prepare(plan, out)
    cells = [cell for name in names for cell in EXPERIMENTS[name].cells(plan, runs)]
    try:
        for cell in runner.run_cells(plan, cells, out, jobs=jobs, device=device, only=only):
            times = f"{duration(cell.seconds)}, {duration(cell.seconds_left)} left"
            print(f"{cell.done}/{cell.cells}  {cell.name}  {times}", flush=True)
    finally:  # also after an error or an interruption, with the results so far
        results = runner.read_results(out)
        # without --only: it chooses what is computed now, and changes no result
        command = " ".join(["packnet", *map(quoted, map(Path, _without(sys.argv[1:], "--only")))])
        for name in names:
            experiment = EXPERIMENTS[name]
            table = experiment.make(plan, results, runs)
            paths = report.write_table(name, table, plan, experiment.cells(plan, runs), results, out, command)
            if draw:
                paths += pictures.draw(name, table, out, experiment.lines)
            print(f"wrote {', '.join(str(path) for path in paths)}")
        print(f"wrote {report.write_results(results, out)}")
    return 0


def _without(arguments: list[str], option: str) -> list[str]:
    """The arguments without an option and its value."""
    if option not in arguments:
        return arguments
    at = arguments.index(option)
    return arguments[:at] + arguments[at + 2 :]
