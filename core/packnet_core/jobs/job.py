"""One job on an open session: its check, its list of phases, and the loop that does them.

    add TASK --prune R    OpenTask, Training, EndPhase, MeasureBefore, PruneStep, Training, EndPhase
    prune R --steps 2     MeasureBefore, PruneStep 1, Training, PruneStep 2, Training, EndPhase
    prune --max-drop X    MeasureBefore, NextTrial (PruneStep, Training, EndTrial, NextTrial …), TakeBest, EndPhase
    train                 Training, EndPhase

A stopped job starts again at the phase that its checkpoint names.
"""

import errno
import os
from collections import deque
from collections.abc import Iterator
from contextlib import closing, suppress

from msgspec.structs import replace

from packnet_core.errors import (
    DiskError,
    Diverged,
    FileError,
    NotSaved,
    ReadError,
    RequestError,
    Stopped,
    what_was_refused,
)
from packnet_core.files.atomic import check_room, confirm
from packnet_core.jobs import read_only, rules
from packnet_core.jobs.drop import drop_newest, undo_drop
from packnet_core.jobs.phases import EndPhase, Job, OpenTask, Phase, Training, changed_recipe
from packnet_core.jobs.prune import MeasureBefore, PruneStep, steps, what_is_pruned
from packnet_core.jobs.ratio_search import NextTrial, ratio_to_try, trial
from packnet_core.jobs.session import Session
from packnet_core.jobs.unfinished import left_of, unfinished
from packnet_core.packfile import checkpoint
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema.commands import (
    Add,
    Command,
    Discard,
    Drop,
    Immediate,
    Prune,
    ReadOnly,
    Train,
    Undo,
    as_typed,
    validated,
)
from packnet_core.schema.document import Task
from packnet_core.schema.events import Event, GivenUp, Resumed
from packnet_core.schema.recipes import Recipe

CHECKPOINT_COPIES = 3  # of the weights in a checkpoint, at most about: the network, its owners, what the optimizer has


def events(session: Session, command: Command, number: int = 0) -> Iterator[Event]:
    """Do a command on a session. Yields what happens. `number` is the job's in the journal, if it is there.

    Closing the generator stops the work after the step under way and leaves a checkpoint, which `Train` resumes.
    Raises RequestError if the command is not allowed, Diverged if training failed. The file is complete in any case.
    """
    command = validated(command)
    session.refresh()
    before = unfinished(session.paths, session.document, but=number)
    rules.check(session.document, command, before)
    interrupted = before.checkpoint
    if isinstance(command, Train) and command.resumes and session.paths.checkpoint.exists():
        _check_whole(session, interrupted)
    if not isinstance(command, Immediate):
        session.use_device(command.device)
    if isinstance(command, ReadOnly):
        yield from read_only.events(session, command)
        return
    match command:
        case Train(resumes=True) if interrupted:
            yield from session.check_digests()
            job = _resumed(session, interrupted, command)
            yield Resumed(task=interrupted.task, command=interrupted.command)
            yield session.count()
        case Discard():
            yield from _given_up(session, interrupted)
            return
        case Drop():
            yield from session.check_digests()
            yield from drop_newest(session, command)
            if interrupted:  # it worked on that task, and the save removed its checkpoint
                yield GivenUp(task=interrupted.task, command=interrupted.command)
            return
        case Undo():
            yield from session.check_digests()
            yield from undo_drop(session, command)
            return
        case _:
            yield from _given_up(session, interrupted)
            yield from session.check_digests()
            job = _begun(session, command)
    yield from _work_off(job)


def _given_up(session: Session, interrupted: Checkpoint | None) -> Iterator[Event]:
    """Remove the checkpoint of an interrupted job, and what belongs to it; also one that can't be read."""
    session.paths.give_up()
    if interrupted:
        confirm(session.paths.beside)
        yield GivenUp(task=interrupted.task, command=interrupted.command)


def _begun(session: Session, command: Add | Prune | Train) -> Job:
    """A new job with all its phases."""
    _check_room(session)
    if isinstance(command, Add):
        task, data, recipe = None, session.new_data(command), command.recipe
    else:
        task = rules.open_task(session.document, "pruned" if isinstance(command, Prune) else "trained")
        reading = session.reading(command.on_bad_image, early=True)
        data = session.data_of(task, command.data, command.limit, reading)
        recipe = changed_recipe(task, command)
    return Job(session, command, data, recipe, deque(phases(command, recipe, task)))


def _check_room(session: Session) -> None:
    """Raise RequestError if the disk has no room for what a job writes: a save, a best epoch and a checkpoint."""
    if not os.access(session.path.parent, os.W_OK):
        raise RequestError(f"{session.path.parent} can't be written to; copy the file, and work on the copy")
    longest = os.pathconf(session.path.parent, "PC_NAME_MAX") - len("..12345678")  # which a save adds before its rename
    if len(os.fsencode(session.path.name)) > longest:
        raise RequestError(f"a file of so long a name can't be saved again; rename it to at most {longest} bytes")
    need = 2 * session.path.stat().st_size + CHECKPOINT_COPIES * 4 * session.document.weights
    what = f"training {session.path.name}"
    try:
        check_room(session.path.parent, need, what)
    except DiskError:
        session.paths.forget_formers()  # an undo is worth less than the job
        try:
            check_room(session.path.parent, need, what)
        except DiskError as error:
            raise RequestError(f"{error}; make room first") from None


