"""All actions of the workbench in one list. Keys, footer, help and palette are made from it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding, BindingType

from packnet_core.errors import RequestError
from packnet_core.jobs import rules
from packnet_core.schema.commands import Add, Command, Compare, Discard, Drop, Evaluate, Prune, Train, Undo
from packnet_tui.state.format import short_summary
from packnet_tui.state.picture import Picture

Group = Literal["work", "look", "move", "program"]
GROUPS: dict[Group, str] = {"work": "Work", "look": "Look", "move": "Move", "program": "Program"}


@dataclass(frozen=True)
class Action:
    """An action. It calls the main screen's method `action_NAME`, with the argument in `name`, if any."""

    name: str
    keys: tuple[str, ...]  # Textual's names
    shown: str  # the keys as footer and help show them
    label: str  # one or two words for the footer; empty: not in the footer
    help: str
    group: Group
    works: bool = False  # needs the engine, so it is missing with --readonly
    pane: int = 0  # the pane that must have the focus for these keys; 0: any

    @property
    def id(self) -> str:
        """Its name in keys.toml and after `:`, such as `move-down` for `move('down')`."""
        return re.sub(r"[\W_]+", "-", self.name).strip("-")

    @property
    def method(self) -> str:
        return self.name.partition("(")[0]


HIGHLIGHT = "pane 4 alone: show one task, or what is free"
ACTIONS = (
    Action("add", ("a",), "a", "add", "add a task: train it on the free weights", "work", works=True),
    Action("prune", ("p",), "p", "prune", "prune the open task, then retrain it", "work", works=True),
    Action("train", ("t",), "t", "train", "train further, or resume a stopped job", "work", works=True),
    Action("evaluate", ("e",), "e", "eval", "evaluate the selected task", "work", works=True),
    Action("evaluate_all", ("E", "shift+e"), "E", "all", "evaluate all tasks: did any change?", "work", works=True),
    Action("evaluate_some", (), "", "", "evaluate the selected task on some test images", "work", works=True),
    Action("compare", ("b",), "b", "compare", "compare the task with another method", "work", works=True),
    Action("stop", ("x",), "x", "stop", "stop a job, or give up an interrupted one", "work", works=True),
    Action("drop", ("d",), "d", "drop", "remove the newest or unfinished task", "work", works=True),
    Action("undo", ("u",), "u", "", "undo a drop", "work", works=True),
    Action("forecast", ("F", "shift+f"), "F", "fits", "forecast: what fits, what to add first", "look"),
    Action("enter", ("enter",), "enter", "", "pane 1: the selected layer", "look", pane=1),
    Action("unzoom", ("escape",), "esc", "", "clear filter or cursor, show all panes", "look"),
    Action("filter", ("slash",), "/", "filter", "filter layers, tasks or the log", "look"),
    Action("match('next')", ("n",), "n", "", "to the next match of the filter", "look"),
    Action("match('previous')", ("N", "shift+n"), "N", "", "to the previous match", "look"),
    Action("zoom", ("z",), "z", "zoom", "show only this pane", "look"),
    Action("hold", ("space",), "space", "hold", "hold the display; the work continues", "look"),
    Action("copy", ("y",), "y", "", "copy the row, again: its whole pane", "look"),
    Action("copy_pane", (), "", "", "copy the rows of the pane as a table", "look"),
    Action("save_svg", ("Y", "shift+y"), "Y", "", "save the screen (pane 3: the curves) as SVG", "look"),
    Action("order", ("o",), "o", "", "pane 1: order by depth, size or free", "look", pane=1),
    Action("runs", ("enter",), "enter", "", "pane 2: past runs of the selected task", "look", pane=2),
    Action("log_scale", ("l",), "l", "", "pane 3: log scale of the loss", "look", pane=3),
    Action("smooth", ("s",), "s", "", "pane 3: smooth the training loss", "look", pane=3),
    Action("follow", ("f",), "f", "", "pane 3: follow the task in training", "look", pane=3),
    Action("charts", ("c",), "c", "", "pane 3: both charts, the loss, or the error", "look", pane=3),
    Action("read('left')", ("left",), "←", "", "pane 3: read the values to the left", "look", pane=3),
    Action("read('right')", ("right",), "→", "", "pane 3: read the values to the right", "look", pane=3),
    Action("read('far_left')", ("shift+left", "ctrl+left"), "S-←", "", "pane 3: ten columns back", "look", pane=3),
    Action("read('far_right')", ("shift+right", "ctrl+right"), "S-→", "", "pane 3: ten columns on", "look", pane=3),
    Action("files", ("B", "shift+b"), "B", "", "list the open files, and show one of them", "look"),
    Action("file('previous')", ("left_square_bracket",), "[", "", "the previous open file", "move"),
    Action("file('next')", ("right_square_bracket",), "]", "", "the next open file", "move"),
    Action("enlarge", ("enter",), "enter", "", "pane 4: where the layer's weights lie", "look", pane=4),
    Action("move('down')", ("j", "down"), "j ↓", "", "down", "move"),
    Action("move('up')", ("k", "up"), "k ↑", "", "up", "move"),
    Action("move('first')", ("g", "home"), "g", "", "to the first", "move"),
    Action("move('last')", ("G", "shift+g", "end"), "G", "", "to the last", "move"),
    Action("move('half_down')", ("ctrl+d", "pagedown"), "^d", "", "half a page down", "move"),
    Action("move('half_up')", ("ctrl+u", "pageup"), "^u", "", "half a page up", "move"),
    Action("pane('left')", ("h", "left"), "h ←", "", "to the pane on the left", "move"),
    Action("pane('right')", ("l", "right"), "l →", "", "to the pane on the right", "move"),
    Action("pane('1')", ("1",), "1", "", "pane 1: occupancy, who owns each layer", "move"),
    Action("pane('2')", ("2",), "2", "", "pane 2: tasks, their errors and their drift", "move"),
    Action("pane('3')", ("3",), "3", "", "pane 3: curves of the task in training", "move"),
    Action("pane('4')", ("4",), "4", "", "pane 4: the selected layer", "move"),
    Action("pane('5')", ("5",), "5", "", "pane 5: the job log", "move"),
    *(
        Action(f"highlight({n})", (str(n),), "1-9 0" if n == 1 else str(n), "", HIGHLIGHT, "move", pane=4)
        for n in (*range(1, 10), 0)
    ),
    Action("pane('next')", ("tab",), "tab", "", "next pane", "move"),
    Action("pane('previous')", ("shift+tab",), "S-tab", "", "previous pane", "move"),
    Action("command", ("colon",), ":", "command", "a command, as in the shell: prune 0.75", "program"),
    Action("help", ("question_mark", "f1"), "?", "help", "this help", "program"),
    Action("palette", ("ctrl+p",), "^p", "palette", "search all actions by name", "program"),
    Action("theme", (), "", "", "choose colours: dark, light, the terminal's own", "program"),
    Action("suspend", ("ctrl+z",), "^z", "", "suspend, as in any shell", "program"),
    Action("leave", ("q", "ctrl+c"), "q", "leave", "leave; the job continues", "program"),
)  # fmt: skip

