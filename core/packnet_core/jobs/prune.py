"""How the open task is pruned: at once or in steps (§4, end), or at the largest ratio that costs no more than so much.

The file changes once, when all of it is done. What was stopped goes on where it was.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from packnet_core.data.loading import TaskData
from packnet_core.errors import RequestError, WorkError
from packnet_core.jobs import ratio_search, rules
from packnet_core.jobs.phases import Phases, changed_recipe
from packnet_core.jobs.ratio_search import Trial
from packnet_core.packfile import checkpoint, checkpoint_header
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema.commands import Add, Command, Prune, Train, summary
from packnet_core.schema.events import Event, Note, Pruned
from packnet_core.schema.recipes import Recipe
from packnet_core.training.run import validate


class Prunings(Phases):
    """Phases, with the prunings between them and a way to go on with what was stopped."""

    def _prune(self, command: Add | Prune, recipe: Recipe, task_data: TaskData) -> Iterator[Event]:
        """Prune and retrain, in as many steps or trials as the command says; the file changes once, at the end."""
        prune = _pruning(command)
        before = validate(self.network, task_data.validation)[1]
        start = replace(self._state(command, "retrain"), before=before)
        if prune.max_drop is None:
            yield from self._steps(prune, start, recipe, task_data, self._pruned(command, recipe, task_data))
        elif before is None:
            raise RequestError("there are no validation images to measure what pruning costs; give a ratio instead")
        else:
            yield from self._search(prune, start, recipe, task_data)

    def _pruned(self, command: Command, recipe: Recipe, task_data: TaskData) -> Iterator[Event]:
        return self._finish(command, "retrained" if recipe.retraining_epochs else "pruned", task_data)

    def _steps(
        self,
        prune: Prune,
        state: Checkpoint,
        recipe: Recipe,
        task_data: TaskData,
        then: Iterator[Event],
        first: Iterable[Event] = (),
    ) -> Iterator[Event]:
        """Prune to a ratio in equal shares of what is left (§4, end), with a retraining after each; `then` go on.

        All in all each layer is freed of exactly round(ratio * n) of the n weights that the file's state has.
        """
        task = self.document.tasks[-1]
        ratios = rules.layer_ratios(self._saved, prune)
        for step in range(state.step, prune.steps + 1):
            before = state.before if step == 1 else validate(self.network, task_data.validation)[1]
            freed = self.network.prune(self._of_what_is_left(ratios, step, prune.steps))
            after = validate(self.network, task_data.validation)[1]
            self._set_open(phase="pruned", prune_ratio=prune.ratio)
            occupancy = self._count()
            kept, ratio = self.document.owned[-1], rules.step_ratio(prune.ratio, step, prune.steps)
            pruned = Pruned(task=task.name, ratio=ratio, freed=freed, kept=kept, before=before, after=after)
            last = then if step == prune.steps else iter(())
            at, news = replace(state, step=step), (*first, pruned, occupancy)
            first = ()
            if recipe.retraining_epochs:
                yield from self._train_phase(state.command, "retrain", recipe, task_data, last, at, first=news)
            else:
                yield from (*news, *last)

    def _of_what_is_left(self, ratios: dict[str, float], step: int, steps: int) -> dict[str, float]:
        """For each layer, the ratio of its present weights that brings it to where it should be after a step."""
        index, counts = self.network.open - 1, self.network.counts()
        found = {}
        for layer in self._saved.layers:
            begun, now = layer.owned[index], counts[layer.name][index]
            gone = round(rules.step_ratio(ratios[layer.name], step, steps) * begun)
            found[layer.name] = max(0, gone - (begun - now)) / now if now else 0.0
        return found

    def _search(self, prune: Prune, state: Checkpoint, recipe: Recipe, task_data: TaskData) -> Iterator[Event]:
        """Find the largest ratio that costs at most so many points of validation error, by bisection, and prune at it.

        Every trial starts from the file as it is; the best so far is kept beside it.
        """
        assert state.before is not None
        assert prune.max_drop is not None
        allowed, trials = state.before + prune.max_drop, list(state.trials)
        while (ratio := ratio_search.next_ratio(prune.ratio, trials, allowed, prune.trials)) is not None:
            if self.document is not self._saved:
                self._load()
                self.network.to(self.device)
            note = Note(text=f"trial {len(trials) + 1} of {prune.trials} at most: pruning at {ratio:g}")
            at = replace(state, trials=tuple(trials))
            tried = self._tried(ratio, trials, prune, at, task_data)
            yield from self._steps(replace(prune, ratio=ratio), at, recipe, task_data, tried, [note])
        best = ratio_search.best(trials, allowed)
        if best is None:
            raise WorkError(
                f"no ratio that was tried costs {prune.max_drop:g} points or less; the file is as it was. Allow more "
                "points, more --trials, or more retraining"
            )
        kept = replace(checkpoint_header.read(self.paths.best), trials=tuple(trials))
        self.network, _ = checkpoint.load(self.paths.best, kept)
        self.network.to(self.device)
        self.document = kept.document
        checkpoint.write(self.paths.checkpoint, kept, self.network, {})  # the search need not be done again
        yield Note(text=f"{best[0]:g} is taken: {best[1]:.2f} % after retraining, {state.before:.2f} % before pruning")
        yield from self._pruned(state.command, recipe, task_data)

    def _tried(
        self, ratio: float, trials: list[Trial], prune: Prune, state: Checkpoint, task_data: TaskData
    ) -> Iterator[Event]:
        """The end of a trial: what it costs, kept where it is the best so far."""
        assert state.before is not None
        assert prune.max_drop is not None
        error = validate(self.network, task_data.validation)[1]
        assert error is not None
        done = [*trials, (ratio, error)]
        if ratio_search.best(done, state.before + prune.max_drop) == (ratio, error):
            checkpoint.write(self.paths.best, replace(state, document=self.document), self.network, {})
        cost = error - state.before
        fits = "fits" if cost <= prune.max_drop else "costs too much"
        yield Note(text=f"pruned at {ratio:g}: {error:.2f} % after retraining, {cost:+.2f} points: {fits}")
        trials[:] = done  # after the last chance to be stopped in it

    def _resume(self, interrupted: Checkpoint) -> Iterator[Event]:
        """Go on with an interrupted job, in the middle of its phase, to its end."""
        self.network, tensors = checkpoint.load(self.paths.checkpoint, interrupted)
        self.network.to(self.device)
        self.document = interrupted.document
        task, command, phase = self.document.tasks[-1], interrupted.command, interrupted.phase
        source, limit = (None, None) if isinstance(command, Add) else (command.data, command.limit)
        task_data = self._data_of(task, source, limit)
        recipe = task.recipe if isinstance(command, Add) else changed_recipe(task, command, phase)
        yield Note(text=f"going on with {summary(command)}")
        yield self._count()
        if phase == "train" or isinstance(command, Train):
            then = self._finish(command, "trained" if phase == "train" else "retrained", task_data)
            yield from self._train_phase(command, phase, recipe, task_data, then, interrupted, tensors)
            if isinstance(command, Add) and command.prune is not None:
                yield from self._prune(command, recipe, task_data)
            return
        prune, trials = _pruning(command), list(interrupted.trials)
        then = self._pruned(command, recipe, task_data)
        if prune.max_drop is not None:
            assert interrupted.before is not None
            allowed = interrupted.before + prune.max_drop
            ratio = ratio_search.next_ratio(prune.ratio, trials, allowed, prune.trials)
            if ratio is None:  # all trials were done, and the best of them taken
                yield from then
                return
            prune = replace(prune, ratio=ratio)
            then = self._tried(ratio, trials, prune, replace(interrupted, run={}), task_data)
        last = then if interrupted.step == prune.steps else iter(())
        yield from self._train_phase(command, phase, recipe, task_data, last, interrupted, tensors)
        state = replace(interrupted, step=interrupted.step + 1, run={}, trials=tuple(trials))
        if state.step <= prune.steps:
            yield from self._steps(prune, state, recipe, task_data, then)
        if prune.max_drop is not None:
            state = replace(state, step=1, trials=tuple(trials))
            yield from self._search(_pruning(command), state, recipe, task_data)


def _pruning(command: Add | Prune) -> Prune:
    """What a command prunes."""
    if isinstance(command, Prune):
        return command
    assert command.prune is not None
    return Prune(ratio=command.prune, steps=command.steps)
