"""The course of one task's training, folded from the journal: what the curves show. Needs neither Textual nor torch.

The x of every point counts epochs since the task was added, over all its phases.
"""

from dataclasses import dataclass, field

from packnet_core.events import Epoch, PhaseStarted, Pruned, TrainStep

MOST_SAMPLES = 1024  # kept of a line; more than any terminal has columns


@dataclass(frozen=True)
class Sample:
    """A stretch of a line: from x on, between these two values."""

    x: float
    low: float
    high: float


Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """What is drawn of one task. Errors in percent."""

    task: str
    loss: tuple[Sample, ...] = ()
    validation_loss: tuple[Point, ...] = ()
    validation_error: tuple[Point, ...] = ()
    pruned: tuple[Point, ...] = ()  # where, and at which ratio
    before: Point | None = None  # from where on, and the error before pruning: the line to get back to
    end: float = 1.0  # where the phases known so far end


@dataclass
class Course:
    """A curve in the making: it takes the events of a task, in their order."""

    task: str
    loss: list[Sample] = field(default_factory=list)
    validation_loss: list[Point] = field(default_factory=list)
    validation_error: list[Point] = field(default_factory=list)
    pruned: list[Point] = field(default_factory=list)
    before: Point | None = None
    end: float = 0.0
    _start: float = 0.0  # x where the phase under way began
    _phase: str = ""
    _last: float = 0.0
    _grain: float = 0.0  # no two samples are closer than this

    def begin(self, event: PhaseStarted) -> None:
        """A phase begins, or, from a later epoch on, goes on where it was interrupted."""
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

    def prune(self, event: Pruned) -> None:
        self.pruned.append((self._last, event.ratio))
        if event.after is not None:
            self.validation_error.append((self._last, event.after))

    def curve(self) -> Curve:
        """As it stands now."""
        return Curve(
            task=self.task,
            loss=tuple(self.loss),
            validation_loss=tuple(self.validation_loss),
            validation_error=tuple(self.validation_error),
            pruned=tuple(self.pruned),
            before=self.before,
            end=max(self.end, self._last, 1.0),
        )

    def _back_to(self, x: float) -> None:
        """A resumed job repeats the steps after its checkpoint: what was drawn of them gives way."""
        if x < self._last - 1e-9:
            self.loss = [sample for sample in self.loss if sample.x < x]
            self.validation_loss = [point for point in self.validation_loss if point[0] < x]
            self.validation_error = [point for point in self.validation_error if point[0] < x]
        self._last = x
