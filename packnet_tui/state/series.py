"""Loss and error of one task over its training, from the journal. Needs neither Textual nor torch.

The x of every point is the number of epochs since the task was added, over all its phases.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from packnet_core.schema.events import Epoch, PhaseStarted, Pruned, TrainStep

MOST_SAMPLES = 1024  # per line; more than any terminal has columns
MOST_POINTS = 2048  # of values that are measured once per epoch
SMOOTHED = 1 / 20  # share of a line's samples that a running mean covers


@dataclass(frozen=True)
class Sample:
    """A part of a line: from x on, its lowest and highest value."""

    x: float
    low: float
    high: float


Point = tuple[float, float]


class EpochSteps(NamedTuple):
    """From x on, after a number of steps, an epoch has `per_epoch` steps."""

    x: float
    steps: float
    per_epoch: float


@dataclass(frozen=True)
class Curve:
    """The lines of one task's chart. Errors in percent."""

    task: str
    loss: tuple[Sample, ...] = ()
    validation_loss: tuple[Point, ...] = ()
    validation_error: tuple[Point, ...] = ()
    pruned: tuple[Point, ...] = ()  # x and ratio of each pruning
    before: Point | None = None  # x from which it is drawn, and the error before pruning, to be regained
    end: float = 1.0  # x where the phases known so far end
    epoch_steps: tuple[EpochSteps, ...] = ()

    def step(self, x: float) -> int:
        """The number of training steps from 0 to x."""
        since = next((each for each in reversed(self.epoch_steps) if each.x <= x), None)
        return round(since.steps + (x - since.x) * since.per_epoch) if since else 0

    def thinner(self, most: int) -> "Curve":
        """The curve with at most `most` samples and points per line; the lowest and the highest stay."""
        if len(self.loss) <= most and len(self.validation_loss) <= most and len(self.validation_error) <= most:
            return self
        return replace(
            self,
            loss=tuple(replace(s, x=(s.x + 0.5) * self.end / most) for s in thinned(self.loss, self.end, most)),
            validation_loss=tuple(fewer(self.validation_loss, most)),
            validation_error=tuple(fewer(self.validation_error, most)),
        )


