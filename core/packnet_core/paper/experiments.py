"""The experiments by name: the cells that each one needs, and the function that makes its table."""

from collections.abc import Callable
from dataclasses import dataclass

from packnet_core.paper import figures, tables
from packnet_core.paper.plan import Cell, Plan
from packnet_core.paper.runner import Results
from packnet_core.paper.tables import Table


@dataclass(frozen=True)
class Experiment:
    """One of the paper's tables or figures."""

    cells: Callable[[Plan, int], list[Cell]]  # of a plan and a number of runs
    make: Callable[[Plan, Results, int], Table]  # from a plan, its results and a number of runs
    lines: bool = False  # whether its picture has lines instead of bars


EXPERIMENTS = {
    "table2": Experiment(tables.table2_cells, tables.table2),
    "table3": Experiment(tables.table3_cells, tables.table3),
    "table4": Experiment(tables.table4_cells, tables.table4),
    "table5": Experiment(tables.table5_cells, tables.table5),
    "table6": Experiment(tables.table6_cells, tables.table6),
    "figure2": Experiment(figures.figure2_cells, figures.figure2, lines=True),
    "figure3": Experiment(figures.figure3_cells, figures.figure3),
    "figure4": Experiment(figures.figure4_cells, figures.figure4, lines=True),
    "figure5": Experiment(figures.figure5_cells, figures.figure5),
    "ablation": Experiment(tables.ablation_cells, tables.ablation),
}
