"""The screen with the runs of one task: command, outcome, duration and error of each; below, the selected run."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import asdict
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from packnet_core.jobs.history import Run, of_task
from packnet_core.schema.commands import Evaluate, summary
from packnet_core.schema.fields import shown
from packnet_core.schema.recipes import Recipe, fields
from packnet_tui.state import baseline_words, format
from packnet_tui.state.chart import Other
from packnet_tui.state.format import cut, cut_middle, duration, joined, pad, short_summary
from packnet_tui.state.picture import TaskRow
from packnet_tui.workbench.app_interface import AppInterface
from packnet_tui.workbench.screens.dialog_help import Helped
from packnet_tui.workbench.screens.recipe_fields import ESSENTIALS
from packnet_tui.workbench.widgets.curves_pane import CurveView, following
from packnet_tui.workbench.widgets.pane import Lines, Pane

STYLES = {"done": "green", "": "bold green", "stopped": "yellow", "failed": "bold red", "died": "bold red"}
RIGHT = 31  # cells of a row's columns on the right
WORDS = {  # for fields whose label is unclear in a line of facts
    "decay_epoch": "rate / 10 after", "retrain_epochs": "retraining", "retrain_lr": "its rate",
    "retrain_decay_epoch": "its rate / 10 after", "clip": "gradients clipped at", "schedule": "schedule",
    "seed": "seed", "channels_last": "channels last", "pick": "kept epoch",
}  # fmt: skip
PAPER = Recipe()


class RunsScreen(Helped, Screen[None]):
    """A list of runs; below it, the recipe and the curve of the selected run."""

    DEFAULT_CSS = """
    RunsScreen { background: $background; }
    RunsScreen CurveView { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,left,h", "dismiss", "back"),
        Binding("ctrl+c", "app.quit"),
        *(
            Binding(keys, f"move('{how}')", what)
            for keys, how, what in (
                ("j,down", "down", "down"), ("k,up", "up", "up"), ("g,home", "first", "to the newest"),
                ("G,shift+g,end", "last", "to the oldest"), ("ctrl+d,pagedown", "half_down", "half a page down"),
                ("ctrl+u,pageup", "half_up", "half a page up"),
            )
        ),
        Binding("m,space", "mark", "mark a run, to see its curve beside others"),
        Binding("c", "charts", "both charts, only the loss, only the error"),
        Binding("l", "switch('log_scale')", "log scale of the loss"),
        Binding("s", "switch('smooth')", "smooth the training loss"),
    ]  # fmt: skip
    ABOUT = (
        "The jobs that worked on this task, the newest first. `error` is on the test images, in percent; with ~ on the "
        "validation images, with ≈ on some test images. Below: the recipe and the curve of the selected run, and the "
        "curve of the one that is marked."
    )
    app: AppInterface

    def __init__(self, task: TaskRow):
        super().__init__()
        self._task_row = task

    def compose(self) -> ComposeResult:
        runs = RunList(self._task_row)
        yield runs
        yield RunDetails(runs)
        yield CurveView()

    def on_mount(self) -> None:
        self.set_focus(self.query_one(RunList))
        self.call_after_refresh(self.redraw)

    @on(Pane.Moved)
    def redraw(self) -> None:
        """Show the app's picture as it is now."""
        if not self.is_mounted:
            return
        runs = self.query_one(RunList)
        wanted = max(runs.count(), 3) + 3 + len(runs.foot(runs.content_size.width))
        runs.styles.height = min(wanted, max(6, self.size.height // 3))
        for lines in self.query(Lines):
            lines.redraw()
        curves, here, marked = self.app.picture.run_curves, runs.selected, runs.marked
        curve, other = (curves.get(run.job) if run else None for run in (here, marked))
        index, colour = self._task_row.index, self.app.marks.colour
        both = None
        if here and marked and here.job != marked.job and other:
            both = Other(other, colour(index + 1), (f"job {here.job}", f"job {marked.job}"))
        self.query_one(CurveView).show(curve, colour(index), both)

    def action_move(self, how: str) -> None:
        self.query_one(RunList).move(how)

    def action_mark(self) -> None:
        """Keep the curve of the selected run beside that of others, or no longer."""
        runs = self.query_one(RunList)
        if runs.selected and runs.selected.job not in self.app.picture.run_curves:
            self.app.notify("this run has no curve: it trained nothing", severity="warning")
        else:
            runs.mark()
            self.redraw()

    def action_charts(self) -> None:
        view = self.query_one(CurveView)
        view.charts = following(view.charts)
        self.redraw()

    def action_switch(self, what: str) -> None:
        view = self.query_one(CurveView)
        setattr(view, what, not getattr(view, what))
        self.redraw()


class RunList(Pane):
    """One row per run, the newest first; the cursor stays on its run when a new run begins."""

    title = "Runs"
    selectable = True

    def __init__(self, task: TaskRow):
        super().__init__()
        self._task_row = task
        self._rows: list[tuple[Run, bool]] = []
        self._marked: int | None = None  # a job's number

    @property
    def marked(self) -> Run | None:
        """The run whose curve is drawn beside that of the selected one."""
        return next((run for run, _ in self._rows if run.job == self._marked), None)

    def mark(self) -> None:
        """Mark the selected run instead of another one; unmark it if it is marked."""
        job = self.selected.job if self.selected else None
        self._marked = None if job == self._marked else job

    @property
    def selected(self) -> Run | None:
        return self._rows[min(self.cursor, len(self._rows) - 1)][0] if self._rows else None

    def caption(self) -> str:
        keys = "j k choose · m marks one to compare · l log · s smooth · c charts · esc goes back"
        if len(keys) + 24 > self.size.width:
            keys = "j k choose · m marks one · l log · s smooth · esc goes back"
        return f"{cut_middle(self._task_row.name, max(8, self.size.width - 16 - len(keys)))}   {keys}"

    def count(self) -> int:
        return len(self._rows)

    def head(self, width: int) -> list[Text]:
        chosen = self.selected
        self._rows = of_task(self.picture.runs, self._task_row.name)
        if chosen and self.cursor:
            self.cursor = next((i for i, (run, _) in enumerate(self._rows) if run.job == chosen.job), self.cursor)
        if not self._rows:
            return [Text("  no runs in the journal", "dim")]
        return [
            Text(f"  job  when          {pad('what', max(0, width - 19 - RIGHT))} outcome      took   error", "dim")
        ]

    def foot(self, width: int) -> list[Text]:
        """The task's error, and its errors by baselines."""
        task = next((task for task in self.picture.tasks if task.name == self._task_row.name), self._task_row)
        if not (words := baseline_words.comparisons_in_words(task)):
            return []
        own = f"{cut_middle(task.name, format.NAME)} {format.two_digits(task.added)}"
        return [Text(f"  {line}") for line in joined([own, *words], width - 2)]

    def row(self, index: int, width: int) -> Text:
        run, former = self._rows[index]
        chosen = index == self.cursor
        line = Text(">" if chosen else " ", "bold" if chosen else "")
        line.append("×" if run.job == self._marked else " ", f"bold {self.marks.colour(self._task_row.index + 1)}")
        what = short_summary(run.command)
        if note := run.then or (f"resumes {short_summary(run.resumes)}" if run.resumes else ""):
            what += f"  ({note})"
        if former:
            what += f"  (former task {self._task_row.name})"
        when = pad(format.moment(run.at, "%d %b %H:%M"), 12)
        what = pad(what, max(0, width - 19 - RIGHT))
        line.append(f"{run.job:>3}  {when}  {what} ", "dim" if former else "")
        line.append(f"{run.outcome or 'runs':8}", "dim" if former else STYLES.get(run.outcome, ""))
        line.append(f"{took(run):>9} {error(run, self._task_row.name):>7}", "dim" if former else "")
        return line


class RunDetails(Lines):
    """The selected run in words: command, message, data, recipe."""

    def __init__(self, runs: RunList):
        super().__init__()
        self._runs = runs

    def build(self, width: int, height: int) -> Sequence[Text]:
        run = self._runs.selected
        lines = run_in_words(run, width - 2) if run else []
        self.styles.height = max(1, len(lines))
        return [Text(" ").append_text(line) for line in lines]


def took(run: Run) -> str:
    """How long a run took, short enough for a column."""
    if run.seconds is None:
        return format.MISSING
    return f"{run.seconds:.1f} s" if run.seconds < 60 else format.clock(run.seconds)


def error(run: Run, task: str) -> str:
    """A task's error at the end of a run, in percent; with ~ if on validation images, with ≈ if on some test images."""
    measured = run.errors.get(task)
    if measured is None and run.validation is not None:
        return f"~{run.validation:.2f}"
    limited = measured is not None and isinstance(run.command, Evaluate) and run.command.limit is not None
    return "≈" * limited + format.two_digits(measured.top1 if measured else None)


def run_in_words(run: Run, width: int) -> list[Text]:
    """A run's command, message, data and recipe, in lines; all but the first have at most `width` cells."""
    device = f" on {run.device}" if run.device else ""
    lines = [Text.assemble((f"job {run.job}", "bold"), f": {summary(run.command)}{device}")]
    if run.seconds is not None:
        lines[0].append(f", {duration(run.seconds)}", "dim")
    if run.message and run.outcome != "done":
        message = f"{run.message.partition(';')[0]}; {run.then}" if run.then else run.message
        lines.append(Text(cut(message, width), STYLES.get(run.outcome, "")))
    if run.data:
        lines.append(Text(cut(f"data {run.data}", width)))
    facts = recipe_in_words(run.recipe) if run.recipe else []
    if run.ratio is not None:
        facts.insert(0, f"prune ratio {run.ratio:g}")
    return [*lines, *(Text(line, "dim") for line in joined(facts, width))]


def recipe_in_words(recipe: Recipe) -> list[str]:
    """The essential fields of a recipe, with the meaning of None, and the others that differ from the paper's."""
    unset = {
        "decay_epoch": _epochs(recipe.decays_after),
        "retrain_epochs": _epochs(recipe.retraining_epochs),
        "retrain_lr": f"{recipe.retraining_lr:g}",
    }
    facts = []
    for name, value in asdict(recipe).items():
        word = WORDS.get(name, fields()[name].label)
        if name not in ESSENTIALS and value == getattr(PAPER, name):
            continue
        if name == "decay_epoch" and recipe.schedule != "step":
            continue
        facts.append(word if value is True else f"{word} {unset.get(name, shown(value))}")
    return facts


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"
