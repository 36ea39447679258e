"""Pane 2: the tasks, with their errors when added and now, and the drift between the two, which must be 0.00."""

import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.text import Text

from packnet_core.jobs import chance
from packnet_tui.state import copied_tables, format
from packnet_tui.state.baseline_words import ENDS, comparisons_in_words
from packnet_tui.state.copied_tables import Table
from packnet_tui.state.fits import beside, what_fits
from packnet_tui.state.format import NAME, cut_middle, fitting, joined, pad, pad_name
from packnet_tui.state.marks import glyph
from packnet_tui.state.picture import TaskRow
from packnet_tui.workbench.actions import bindings
from packnet_tui.workbench.widgets.pane import Pane

FULL = 56  # width from which advice is a whole sentence
TALL = 8  # lines from which two are for what is free and fits, however many tasks there are
NARROWEST, WIDEST = 9, 14  # cells of the names that columns leave: at least, and if names are that long
BEFORE = 5  # cells before the name: cursor, the open task's mark, digit
BESIDE = 33  # width that the columns of baselines need on top
COLUMNS = {"prune": 6, "owns": 7, "error": 6, "now": 7, "state": 10, "drift": 9}  # cells; error when added, and now
FIRST_TO_GO = ("prune", "error", "state", "drift")  # if there is no room; a sign takes the place of the drift


