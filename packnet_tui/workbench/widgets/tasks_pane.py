"""Pane 2: the tasks, with their errors when added and now, and the drift between the two, which must be 0.00."""

import textwrap
from collections.abc import Sequence

from rich.text import Text

from packnet_core.jobs import rules
from packnet_core.schema.commands import Add
from packnet_tui.state import format
from packnet_tui.state.baseline_words import ENDS, comparisons_in_words, wrapped
from packnet_tui.state.capacity import after_pruning, more_tasks, total
from packnet_tui.state.format import pad
from packnet_tui.state.marks import glyph
from packnet_tui.state.picture import Picture, TaskRow
from packnet_tui.workbench.actions import bindings
from packnet_tui.workbench.widgets.pane import Pane

FULL = 56  # width that all columns need
BESIDE = 29  # width that the columns of baselines need on top


class TasksPane(Pane):
    """One row per task; below them, the free weights and the room for more tasks."""

    number = 2
    title = "Tasks"
    selectable = True
    BINDINGS = bindings(pane=2)

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

    def copied(self) -> str:
        return self.selected.name if self.selected else ""

    def count(self) -> int:
        return len(self.picture.tasks)

    def head(self, width: int) -> list[Text]:
        if len(self.picture.tasks) != self._tasks:  # select a new task
            self._tasks = len(self.picture.tasks)
            self.cursor = self._tasks - 1
        if not self.picture.tasks:
            return [Text("  no task yet: a adds the first one", "dim")]
        if width < FULL:
            return [Text(f"   # {pad('name', self._name_width(width))}  owns   error", "dim")]
        line = Text(f"   # {pad('name', self._name_width(width))} prune   owns err@add err now   drift", "dim")
        if self._beside(width):
            line.pad_right(width - BESIDE - line.cell_len)
            line.append(" classifier individual closes")
        return [line]

    def row(self, index: int, width: int) -> Text:
        task, picture = self.picture.tasks[index], self.picture
        chosen = index == self.chosen
        line = Text("> " if chosen else "  ", "bold" if chosen else "")
        line.append("*" if task.open else " ")
        line.append(glyph(task.index), f"bold {self.marks.colour(task.index)}")
        line.append(" " + pad(task.name, self._name_width(width)))
        owns = format.percent(task.owned, picture.weights)
        bad = "bold yellow" if self._is_bad(task) else ""
        if width < FULL:
            line.append(f" {owns:>6} ")
            line.append(f"{self._now(task):>7} ", bad)
            line.append_text(_sign(task, short=True))
        else:
            ratio, added = format.two_digits(task.prune_ratio), format.two_digits(task.added)
            line.append(f"  {ratio:>4} {owns:>6} ")
            line.append(f"{'!' + added if bad else added:>7}", bad)
            line.append(f" {self._now(task):>7} ")
            line.append_text(_sign(task, short=False))
            if self._beside(width):
                line.pad_right(width - BESIDE - line.cell_len)
                for name in ("classifier", "individual"):
                    line.append(f" {format.two_digits(task.compared.get(name)):>10}")
                line.append(f" {format.whole_percent(task.closed):>6}")
        return line

    def foot(self, width: int) -> list[Text]:
        picture = self.picture
        share, free = format.percent(picture.free, picture.weights), format.long(picture.free)
        line, room = Text(f"   + {share} = {free} free", "bold"), room_for(picture, self.app.ratio)
        spare, below = self.content_size.height - self.count() - 2, []
        above = self.warning()
        if width >= FULL:
            line.append(f"   {room}", "not bold")
        elif room and spare > len(above):
            below = [Text(f"   {room}")]
        above += self.compared()
        return [*above[: max(0, spare - len(below))], line, *below]

    def warning(self) -> list[Text]:
        """That the open task is hardly better than chance, and what helps; empty while a job works on it."""
        saved, newest = self.picture.document.open_task, self.picture.open_task
        if not saved or not saved.error or not newest or not self._is_bad(newest) or newest.working:
            return []
        keys = {action.method: action.shown for action in self.app.actions}
        ways, width = rules.ways_out(self.picture.document), self.content_size.width
        if width < FULL:
            brief = (
                f"{keys[way]} {words.removeprefix('train it ').removeprefix('drop it')}" for way, words in ways.items()
            )
            text = f"! near chance: {', or '.join(brief)}"
        else:
            errors = f"{saved.error.top1:.2f} %, {self.picture.against_chance} ({saved.chance:.2f} %)"
            help = ", or ".join(f"{words} ({keys[way]})" for way, words in ways.items())
            text = f"! {format.cut(saved.name, 24)}: error {errors}: {help}".replace(" %", "\u00a0%")
        lines = textwrap.wrap(text, max(20, width - 4), subsequent_indent="  ")
        return [Text.assemble("   ", (line.replace("\u00a0", " "), "yellow")) for line in lines]

    def compared(self) -> list[Text]:
        """The selected task's error on some images, and by baselines without a column; empty if no task has any."""
        task, width = self.selected, self.content_size.width
        without = ENDS if self._beside(width) else ()
        if task is None or not any(_facts(row, without) for row in self.picture.tasks):
            return []
        lines = [Text(f"     {line}") for line in wrapped(_facts(task, without), width - 5)]
        if not lines:
            return [Text("")]  # so that nothing moves with the cursor
        first = Text.assemble("   ", (glyph(task.index), f"bold {self.marks.colour(task.index)}"), lines[0][4:])
        return [first, *lines[1:]]

    def _beside(self, width: int) -> bool:
        """Whether there are columns for Classifier Only and Individual Networks."""
        return width >= FULL + BESIDE and any(row.compared.keys() & set(ENDS) for row in self.picture.tasks)

    def _name_width(self, width: int) -> int:
        if self._beside(width):
            width -= BESIDE
        return max(4, width - (45 if width >= FULL else 22))

    def _is_bad(self, task: TaskRow) -> bool:
        """Whether a task is open and hardly better than chance, as it was saved last."""
        saved = self.picture.document.open_task
        return bool(self.picture.against_chance) and task.open and saved is not None and task.name == saved.name

    def _now(self, task: TaskRow) -> str:
        if task.validation is not None:
            return f"~{task.validation:.2f}"
        if self._is_bad(task) and self.content_size.width < FULL:  # the only column for its error
            return f"!{format.two_digits(task.added if task.now is None else task.now)}"
        return format.two_digits(task.now)