COMMAND_OF: dict[str, type[Command]] = {  # the command that an action makes, by its method
    "add": Add, "prune": Prune, "train": Train, "evaluate": Evaluate, "evaluate_all": Evaluate,
    "evaluate_some": Evaluate, "compare": Compare, "drop": Drop, "undo": Undo,
}  # fmt: skip
HELPFUL: dict[rules.Remedy | None, str] = {
    "add": "a adds one", "prune": "p prunes it", "free": "p prunes the open task to free some",
    "resume": "t resumes it, x gives it up",
}  # fmt: skip

WATCHES = "this screen only watches (--readonly)"


def bindings(pane: int = 0) -> list[BindingType]:
    """The keys as Textual's bindings: those of the screen (0), or those that a pane adds."""
    where = "screen." if pane else ""
    mine = (action for action in ACTIONS if action.keys and action.pane == pane)
    return [Binding(",".join(a.keys), where + a.name, a.help, show=False, id=a.id) for a in mine]


def footer_actions(actions: Iterable[Action], readonly: bool) -> list[Action]:
    """The actions that the footer names, in order."""
    return [action for action in actions if action.label and not (readonly and action.works)]


def blocked(action: Action, picture: Picture, readonly: bool = False) -> str | None:
    """Why an action can't be done now, and which key helps; None if it can. `rules` decides whether it is allowed."""
    if readonly and action.works:
        return WATCHES
    if action.method == "stop" and not (picture.busy or picture.stopped):
        return "no job runs"
    kind = COMMAND_OF.get(action.method)
    if kind is Drop and picture.unfinished:  # it is what is meant
        kind = Discard
    return blocked_command(kind, picture, readonly) if kind else None


def blocked_command(kind: type[Command], picture: Picture, readonly: bool = False) -> str | None:
    """Why a command of this kind can't be given now, by its key or after `:`; None if it can."""
    if readonly:
        return WATCHES
    # other commands wait in the queue; the running one may allow them, so the engine checks later
    if picture.working and picture.doing:
        running = short_summary(picture.doing)
        if kind is Train:
            return f"{running} is not done yet"
        return f"wait until {running} is done, or stop it with x" if kind in (Prune, Drop, Undo, Discard) else None
    if kind is Train and picture.interrupted:
        return None
    try:
        rules.check_state(picture.document, kind)
    except rules.NotAllowed as error:
        return by_key(error)
    return "the former file is gone, so the drop can't be undone" if kind is Undo and not picture.undo else None


def by_key(error: RequestError) -> str:
    """Why a command is not allowed, and which key helps, if one does."""
    if not isinstance(error, rules.NotAllowed):
        return str(error)
    return f"{error.reason}; {HELPFUL[error.remedy]}" if error.remedy in HELPFUL else error.reason
