"""How fast a phase advances, and how long the rest takes, from the times of its events. One for all who show it."""

from collections import deque
from statistics import median_low

from packnet_core.schema.limits import MOST

SPAN = 1.0  # seconds, at least, of a measured span: single batches vary too much
SPANS = 30  # that count; older ones say little about the speed now
PAUSE = 8.0  # times slower per image than usual: the machine slept, or its clock jumped


class Pace:
    """Measures a phase, from its start, in spans of time between events.

    Spans in which the clock was set back, and those that are far slower than the others, do not count: so neither a
    pause nor a jump of the clock leaves a wrong time behind.

        pace = Pace(at=100.0)
        pace.add(101.0, done=250)
        pace.seconds_left(750)    # 3.0: of 750 images that are still to do
    """

    def __init__(self, at: float, done: int = 0):
        self._at, self._done = at, done
        self._spans: deque[tuple[float, int]] = deque(maxlen=SPANS)  # seconds, and what was done in them

    def add(self, at: float, done: int) -> None:
        """Take in that at this time (seconds since 1970) this much is done, in images or in steps."""
        seconds, more = at - self._at, done - self._done
        if 0 <= seconds < SPAN and more >= 0:
            return
        if seconds > 0 and 0 < more <= MOST:
            self._spans.append((seconds, more))
        self._at, self._done = at, done

    def seconds_left(self, left: int) -> float | None:
        """How long `left` more images or steps take; None before the first second."""
        if not self._spans:
            return None
        usual = median_low(seconds / count for seconds, count in self._spans)
        counted = [(seconds, count) for seconds, count in self._spans if seconds / count <= PAUSE * usual]
        return min(left, MOST) * sum(seconds for seconds, _ in counted) / sum(count for _, count in counted)
