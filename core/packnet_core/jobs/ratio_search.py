"""Search by bisection for the largest pruning ratio that costs at most some points of validation error.

Each trial starts from the file as it is, prunes, retrains and measures. The best trial so far is saved beside the file.
Where the disk refuses that, the search continues, and the best trial is done again at its end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from packnet_core.errors import DiskError, WorkError
from packnet_core.jobs.phases import Job, Phase, Trial
from packnet_core.jobs.prune import in_all, steps
from packnet_core.jobs.session import Session
from packnet_core.packfile import checkpoint, checkpoint_header
from packnet_core.schema.commands import Prune
from packnet_core.schema.events import Event, Note
from packnet_core.schema.recipes import Recipe
from packnet_core.training.evaluate import validate

DIGITS = 3  # of a ratio


def next_ratio(largest: float, trials: Sequence[Trial], allowed: float, most: int) -> float | None:
    """The ratio to try next: first the `largest`, then the middle between those that fit and those that do not.

    A ratio fits if its validation error in percent is at most `allowed`. None if `most` trials are done, the largest
    ratio fits, or no ratio is left between.
    """
    if not trials:
        return largest
    fitting = max((ratio for ratio, error in trials if error <= allowed), default=0.0)
    costly = min((ratio for ratio, error in trials if error > allowed), default=None)
    if costly is None or len(trials) >= most:
        return None
    middle = round((fitting + costly) / 2, DIGITS)
    return middle if fitting < middle < costly else None


def best(trials: Sequence[Trial], allowed: float) -> Trial | None:
    """The trial with the largest ratio that fits; None if no trial fits."""
    return max((trial for trial in trials if trial[1] <= allowed), default=None)


@dataclass(frozen=True)
class NextTrial:
    """Choose the next ratio to try, by bisection, or end the search. Each trial starts from the file as it is."""

    prune: Prune

    def events(self, job: Job) -> Iterator[Event]:
        """Put the phases of the next trial, or of taking the best one, first in the job."""
        ratio = ratio_to_try(self.prune, job.before, job.trials)
        if ratio is None:
            job.todo.appendleft(TakeBest(self.prune))
            return
        if job.session.changed:
            job.session.load()
        yield Note(text=f"trial {len(job.trials) + 1} of {self.prune.trials} at most: pruning at {ratio:g}")
        job.todo.extendleft(reversed(trial(self.prune, ratio, job.recipe)))


@dataclass(frozen=True)
class EndTrial:
    """Measure what a trial costs, and save it beside the file if it is the best so far."""

    prune: Prune
    ratio: float

    def events(self, job: Job) -> Iterator[Event]:
        """Measure on the validation images. Yields a Note, and a warning where the disk refuses the trial."""
        session, allowed = job.session, _allowed(self.prune, job.before)
        error = validate(session.network, job.data.validation)[1]
        assert error is not None
        assert job.before is not None
        assert self.prune.max_drop is not None
        trials = (*job.trials, (self.ratio, error))
        if best(trials, allowed) == (self.ratio, error):
            try:
                checkpoint.write(session.paths.best, job.state(), session.network, {})
            except DiskError as refused:
                text = f"the best trial so far can't be kept, and may be done again: {refused}"
                yield Note(text=text, level="warning")
        cost = error - job.before
        fits = "fits" if cost <= self.prune.max_drop else "costs too much"
        yield Note(text=f"pruned at {self.ratio:g}: {error:.2f} % after retraining, {cost:+.2f} points: {fits}")
        job.trials, job.tried = trials, trials[-1]  # a stop before this resumes the trial
        job.at("retrain", 0)


@dataclass(frozen=True)
class TakeBest:
    """Restore the trial with the largest ratio that fits."""

    prune: Prune

    def events(self, job: Job) -> Iterator[Event]:
        """Restore it, or do it again if it was not kept. Yields a Note. Raises WorkError if no ratio fits."""
        assert self.prune.max_drop is not None
        session = job.session
        found = best(job.trials, _allowed(self.prune, job.before))
        if found is None:
            raise WorkError(
                f"no ratio that was tried costs {self.prune.max_drop:g} points or less; the file is as it was. Allow "
                "more points, more --trials, or more retraining"
            )
        if found != job.tried:
            if not _is_kept(session, found):
                yield Note(text=f"pruning at {found[0]:g} is done again, as it could not be kept")
                job.trials = tuple(each for each in job.trials if each != found)
                session.load()
                job.todo.extendleft(reversed(trial(self.prune, found[0], job.recipe)))
                return
            session.restore(session.paths.best)
        job.at("retrain", self.prune.steps)
        yield from job.try_to_keep()  # the search need not be done again
        yield Note(text=f"{found[0]:g} is taken: {found[1]:.2f} % after retraining, {job.before:.2f} % before pruning")


def _is_kept(session: Session, found: Trial) -> bool:
    """Whether the file of the best trial is of this one: the disk may have refused it."""
    kept = checkpoint_header.find(session.paths.best, session.saved, to_work=True)
    ratio = in_all(session.saved.tasks[-1].prune_ratio, found[0])
    return kept is not None and kept.document.tasks[-1].prune_ratio == ratio


def ratio_to_try(prune: Prune, before: float | None, trials: Sequence[Trial]) -> float | None:
    """The ratio to try next; None if the search is over."""
    return next_ratio(prune.ratio, trials, _allowed(prune, before), prune.trials)


def _allowed(prune: Prune, before: float | None) -> float:
    """The largest validation error that fits, in percent."""
    assert prune.max_drop is not None
    assert before is not None
    return before + prune.max_drop


def trial(prune: Prune, ratio: float, recipe: Recipe) -> list[Phase]:
    """The phases of one trial, and the next one."""
    return [*steps(replace(prune, ratio=ratio), recipe), EndTrial(prune, ratio), NextTrial(prune)]
