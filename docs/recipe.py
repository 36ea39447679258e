"""Write docs/recipe.md, the table of all recipe options, from the fields of `Recipe`: python docs/recipe.py"""

from collections.abc import Iterable
from pathlib import Path

from packnet_core.schema.fields import Field, shown
from packnet_core.schema.recipes import BOTH, RECIPES, RETRAINING, TRAINING, fields

PAGE = Path(__file__).with_name("recipe.md")
INTRO = """\
# The recipe of a task

How a task is trained: the fields of `packnet_core.Recipe`, which are options of `packnet add`, `prune` and `train`,
fields of the workbench's forms, and arguments of `PackFile.add`, `prune` and `train`. The defaults are the paper's, as
far as it gives them; in `prune` and `train`, options that are not given stay as the task was trained. The last column
is the section of the paper that gives the option. `docs/recipe.py` writes this page.
"""
GROUPS = {"Training": TRAINING, "Retraining after pruning": RETRAINING, "Both phases": BOTH}


def page() -> str:
    """The whole page."""
    parts, rows = [INTRO], []
    for title, names in GROUPS.items():
        parts += [f"## {title}\n", table(fields()[name] for name in names)]
    parts += ["## Recipes by name\n", "`--recipe NAME` sets several at once, by the data; other options change it.\n"]
    for name, by_data in RECIPES.items():
        rows += [(f"`{name}`", f"`{data}`" if data else "any other" if len(by_data) > 1 else "any",
                  ", ".join(f"{field} {shown(value)}" for field, value in settings.items()))
                 for data, settings in by_data.items()]  # fmt: skip
    return "\n".join([*parts, lines(("recipe", "data", "settings"), rows)])


def table(of: Iterable[Field]) -> str:
    """One line per field."""
    heads = ("name", "option", "what it is", "limits", "default", "paper")
    return lines(heads, [(f"`{field.name}`", f"`{field.option}`", field.help, field.limits,
                          shown(field.default) or field.unset, field.paper or "–") for field in of])  # fmt: skip


def lines(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, ("---",) * len(heads), *rows))


if __name__ == "__main__":
    PAGE.write_text(page())
