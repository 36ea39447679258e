"""The errors measured right after pruning at several ratios (Figure 4), in words. Needs neither Textual nor torch."""

from collections.abc import Sequence
from itertools import pairwise

from packnet_core.schema.commands import Preview
from packnet_tui.state.chart import within
from packnet_tui.state.format import short_summary
from packnet_tui.state.picture import Picture
from packnet_tui.state.series import Point

ALLOWED = (1.0, 2.0, 5.0)  # points of error that a ratio may cost


def error_at(measured: Sequence[Point], ratio: float) -> tuple[float, bool] | None:
    """The error in percent at a ratio, and whether it was measured there; else it is interpolated.

    None outside of the measured ratios, which are in ascending order.
    """
    for (left, low), (right, high) in pairwise(measured):
        if left < ratio < right:
            return low + (high - low) * (ratio - left) / (right - left), False
    return next(((error, True) for at, error in measured if at == ratio), None)


def error_in_words(picture: Picture, ratio: float, asked: bool = False) -> str:
    """`error ≈ 18.3 at 0.75, unpruned 14.1`, in percent right after pruning; or why it is not known.

    Of a task that was pruned before, it is `now 14.1`.

    `asked` says whether the engine was asked to measure it.
    """
    measured = picture.previews
    if not measured:
        return _unknown(picture, asked)
    at_0 = "unpruned" if picture.open_task and picture.open_task.phase == "trained" else "now"
    unpruned = f", {at_0} {measured[0][1]:.1f}" if measured[0][0] == 0 else ""
    if found := error_at(measured, ratio):
        error, exact = found
        return f"error {'' if exact else '≈ '}{error:.1f} at {ratio:g}{unpruned}"
    if picture.previewing:
        return f"error at {ratio:g}: measuring …{unpruned}"
    (low, _), (high, last) = measured[0], measured[-1]
    if ratio > high:
        return f"error at {ratio:g} not measured; {last:.1f} at {high:g}{unpruned}"
    return f"error at {ratio:g} not measured; the smallest ratio measured is {low:g}"


def _unknown(picture: Picture, asked: bool) -> str:
    what, last = "the error right after pruning", picture.runs[-1] if picture.runs else None
    if picture.job and not isinstance(picture.job.command, Preview):
        return f"{what} is not measured while {short_summary(picture.job.command)} runs"
    if picture.previewing:
        return f"{what}: measuring …"
    if last and isinstance(last.command, Preview) and last.outcome in ("failed", "died"):
        return f"{what} is not measured: {last.message}"
    return (
        f"{what}: waiting for the engine …"
        if asked or picture.busy
        else f"{what} is not measured: this screen only watches"
    )


def costs_in_words(measured: Sequence[Point]) -> str:
    """The largest measured ratios that cost at most one, two and five points: `costs ≤ 1 point: 0.60  ≤ 2: …`."""
    largest = [(points, within(measured, points)) for points in ALLOWED]
    if largest[0][1] is None:
        return ""
    return "costs " + "   ".join(
        f"≤ {points:g}{' point' if points == 1 else ''}: {ratio:.2f}" for points, ratio in largest
    )


def sweep_columns(measured: Sequence[Point], ratio: float, width: int) -> tuple[list[tuple[str, str, bool]], str, str]:
    """The measured ratios and errors as columns: both texts, equally wide, and whether it is the ratio in hand.

    If not all fit `width` cells, those nearest to the ratio; the texts say where others are left out: "…" or "".
    """
    texts = [(f"{at:.2f}" if round(at, 2) == at else f"{at:.4g}", f"{error:.1f}") for at, error in measured]
    cell = 1 + max((len(text) for pair in texts for text in pair), default=0)
    fits = max(1, (width - 4) // cell if cell * len(texts) > width else len(texts))
    nearest = min(range(len(texts)), key=lambda i: abs(measured[i][0] - ratio), default=0)
    first = min(max(0, nearest - fits // 2), max(0, len(texts) - fits))
    last = min(len(texts), first + fits)
    columns = [(texts[i][0].rjust(cell), texts[i][1].rjust(cell), measured[i][0] == ratio) for i in range(first, last)]
    return columns, " …" if first else "", " …" if last < len(texts) else ""
