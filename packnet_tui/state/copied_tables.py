"""What the panes show, as tables to copy: a heading and rows, whole names, figures with all their digits."""

from collections.abc import Iterable, Sequence

from packnet_core.schema.document import Layer
from packnet_tui.state.format import moment
from packnet_tui.state.picture import LogLine, Picture, TaskRow
from packnet_tui.state.series import Curve

Row = tuple[object, ...]
Table = Sequence[Row]  # the first row is the heading


def tab_separated(rows: Iterable[Row]) -> str:
    """Rows as lines with tabs between their cells; None is an empty cell."""
    return "\n".join("\t".join(_cell(value) for value in row) for row in rows)


def layers(picture: Picture, shown: Iterable[int]) -> Table:
    """Some layers, by index: the weights that are free and that each task owns."""
    heading = ("layer", "shape", "weights", "free", *(f"owned by {task.name}" for task in picture.tasks))
    rows = (picture.layers[index] for index in shown)
    return [heading, *((each.name, _shape(each), each.weights, each.free, *each.owned) for each in rows)]


def tasks(picture: Picture, shown: Iterable[int]) -> Table:
    """Some tasks, by index. Errors are in percent on the test images, except `validation`."""
    baselines = sorted({name for task in picture.tasks for name in task.compared})
    heading = ("task", "name", "state", "pruning ratio", "owned", "share", "error when added", "error now", "drift",
               "validation error", "digest", *(f"error by {name}" for name in baselines))  # fmt: skip
    return [heading, *(_task(picture.tasks[index], picture.weights, baselines) for index in shown)]


def curve(line: Curve | None) -> Table:
    """The points of a curve. The loss of many steps has its lowest and highest value."""
    if line is None:
        return []
    points: list[Row] = [("training loss", each.x, each.low, each.high) for each in line.loss]
    points += [("validation loss", x, value, value) for x, value in line.validation_loss]
    points += [("validation error in percent", x, value, value) for x, value in line.validation_error]
    points += [("pruned at ratio", x, ratio, ratio) for x, ratio in line.pruned]
    return [("task", "what", "epoch", "lowest", "highest"), *((line.task, *point) for point in points)]


def owners(picture: Picture, layer: Layer | None) -> Table:
    """The owners of one layer, and its free weights."""
    if layer is None:
        return []
    counts = zip((task.name for task in picture.tasks), layer.owned, strict=False)  # a running job may have begun one
    rows: list[Row] = [(layer.name, name, count, count / layer.weights) for name, count in counts]
    return [("layer", "owner", "weights", "share"), *rows, (layer.name, "free", layer.free, layer.free / layer.weights)]


def log(lines: Iterable[LogLine]) -> Table:
    """Lines of the log, with their times in UTC."""
    found = [(moment(line.at, "%Y-%m-%dT%H:%M:%SZ", utc=True), line.level, line.text) for line in lines]
    return [("time", "level", "text"), *found]


def _task(task: TaskRow, weights: int, baselines: Sequence[str]) -> Row:
    digest = {None: None, True: "matches", False: "differs"}[task.checked]
    return (task.index, task.name, task.phase, task.prune_ratio, task.owned, task.owned / weights if weights else None,
            task.added, task.now, task.drift, task.validation, digest, *map(task.compared.get, baselines))  # fmt: skip


def _shape(layer: Layer) -> str:
    return "×".join(map(str, layer.shape))


def _cell(value: object) -> str:
    """A value with all its digits; what would begin another cell or line becomes a space."""
    return "" if value is None else " ".join(str(value).split()) if isinstance(value, str) else repr(value)