@dataclass
class CurveBuilder:
    """Builds a curve from a task's events, given in order."""

    task: str
    loss: list[Sample] = field(default_factory=list)
    validation_loss: list[Point] = field(default_factory=list)
    validation_error: list[Point] = field(default_factory=list)
    pruned: list[Point] = field(default_factory=list)
    before: Point | None = None
    end: float = 0.0
    epoch_steps: list[EpochSteps] = field(default_factory=list)
    _start: float = 0.0  # x where the current phase began
    _phase: str = ""
    _last: float = 0.0
    _grain: float = 0.0  # smallest distance of two samples
    _curve: Curve | None = None  # the curve returned last, if nothing changed since
    _saved: tuple[Curve, float] | None = None  # the curve, and where it ended, when the file was saved last

    def begin(self, event: PhaseStarted) -> None:
        """Begin a phase, or resume it if its first epoch is a later one."""
        self._curve = None
        ended = self._last >= self.end - 1e-9  # else the phase was stopped, perhaps in its first epoch
        if event.phase != self._phase or (event.epoch == 1 and ended):
            self._start, self._phase = self._last, event.phase
            self.before = None
        if event.before is not None:
            self.before = (self._start, event.before)
        self.end = self._start + max(event.epochs, 1)

    def step(self, event: TrainStep) -> None:
        x = self._start + (self.end - self._start) * event.step / max(event.steps, 1)
        self._back_to(x)
        if not self.epoch_steps or self.epoch_steps[-1].x != self._start:
            steps = float(self.curve().step(self._start))
            self.epoch_steps.append(EpochSteps(self._start, steps, event.steps / (self.end - self._start)))
            self._curve = None
        if self.loss and x - self.loss[-1].x < self._grain:
            last = self.loss.pop()
            self.loss.append(Sample(last.x, min(last.low, event.loss), max(last.high, event.loss)))
        else:
            self.loss.append(Sample(x, event.loss, event.loss))
        if len(self.loss) > MOST_SAMPLES:
            pairs = zip(self.loss[::2], self.loss[1::2], strict=False)
            rest = self.loss[-1:] if len(self.loss) % 2 else []
            self.loss = [Sample(a.x, min(a.low, b.low), max(a.high, b.high)) for a, b in pairs] + rest
            self._grain = 1.5 * (x - self.loss[0].x) / MOST_SAMPLES

    def epoch(self, event: Epoch) -> None:
        x = self._start + event.epoch
        self._back_to(x)
        if event.validation_loss is not None:
            self.validation_loss.append((x, event.validation_loss))
        if event.validation_error is not None:
            self.validation_error.append((x, event.validation_error))
        if len(self.validation_error) > MOST_POINTS:
            self.validation_loss = fewer(self.validation_loss, MOST_POINTS // 2)
            self.validation_error = fewer(self.validation_error, MOST_POINTS // 2)

    def prune(self, event: Pruned) -> None:
        self._curve = None
        self.pruned.append((self._last, event.ratio))
        if event.after is not None:
            self.validation_error.append((self._last, event.after))

    def save(self) -> None:
        """Record that the file has what was done so far."""
        self._saved = self.curve(), self._last

    def give_up(self) -> bool:
        """Go back to the last save: what was done since was given up. Returns whether anything is left."""
        if self._saved is None:
            return False
        saved, last = self._saved
        self.epoch_steps = list(saved.epoch_steps)
        self.loss, self.pruned, self.before = list(saved.loss), list(saved.pruned), saved.before
        self.validation_loss, self.validation_error = list(saved.validation_loss), list(saved.validation_error)
        self.end, self._last, self._start, self._phase, self._curve = saved.end, last, last, "", None
        return True

    def curve(self) -> Curve:
        """The curve so far; the same object until the next event."""
        if self._curve is None:
            self._curve = Curve(
                task=self.task,
                loss=tuple(self.loss),
                validation_loss=tuple(self.validation_loss),
                validation_error=tuple(self.validation_error),
                pruned=tuple(self.pruned),
                before=self.before,
                end=max(self.end, self._last, 1.0),
                epoch_steps=tuple(self.epoch_steps),
            )
        return self._curve

    def _back_to(self, x: float) -> None:
        """Remove values at x and later: a resumed job repeats the steps after its checkpoint."""
        self._curve = None
        if x < self._last - 1e-9:
            self.loss = [sample for sample in self.loss if sample.x < x]
            self.validation_loss = [point for point in self.validation_loss if point[0] < x]
            self.validation_error = [point for point in self.validation_error if point[0] < x]
        self._last = x


def thinned(samples: Iterable[Sample], end: float, columns: int) -> list[Sample]:
    """At most one sample per column, with the lowest and highest value there; its x is the column, from 0.

    NaN and infinity are left out.
    """
    kept: dict[int, Sample] = {}
    for sample in samples:
        if not (math.isfinite(sample.low) and math.isfinite(sample.high)):
            continue
        column = min(max(int(sample.x / end * columns), 0), columns - 1)
        if before := kept.get(column):
            kept[column] = Sample(column, min(before.low, sample.low), max(before.high, sample.high))
        else:
            kept[column] = Sample(column, sample.low, sample.high)
    return [kept[column] for column in sorted(kept)]


def fewer(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` points (but at least four): the lowest and the highest of every part, and the newest."""
    if len(points) <= most:
        return list(points)
    *rest, newest = points
    part = -(-len(rest) // ((most - 1) // 2))
    kept = []
    for start in range(0, len(rest), part):
        some = rest[start : start + part]
        kept += sorted({min(some, key=lambda point: point[1]), max(some, key=lambda point: point[1])})
    return [*kept, newest]


def smoothed(samples: Sequence[Sample]) -> list[Sample]:
    """A line's exponential running mean, which weighs newer values more."""
    weight = 2 / (max(5.0, SMOOTHED * len(samples)) + 1)
    mean: float | None = None
    line = []
    for sample in samples:
        middle = (sample.low + sample.high) / 2
        if math.isfinite(middle):
            mean = middle if mean is None else mean + weight * (middle - mean)
            line.append(Sample(sample.x, mean, mean))
    return line
