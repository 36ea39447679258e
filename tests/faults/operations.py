"""What the fault tests drive: each operation that writes or reads, on small files, and what must be true after it."""

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packnet_core.errors import FileError, PacknetError, RequestError
from packnet_core.files.safetensors_reader import SafetensorsFile
from packnet_core.jobs import run_job
from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile import storage, trust
from packnet_core.packfile.export import export
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.paper import runner
from packnet_core.paper.plan import Plan, PlanTask
from packnet_core.schema.commands import Command, Discard, Drop, Evaluate, Prune, Train, Undo
from packnet_core.schema.events import Entry, Epoch, Evaluated, JobFinished, Note, Saved, TrainStep
from packnet_tui.cli.output.inspect_report import print_inspection
from packnet_tui.state.watch import Watch
from tests.faults.disks import CODE, RECIPE, World, new_file
from tests.worlds import add

Fingerprint = tuple[Any, ...]


def fingerprint(path: Path) -> Fingerprint | None:
    """All of a pack file but the times of its history; None where there is no file."""
    if not path.exists():
        return None
    document = read_header(path).document
    return document.tasks, document.layers, SafetensorsFile(path).data_digest()


@dataclass
class Outcome:
    """What an operation said: its events, and its error, if it has one."""

    events: list[Any] = field(default_factory=list)
    error: str = ""

    @property
    def warnings(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Note) and e.level == "warning"]

    @property
    def trained(self) -> bool:
        """Whether a result was there that would be lost without the file or a checkpoint."""
        kinds = [type(event) for event in self.events if isinstance(event, Epoch | Evaluated | Saved)]
        return kinds[-2:] == [Epoch, Evaluated]


@dataclass
class Operation:
    """An operation: the stage it begins with, how it is done, and how a user does the rest of it after a failure."""

    name: str
    stage: str
    run: Callable[[World], Any]
    finish: Callable[[World], Outcome | None]
    fingerprint: Callable[[World], Any] = lambda world: fingerprint(world.path)
    states: list[Any] = field(default_factory=list)  # fingerprints that an undisturbed run passes through

    def do(self, world: World) -> Outcome:
        """Do it. Errors that a user would see as one line are in the outcome; all others are raised."""
        outcome = Outcome()
        try:
            found = self.run(world)
            for event in found if found is not None else ():
                event = event.event if isinstance(event, Entry) else event
                outcome.events.append(event)
                if isinstance(event, JobFinished) and event.outcome != "done":
                    outcome.error = event.message
        except PacknetError as error:
            outcome.error = str(error)
        return outcome

    def undisturbed(self, world: World) -> None:
        """Do it once, and keep the states that its file passes through."""
        world.begin(self.stage)
        self.states = [self.fingerprint(world)]
        for event in self.run(world) or ():
            event = event.event if isinstance(event, Entry) else event
            if isinstance(event, Saved):
                self.states.append(self.fingerprint(world))
            assert not isinstance(event, JobFinished) or event.outcome == "done", event.message
        self.states.append(self.fingerprint(world))
        assert not world.leftovers()
        assert not list(world.disk.glob("*/checkpoint.safetensors"))

    def check(self, world: World, outcome: Outcome | None) -> str:
        """What is wrong after a failure, and after the rest was done without one; empty where all is well."""
        now = self.fingerprint(world)
        if now not in self.states:
            return f"a state of the file that is neither the old nor the new one: {now}"
        if world.path.exists() and not all(found.ok for found in verify(world.path)):
            return "verify finds damage"
        if wrong := outcome and _words(self, world, outcome, now):
            return wrong
        rest = self.finish(world)
        if isinstance(rest, Outcome) and rest.error:
            return f"after {outcome and outcome.error!r} it can't be finished: {rest.error}"
        if outcome and "is kept in" in outcome.error and outcome.trained and _trains_first(rest):
            return f"what {outcome.error!r} names was not enough to resume from"
        if self.fingerprint(world) != self.states[-1]:
            return f"after {outcome and outcome.error!r} it ended in another state than the undisturbed one"
        return f"left behind: {left}" if (left := world.leftovers()) else ""


def _trains_first(rest: Outcome) -> bool:
    """Whether what is left had to train before it saved something."""
    return [type(event) for event in rest.events if isinstance(event, TrainStep | Saved)][:1] == [TrainStep]


def _words(operation: Operation, world: World, outcome: Outcome, now: Any) -> str:
    """What is wrong with what was said."""
    error = outcome.error
    if "\n" in error or "unexpected" in error or "defect" in error:
        return f"no clear line: {error}"
    if "as it was" in error and now != operation.states[0] and now != _last_saved(operation, outcome):
        return f"not as it was: {error}"
    if "and is lost" in error or (outcome.trained and now != operation.states[-1] and "is kept in" not in error):
        return f"a trained result is lost: {error}"
    for text in outcome.warnings:
        if "\n" in text:
            return f"a warning of several lines: {text}"
    return ""


def _last_saved(operation: Operation, outcome: Outcome) -> Any:
    saves = sum(isinstance(event, Saved) for event in outcome.events)
    return operation.states[saves]


