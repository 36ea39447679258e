"""What fits, in words: the same sentence in pane 2, in the dialogs and on the command line. Needs no Textual."""

from collections.abc import Container
from textwrap import wrap

from rich.cells import cell_len

from packnet_core.planning.forecast import Forecast, Room, forecast
from packnet_core.schema.commands import Add, Prune
from packnet_core.schema.document import MOST_TASKS
from packnet_tui.state.format import NAME, cut_middle, percent, share
from packnet_tui.state.picture import Picture

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
SHOWN = 5  # shares in a sentence; of more, the first three and the last


def what_fits(picture: Picture, ratio: float, only: Container[str] | None = None) -> Forecast:
    """What fits at a ratio, with the counts of the running or interrupted job and the ratio that it prunes at."""
    return forecast(picture.layers, picture.tasks, ratio, prunes=decided_ratio(picture), only=only)


def decided_ratio(picture: Picture) -> float | None:
    """The ratio at which the running or interrupted job prunes the open task later; None if it does not."""
    if not picture.tasks or picture.tasks[-1].phase != "trained":
        return None
    match picture.counted:
        case Add(prune=ratio) | Prune(ratio=ratio, max_drop=None):
            return ratio
        case _:
            return None


def again(picture: Picture, ratio: float) -> Forecast:
    """What fits at a ratio once the open task is pruned at it, also if it was pruned before."""
    return forecast(picture.layers, picture.tasks, ratio, prunes=ratio)


def sentence(found: Forecast, brief: bool = False) -> str:
    """What fits, as a sentence without a full stop; `brief` for a narrow place.

    at 0.5, three more tasks: 15.0, 7.5 and 3.7 % of the weights each
    no further task fits at 0.75: it would own 0.4 % of the weights, and the least is 1 %; at 0.5 one fits
    """
    at = f"{found.ratio:g}"
    if not found.tasks:
        return f"at {at}, no further task fits" if brief else f"no further task fits at {at}: {_why(found)}"
    count = f"at {at}, {number(found.tasks)} more task{'' if found.tasks == 1 else 's'}"
    return count if brief else f"{count}: {_shares(found.total)}"


def beside(start: str, found: Forecast, width: int, most: int) -> list[str]:
    """`start` and the sentence, in at most `most` lines of `width` cells: whole if it has room, else brief."""
    whole, brief = sentence(found), sentence(found, brief=True)
    count, _, rest = whole.partition(": ")
    for first, below in ((whole, ""), (f"{count}:", rest), ("", whole), (brief, ""), ("", brief)):
        lines = [f"{start}   {first}".rstrip(), *(f"   {line}" for line in wrap(below, max(1, width - 3)))]
        if len(lines) <= most and all(cell_len(line) <= width for line in lines):
            return lines
    return [start]


def fills_first(found: Forecast) -> str:
    """Which layer fills first, as a sentence without a full stop."""
    first = found.first_to_fill
    if not first and not found.layers[0].tasks:
        return "no layer has room for a further task"
    if not first:
        return f"all layers fill together: each has room for {_tasks(found.layers[0].tasks)}"
    name = cut_middle(first[0].name.removesuffix(".weight"), NAME)
    room = f"room for {_tasks(first[0].tasks)}" if first[0].tasks else "no room for a further task"
    if len(first) == 1:
        return f"{name} fills first: {room}, {percent(first[0].free, first[0].weights)} of it free"
    others = len(first) - 1
    return f"{name} and {number(others)} more layer{'' if others == 1 else 's'} fill first: {room}"


def number(count: int) -> str:
    """A number as a word up to twelve, then in digits."""
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def _tasks(count: int) -> str:
    return f"{number(count)} more task{'' if count == 1 else 's'}"


def _shares(total: Room) -> str:
    """The share of the weights that each task would own: `15.8, 3.9 and 1.0 % of the weights each`."""
    *most, last = (share(count, total.weights) for count in total.owns)
    if not most:
        return f"{last} % of the weights"
    if len(most) >= SHOWN:
        most = [*most[:3], "…"]
    return f"{', '.join(most)} and {last} % of the weights each"


def _why(found: Forecast) -> str:
    """Why no further task fits, and what to do."""
    if found.full:
        return f"the file has {MOST_TASKS} tasks, the most there can be; begin a new file"
    newest = cut_middle(found.newest, NAME)
    if not found.total.free:
        why = "no weight is free"
    elif not found.next:
        why = "it would own no weight"
    else:
        why = f"it would own {share(found.next, found.total.weights)} % of the weights, and the least is "
        why += f"{100 * found.least:.3g} %"
    match found.remedy:
        case "ratio":
            return f"{why}; at {found.other:g} one fits"
        case "prune":
            return f"{why}; prune {newest} again"
        case "drop":
            return f"{why}; drop {newest}"
        case _:
            return f"{why}; begin a new file"
