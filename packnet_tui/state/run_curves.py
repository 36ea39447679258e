"""One curve per job, for the screen of past runs. Needs neither Textual nor torch."""

from packnet_core.jobs.history import MOST_RUNS
from packnet_core.schema.events import Entry, Epoch, JobStarted, PhaseStarted, Pruned, TrainStep
from packnet_tui.state.series import Curve, CurveBuilder

KEPT = 128  # samples and points per line of an ended job


class RunCurves:
    """Takes journal entries in order; has a curve for every job that trained or pruned."""

    def __init__(self) -> None:
        self._ended: dict[int, Curve] = {}
        self._job = 0  # the newest one
        self._builder: CurveBuilder | None = None  # of that job, until it has ended

    def all(self) -> dict[int, Curve]:
        """Curves by job number."""
        return {**self._ended, self._job: self._builder.curve()} if self._builder else dict(self._ended)

    def end(self) -> None:
        """End the newest job: keep its curve with fewer samples."""
        if self._builder:
            self._ended[self._job] = self._builder.curve().thinner(KEPT)
            self._builder = None
        if len(self._ended) > MOST_RUNS:
            del self._ended[next(iter(self._ended))]

    def read(self, entry: Entry) -> None:
        match entry.event:
            case JobStarted():
                self.end()
                self._job = entry.job
            case PhaseStarted(phase="train" | "retrain", task=task) as event:
                self._of(task).begin(event)
            case TrainStep() as event if self._builder:
                self._builder.step(event)
            case Epoch() as event if self._builder:
                self._builder.epoch(event)
            case Pruned(task=task) as event:
                self._of(task).prune(event)

    def _of(self, task: str) -> CurveBuilder:
        self._builder = self._builder or CurveBuilder(task)
        return self._builder