def _once(run: Callable[[World], Any]) -> Operation:
    return Operation("", "", run, lambda _: None)


def job(name: str, stage: str, command: Callable[[World], Command]) -> Operation:
    """A command in this process, under the file's lock."""

    def run(world: World) -> Iterator[Entry]:
        with closing(run_job.run(world.path, command(world), threading.Event())) as entries:
            yield from entries

    def finish(world: World) -> Outcome:
        """Do what the file and its journal say is left, as a user who reads the advice."""
        document = read_header(world.path).document
        left, asked = unfinished(Paths(world.path), document), command(world)
        if left.checkpoint:
            asked = Train()
        elif left.lost:
            asked = left.lost
        elif fingerprint(world.path) == found.states[-1]:
            asked = Evaluate()  # the next job, whatever it is
        elif fingerprint(world.path) != found.states[0]:  # the task is added, and to be pruned
            asked = Prune(ratio=0.5)
        return _once(lambda _: run_job.run(world.path, asked)).do(world)

    found = Operation(name, stage, run, finish)
    return found


def again(name: str, stage: str, run: Callable[[World], Any], **rest: Any) -> Operation:
    """An operation that is simply repeated after a failure."""
    return Operation(name, stage, run, _once(run).do, **rest)


def _discard(world: World) -> Iterator[Entry]:
    yield from run_job.run(world.path, Discard())


def _finish_discard(world: World) -> Outcome | None:
    """The same again, which is refused if it is done."""
    left = unfinished(Paths(world.path), read_header(world.path).document)
    return _once(_discard).do(world) if any(left) else None


def _resumable(world: World) -> Any:
    """The file, and whether a job can be resumed: then all that it needs must be there."""
    paths = Paths(world.path)
    checkpoint = unfinished(paths, read_header(world.path).document).checkpoint
    return fingerprint(world.path), checkpoint and sorted(
        path.name for path in paths.folder.glob("epoch-*.safetensors")
    )


def _new(arch: str) -> Callable[[World], list[Any]]:
    return lambda world: new_file(world, arch)


def _finish_new(arch: str) -> Callable[[World], Outcome]:
    def finish(world: World) -> Outcome | None:
        if not world.path.exists():
            return _once(_new(arch)).do(world)
        trust.require(world.path, arch)
        with Paths(world.path).locked():  # the next process that works on it
            return None

    return finish


def _read(world: World) -> None:
    """All that reads a file and its journal: every digest, the network, the header's report, the screen's picture."""
    if not all(found.ok for found in verify(world.path)):
        raise FileError("damaged")
    storage.load(world.path)
    with contextlib.redirect_stdout(io.StringIO()):
        print_inspection(world.path)
    Watch(world.path).look()


def _export(world: World) -> None:
    export(world.path, "one", world.disk / "one.safetensors")


def _finish_export(world: World) -> Outcome | None:
    """What a user would do: the same again, which is refused if it is done."""
    if not (world.disk / "one.safetensors").exists():
        return _once(_export).do(world)
    with suppress(RequestError):
        _export(world)
    return None


def _exported(world: World) -> Any:
    out = world.disk / "one.safetensors"
    return fingerprint(world.path), SafetensorsFile(out).data_digest() if out.exists() else None


def _results(world: World) -> Iterator[Saved]:
    """What the runner of the paper's experiments writes and reads, without its training."""
    plan = Plan(arch="digits_net", first=PlanTask(name="one", data="one.npz"), tasks=())
    runner.prepare(plan, world.disk / "paper")
    yield Saved(bytes=0)
    if runner.read_results(world.disk / "paper"):
        return
    runner._write(world.disk / "paper" / "cells" / "one.json", {"error": 1.5})
    runner.read_results(world.disk / "paper")


def _found_results(world: World) -> Any:
    folder = world.disk / "paper"
    plan = folder / "plan.json"
    return plan.exists() and plan.read_bytes(), runner.read_results(folder)


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("new", "empty", _new("digits_net"), _finish_new("digits_net")),
        Operation("new, of a function", "trusted", _new(CODE), _finish_new(CODE)),
        job("add", "one", lambda world: add("two", world.data, recipe=RECIPE, prune=None, yes=True)),
        job("add --prune", "one", lambda world: add("two", world.data, recipe=RECIPE, yes=True)),
        job("prune", "two", lambda _: Prune(ratio=0.5)),
        job("prune --max-drop", "two", lambda _: Prune(ratio=0.9, max_drop=5.0, trials=3)),
        job("train, more", "pruned", lambda _: Train(recipe={"epochs": 2})),
        job("train, resumed", "stopped", lambda _: Train()),
        job("drop", "pruned", lambda _: Drop(task="two", yes=True)),
        job("undo", "dropped", lambda _: Undo()),
        Operation("discard", "stopped", _discard, _finish_discard, _resumable),
        job("eval", "pruned", lambda _: Evaluate()),
        job("eval, long journal", "long", lambda _: Evaluate()),
        again("read", "pruned", _read),
        Operation("export", "pruned", _export, _finish_export, _exported),
        again("paper results", "empty", _results, fingerprint=_found_results),
    )
}
