"""The values of a curve at one column of its chart, in words. Needs neither Textual nor torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from packnet_tui.state.series import Curve, Point, Sample, smoothed


@dataclass(frozen=True)
class Readout:
    """The newest values in a column, or before it. `x` is in epochs; errors are in percent."""

    x: float
    step: int
    train: Sample | None
    validation: float | None
    error: float | None

    def words(self, width: int) -> str:
        """The values in at most `width` cells; with less room in fewer words, then without some values."""
        step = f", step {self.step:,}" if self.step else ""
        train = f"train {_spread(self.train)}" if self.train else ""
        loss = "" if self.validation is None else f"{self.validation:.3g}"
        error = "" if self.error is None else f"error {self.error:.2f}"
        where = f"epoch {self.x:.4g}"
        long = [train, f"validation {loss}" if loss else "", error]
        short = [train, f"val {loss}" if loss else "", error]
        variants = [f"{where}{step}: {_joined(values, ', ')}" for values in (long, short)]
        variants += [f"{where}{step.replace(',', '', 1)}: {_joined(short, ' ')}"] * bool(step)
        variants += [f"{where}: {_joined(short, ', ')}", f"{where} {_joined(short, ' ')}"]
        variants += [f"{where} {_joined([train, error], ' ')}", f"{where} {error or train}", where]
        return next((text for text in variants if cell_len(text) <= width), "")


def columns_of(curve: Curve, columns: int) -> tuple[int, int] | None:
    """The first and the last of a chart's columns that have values; None if none has."""
    places = [_column(x, curve, columns) for x in _xs(curve)]
    return (min(places), max(places)) if places else None


def column_at(x: float, curve: Curve, columns: int) -> int:
    """The column of x, kept among those that have values."""
    first, last = columns_of(curve, columns) or (0, 0)
    return min(max(_column(x, curve, columns), first), last)


def read_at(curve: Curve, column: int, columns: int, smooth: bool = False) -> Readout:
    """What a chart of `columns` columns shows in one of them, counted from 0."""
    train = [sample for sample in curve.loss if _column(sample.x, curve, columns) <= column]
    losses, errors = (
        [point for point in points if _column(point[0], curve, columns) <= column]
        for points in (curve.validation_loss, curve.validation_error)
    )
    x = max([sample.x for sample in train[-1:]] + [point[0] for points in (losses, errors) for point in points[-1:]])
    shown = smoothed(curve.loss)[: len(train)] if smooth else train
    return Readout(x, curve.step(x), shown[-1] if shown else None, _last(losses), _last(errors))


def _last(points: Sequence[Point]) -> float | None:
    return points[-1][1] if points else None


def _xs(curve: Curve) -> list[float]:
    return [*(s.x for s in curve.loss), *(x for x, _ in curve.validation_loss), *(x for x, _ in curve.validation_error)]


def _column(x: float, curve: Curve, columns: int) -> int:
    return min(max(int(x / curve.end * columns), 0), columns - 1)


def _spread(sample: Sample) -> str:
    """A sample's value, or the lowest and highest of its steps."""
    low, high = f"{sample.low:.3g}", f"{sample.high:.3g}"
    return low if low == high else f"{low}–{high}"


def _joined(values: Sequence[str], between: str) -> str:
    return between.join(filter(None, values))