def _facts(task: TaskRow, without: Sequence[str]) -> list[str]:
    """What a task's row has no column for: its error on some test images, and by baselines but those in `without`."""
    parts = comparisons_in_words(task, without)
    if sample := task.sample:
        parts.insert(0, f"{format.top1(sample.error, sample.of)} on {format.images(sample.error.images)}")
    return parts


def room_for(picture: Picture, ratio: float) -> str:
    """How many more tasks fit that own as many weights as the newest one, in words.

    If that is not pruned yet: as many as it will own after pruning at `ratio`.
    """
    if not picture.tasks:
        return ""
    newest, then = picture.tasks[-1], ""
    free, like = picture.free, newest.owned
    if newest.phase == "trained":
        doing = picture.job.command if picture.job else None
        if isinstance(doing, Add) and doing.prune is not None:
            ratio = doing.prune
        after = total(after_pruning(picture.layers, ratio))
        free, like, then = after.free + after.freed, after.kept, f"at {ratio:g} "
    more = more_tasks(free, like)
    return "" if more is None else f"{then}room for {more} more like task {glyph(newest.index)}"


def _sign(task: TaskRow, short: bool) -> Text:
    """The last column: the running job's phase if it works on the task, else an open task's phase, else the drift."""
    if task.working:
        return Text("~" if short else f"{task.working:>9}", "italic")
    if task.open and not short:
        return Text(f"{task.phase:>9}", "dim")
    if task.drift is None:
        return Text("" if short else f"{'–':>6}", "dim")
    change, same = format.drift(task.drift), task.drift == 0
    sign = "=" if same else "!"
    if task.checked is False:
        return Text("✗" if short else f"{'digest':>6} ✗", "bold red")
    if not short and task.checked:
        sign += "✓"
    return Text(sign if short else f"{change:>6} {sign}", "green" if same else "bold red")