class TasksPane(Pane):
    """One row per task; below them, the free weights and the room for more tasks."""

    number = 2
    title = "Tasks"
    selectable = True
    BINDINGS = bindings(pane=2)
    NEW: ClassVar[dict[str, Any]] = {**Pane.NEW, "_tasks": 0}

    def __init__(self, id: str | None = None):
        super().__init__(id)
        self._tasks = 0

    @property
    def selected(self) -> TaskRow | None:
        """The task under the cursor."""
        tasks = self.picture.tasks
        return tasks[self.chosen] if self.chosen is not None and self.chosen < len(tasks) else None

    def name_of(self, index: int) -> str:
        return self.picture.tasks[index].name

    def table(self, shown: Sequence[int]) -> Table:
        return copied_tables.tasks(self.picture, shown)

    def count(self) -> int:
        return len(self.picture.tasks)

    def head(self, width: int) -> list[Text]:
        if len(self.picture.tasks) != self._tasks:  # select a new task
            self._tasks = len(self.picture.tasks)
            self.cursor = self._tasks - 1
        if not self.picture.tasks:
            words = ["no task yet: a adds the first one", "no task yet: a adds one", "no task yet"]
            return [Text(f"  {fitting(width - 2, *words)}", "dim")]
        line = Text(f"   # {pad('name', self._name_width(width))}", "dim")
        columns = self._columns(width)
        for name in columns:
            heading, room = "error" if name == "now" and "error" not in columns else name, COLUMNS[name]
            match name:
                case "state":
                    line.append(f" {heading:{room - 1}}")
                case "drift":
                    line.append(f"{heading:>{room - 3}}   ")
                case _:
                    line.append(f"{heading:>{room}}")
        if self._beside(width):
            line.pad_right(width - BESIDE - line.cell_len)
            line.append(" classifier individual gap closed")
        return [line]

    def row(self, index: int, width: int) -> Text:
        task = self.picture.tasks[index]
        chosen = index == self.chosen
        line = Text("> " if chosen else "  ", "bold" if chosen else "")
        line.append("*" if task.open else " ")
        line.append(glyph(task.index), f"bold {self.marks.colour(task.index)}")
        line.append(" " + pad_name(task.name, self._name_width(width)))
        columns = self._columns(width)
        for name in columns:
            line.append_text(self._cell(task, name, columns))
        if "drift" not in columns:
            line.append_text(Text(" ").append_text(_drift(task, short=True)))
        if self._beside(width):
            line.pad_right(width - BESIDE - line.cell_len)
            for baseline in ("classifier", "individual"):
                line.append(f" {format.two_digits(task.compared.get(baseline)):>10}")
            line.append(f" {format.whole_percent(task.closed):>10}")
        return line

    def _cell(self, task: TaskRow, column: str, columns: Sequence[str]) -> Text:
        """What a task has in one of the columns, as wide as the column."""
        width = COLUMNS[column]
        match column:
            case "now" if task.stopped and "state" not in columns:
                return Text(f"{'stopped':>{width + 1}}", "yellow")
            case "state" if task.stopped:  # it has no drift, so that its epoch has room
                return Text(f" {task.stopped:{width - 1 + COLUMNS['drift']}}", "yellow")
            case "drift" if task.stopped and "state" in columns:
                return Text("")
            case "prune":
                return Text(f"{format.two_digits(task.prune_ratio):>{width}}")
            case "owns":
                return Text(f"{format.percent(task.owned, self.picture.weights):>{width}}")
            case "error":
                bad = self._is_bad(task)
                return Text(f"{'!' * bad + format.two_digits(task.added):>{width}}", "bold yellow" if bad else "")
            case "now" if task.validation is not None:
                return Text(f"{f'~{task.validation:.2f}':>{width}}")
            case "now":
                alone = "error" not in columns  # it is the only column for an error
                bad = alone and self._is_bad(task)
                error = format.two_digits(task.added if alone and task.now is None else task.now)
                return Text(f"{'!' * bad + error:>{width}}", "bold yellow" if bad else "")
            case "state":
                return Text(f" {task.working or task.phase:{width - 1}}", "italic" if task.working else "dim")
            case _:
                return _drift(task, short=False)

    def foot(self, width: int) -> list[Text]:
        height, compared = self.content_size.height, [*self.warning(), *self.compared()]
        most, least = max(1, height - self.count() - 1), 2 if height >= TALL else 1
        free = self.free(width, max(least, most - len(compared)))
        return [*compared[: most - len(free)], *free]

    def free(self, width: int, most: int = 4) -> list[Text]:
        """What is free and what fits, in at most `most` lines."""
        picture = self.picture
        free = f"   + {format.percent(picture.free, picture.weights)} = {format.long(picture.free)} free"
        first, *rest = beside(free, what_fits(picture, self.app.ratio), width, most)
        return [Text.assemble((free, "bold"), first[len(free) :]), *map(Text, rest)]

    def warning(self) -> list[Text]:
        """That the open task is hardly better than chance, and what helps; empty while a job works on it."""
        saved, newest = self.picture.document.open_task, self.picture.open_task
        if not saved or not saved.error or not newest or not self._is_bad(newest) or newest.working:
            return []
        keys = {action.method: action.shown for action in self.app.actions}
        ways, width = chance.remedies(self.picture.document), self.content_size.width
        if width < FULL:
            brief = (
                f"{keys[way]} {words.removeprefix('train it ').removeprefix('drop it')}" for way, words in ways.items()
            )
            text = f"! near chance: {', or '.join(brief)}"
        else:
            errors = f"{saved.error.top1:.2f} %, {self.picture.against_chance} ({saved.chance:.2f} %)"
            help = ", or ".join(f"{words} ({keys[way]})" for way, words in ways.items())
            text = f"! {cut_middle(saved.name, NAME)}: error {errors}: {help}".replace(" %", "\u00a0%")
        lines = textwrap.wrap(text, max(20, width - 4), subsequent_indent="  ")
        return [Text.assemble("   ", (line.replace("\u00a0", " "), "yellow")) for line in lines]

    def compared(self) -> list[Text]:
        """The selected task's error on some images, and by baselines without a column; empty if no task has any."""
        task, width = self.selected, self.content_size.width
        without = ENDS if self._beside(width) else ()
        words = {row.index: joined(_facts(row, without, width - 5), width - 5) for row in self.picture.tasks}
        height = max(map(len, words.values()), default=0)  # of any task, so that nothing moves with the cursor
        if task is None or not height:
            return []
        lines = [Text(f"     {line}") for line in words[task.index]]
        if lines:
            lines[0] = Text.assemble("   ", (glyph(task.index), f"bold {self.marks.colour(task.index)}"), lines[0][4:])
        return [*lines, *[Text("")] * (height - len(lines))]

    def _beside(self, width: int) -> bool:
        """Whether there are columns for Classifier Only and Individual Networks."""
        wide = BEFORE + self._wanted_name + sum(COLUMNS.values()) + BESIDE
        return width >= wide and any(row.compared.keys() & set(ENDS) for row in self.picture.tasks)

    @property
    def _wanted_name(self) -> int:
        """The cells that names need to be whole, within bounds."""
        longest = max((cell_len(task.name) for task in self.picture.tasks), default=0)
        return min(max(NARROWEST, longest), WIDEST)

    def _columns(self, width: int) -> list[str]:
        """The columns that fit beside the names."""
        names, columns = self._wanted_name, list(COLUMNS)
        for name in FIRST_TO_GO:
            if self._left(columns, width) >= (names if name in ("prune", "error") else NARROWEST):
                break
            columns.remove(name)
        return columns

    def _left(self, columns: Sequence[str], width: int) -> int:
        """The cells that columns leave for the name."""
        sign = 0 if "drift" in columns else 2
        return width - BEFORE - sum(COLUMNS[name] for name in columns) - sign - (BESIDE if self._beside(width) else 0)

    def _name_width(self, width: int) -> int:
        return max(4, self._left(self._columns(width), width))

    def _is_bad(self, task: TaskRow) -> bool:
        """Whether a task is open and hardly better than chance, as it was saved last."""
        saved = self.picture.document.open_task
        return bool(self.picture.against_chance) and task.open and saved is not None and task.name == saved.name


def _facts(task: TaskRow, without: Sequence[str], width: int) -> list[str]:
    """What a task's row has no column for: its error on some test images, and by baselines but those in `without`."""
    parts = comparisons_in_words(task, without, width)
    if sample := task.sample:
        parts.insert(0, f"{format.top1(sample.error, sample.of)} on {format.images(sample.error.images)}")
    return parts


def _drift(task: TaskRow, short: bool) -> Text:
    """The change of a task's error since it was added, which must be 0.00, and whether its digest matched.

    `short` is a sign alone, which also says that a job works on the task.
    """
    if task.working and short:
        return Text("~", "italic")
    if task.drift is None or task.working:
        return Text("" if short else f"{'–':>6}", "dim")
    change, same = format.drift(task.drift), task.drift == 0
    sign = "=" if same else "!"
    if task.checked is False:
        return Text("✗" if short else f"{'digest':>6} ✗", "bold red")
    if not short and task.checked:
        sign += "✓"
    return Text(sign if short else f"{change:>6} {sign}", "green" if same else "bold red")