def _check_whole(session: Session, found: Checkpoint | None) -> None:
    """Raise FileError, saying what to do, where the checkpoint that is there is damaged."""
    try:
        checkpoint.check(session.paths.checkpoint)
    except FileError as error:
        if found is None:  # damaged where it names the state of the file that it belongs to
            raise FileError(f"{error}; remove it, and do the interrupted job again") from None
        repeated = as_typed(left_of(found.command, session.saved) or found.command, session.path)
        raise FileError(f"{error}; give the interrupted job up, and do it again: {repeated} --yes") from None


def _resumed(session: Session, interrupted: Checkpoint, asked: Train) -> Job:
    """An interrupted job with the phases that are left, and the state to start them with."""
    skips = "skip" in (asked.on_bad_image, interrupted.command.on_bad_image)
    interrupted = replace(interrupted, command=replace(interrupted.command, on_bad_image="skip" if skips else "stop"))
    command, task = interrupted.command, interrupted.document.tasks[-1]
    tensors = session.restore(session.paths.checkpoint) if interrupted.step else {}
    reading = session.reading(command.on_bad_image, early=True)
    if isinstance(command, Add):
        data, recipe = session.data_of(task, None, reading=reading), task.recipe
    else:
        data, recipe = session.data_of(task, command.data, command.limit, reading), changed_recipe(task, command)
    job = Job(session, command, data, recipe, deque(phases_left(interrupted, recipe)))
    job.before, job.trials = interrupted.before, interrupted.trials
    job.position = interrupted.phase, interrupted.step
    job.interrupted = (interrupted.run, tensors) if interrupted.run else None
    return job


def _work_off(job: Job) -> Iterator[Event]:
    """Do phase after phase. A stopped job leaves a checkpoint; one that diverged leaves none."""
    try:
        while job.todo:
            with closing(job.todo.popleft().events(job)) as work:  # type: ignore[type-var]
                yield from work
    except (DiskError, NotSaved, ReadError) as error:
        raise DiskError(f"{error}. {_kept(job)}") from None
    except (GeneratorExit, Stopped, RequestError):  # a RequestError: data that turned out to be unusable
        try:
            job.keep(elsewhere=True)
        except DiskError as error:
            job.session.lost = str(error)
        raise
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise
        raise DiskError(f"{what_was_refused(error)}. {_kept(job)}") from None
    except Diverged as error:
        with suppress(OSError):
            job.session.paths.give_up()
        raise Diverged(f"{error}. Nothing of this was kept: the file is as it was when it was last saved") from None


def _kept(job: Job) -> str:
    """Keep the result of a job that the disk refuses. Returns what to say of it."""
    try:
        path = job.keep(elsewhere=True)
    except DiskError as error:
        return f"What the job did could not be kept elsewhere either, and is lost: {error}"
    if path is None:
        return "Nothing is lost"
    return f"What the job did is kept in {path}; once that is mended, packnet train {job.session.path} resumes it"


# -- lists of phases ------------------------------------------------------------------------------------------------


def phases(command: Add | Prune | Train, recipe: Recipe, task: Task | None) -> list[Phase]:
    """All phases of a command; `task` is the open task, if there is one."""
    match command:
        case Add():
            return [OpenTask(), Training("train"), EndPhase("trained"), *_pruning(command, recipe)]
        case Prune():
            return _pruning(command, recipe)
        case Train():
            dense = task is not None and task.phase == "trained"
            return [Training("train"), EndPhase("trained")] if dense else [Training("retrain"), EndPhase("retrained")]


def phases_left(state: Checkpoint, recipe: Recipe) -> list[Phase]:
    """The phases of an interrupted job from the one that it stopped in."""
    if state.phase == "train" or isinstance(state.command, Train):
        every = phases(state.command, recipe, state.document.tasks[-1])
        return every[every.index(Training(state.phase)) :]
    every = _pruning(state.command, recipe)
    if state.step == 0:  # nothing was pruned since the file was saved, or since the last trial
        return every
    prune = what_is_pruned(state.command)
    assert prune is not None
    if prune.max_drop is not None:
        ratio = ratio_to_try(prune, state.before, state.trials)
        if ratio is None:  # all trials were done, and the best one was taken
            return every[-1:]
        prune, every = replace(prune, ratio=ratio), [*trial(prune, ratio, recipe), every[-1]]
    return every[every.index(PruneStep(prune, state.step)) + 1 :]


def _pruning(command: Add | Prune, recipe: Recipe) -> list[Phase]:
    prune = what_is_pruned(command)
    if prune is None:
        return []
    end = EndPhase("retrained" if recipe.retraining_epochs else "pruned")
    if prune.max_drop is None:
        return [MeasureBefore(), *steps(prune, recipe), end]
    return [MeasureBefore(search=True), NextTrial(prune), end]
