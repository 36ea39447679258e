"""Pruning the open task: at once or in equal steps (§3; §4, end)."""

from collections.abc import Iterator
from dataclasses import dataclass

from packnet_core.errors import RequestError
from packnet_core.jobs.phases import Job, Phase, Training
from packnet_core.jobs.ratios import layer_ratios, step_ratio
from packnet_core.jobs.session import Session
from packnet_core.schema.commands import Add, Prune
from packnet_core.schema.events import Event, Pruned
from packnet_core.schema.recipes import Recipe
from packnet_core.training.evaluate import validate


@dataclass(frozen=True)
class MeasureBefore:
    """Measure the validation error before pruning; a `search` for a ratio can't do without it."""

    search: bool = False

    def events(self, job: Job) -> Iterator[Event]:
        """Put the error into the job. Raises RequestError if there are no validation images for a search."""
        job.before = validate(job.session.network, job.data.validation)[1]
        if self.search and job.before is None:
            raise RequestError("there are no validation images to measure what pruning costs; give a ratio instead")
        yield from ()


@dataclass(frozen=True)
class PruneStep:
    """Prune every layer by one of several equal steps (§4, end).

    After all steps, exactly round(ratio * n) of the n weights that the task owns in the file are free in each layer.
    """

    prune: Prune
    step: int

    def events(self, job: Job) -> Iterator[Event]:
        """Prune. Yields a Pruned and the new counts."""
        session, network, prune = job.session, job.session.network, self.prune
        before = job.before if self.step == 1 else validate(network, job.data.validation)[1]
        freed = network.prune(self._ratios(session))
        session.change_open_task(phase="pruned", prune_ratio=in_all(session.saved.tasks[-1].prune_ratio, prune.ratio))
        occupancy = session.count()
        job.at("retrain", self.step)  # before it is measured, which a stop may end
        after = validate(network, job.data.validation)[1]
        yield Pruned(
            task=session.document.tasks[-1].name,
            ratio=step_ratio(prune.ratio, self.step, prune.steps),
            freed=freed,
            kept=session.document.owned[-1],
            before=before,
            after=after,
        )
        yield occupancy

    def _ratios(self, session: Session) -> dict[str, float]:
        """For each layer, the share of its present weights to free in this step."""
        index, counts = session.network.open - 1, session.network.counts()
        wanted = layer_ratios(session.saved, self.prune)
        ratios = {}
        for layer in session.saved.layers:
            begun, now = layer.owned[index], counts[layer.name][index]
            gone = round(step_ratio(wanted[layer.name], self.step, self.prune.steps) * begun)
            ratios[layer.name] = max(0, gone - (begun - now)) / now if now else 0.0
        return ratios


def in_all(before: float | None, ratio: float) -> float:
    """The share of a task's weights that is free after a pruning at `ratio`, with the prunings `before` it."""
    return 1 - (1 - before) * (1 - ratio) if before else ratio


def what_is_pruned(command: Add | Prune) -> Prune | None:
    """The pruning that a command includes; None if it prunes nothing."""
    if isinstance(command, Prune):
        return command
    return None if command.prune is None else Prune(ratio=command.prune, steps=command.steps)


def steps(prune: Prune, recipe: Recipe) -> list[Phase]:
    """The phases of a pruning: its steps, each followed by a retraining if the recipe retrains."""
    found: list[Phase] = []
    for step in range(1, prune.steps + 1):
        found.append(PruneStep(prune, step))
        if recipe.retraining_epochs:
            found.append(Training("retrain", step))
    return found
