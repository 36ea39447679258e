"""Whole lives of a file, at random: after each step it is compared with a simple model of what it must hold.

Jobs are done to the end, stopped at an event, or killed at one in a process of their own; interrupted ones are resumed,
given up, or left behind when another file takes the file's place. `pytest -m faults tests/faults` tries many more.
"""

import os
import shutil
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from packnet_core.jobs import run_job
from packnet_core.jobs.journal import decode
from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile import storage
from packnet_core.packfile.export import export
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Command, Discard, Drop, Evaluate, Preview, Prune, Train, Undo
from packnet_core.schema.events import JobFinished, PhaseStarted, Saved
from tests.faults.forked import Places, Warm
from tests.faults.model import Known, Model
from tests.worlds import QUICK, add, images, pack_file, work

RECIPE = QUICK.changed({"epochs": 2})
IMAGES = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
NAMES = st.sampled_from(["ant", "bee", "cat", "dog"])
RATIOS = st.sampled_from([0.0, 0.1, 0.5, 0.734, 0.95])
HOWS = st.sampled_from(["end", "end", "stop", "close", "kill", "kill"])
PLACES = ["saved 1", "saved 1", "saved 2", "phase-started 1", "phase-started 2", "pruned 1"]
EVENTS = st.integers(1, 25) | st.sampled_from(PLACES) | st.sampled_from(PLACES)
YES = st.sampled_from([True, True, True, False])


class Lives(RuleBasedStateMachine):
    """One file, from `new` on."""

    def __init__(self, warm: Warm, spare: Path, data: list[Path]):
        super().__init__()
        self.warm, self.spare, self.data = warm, spare, data
        self.folder = Path(tempfile.mkdtemp(prefix="lives-", dir=spare.parent))
        self.copies = 0
        self.originals: dict[Path, bytes] = {}  # files that were copied, and are left alone since
        self.exported: dict[str, bytes] = {}  # sealed tasks, by digest

    def teardown(self):
        for path, raw in self.originals.items():
            assert path.read_bytes() == raw
        shutil.rmtree(self.folder)

    @initialize(first=st.booleans())
    def new(self, first):
        self.path = pack_file(self.folder / "net.safetensors")
        document = read_header(self.path).document
        self.model = Model({layer.name: layer.weights for layer in document.layers})
        self.answers, self.digests = {}, {}
        if first:
            self.do(add("ant", self.data[0], recipe=RECIPE), "end", 0)

    # -- what is done -------------------------------------------------------------------------------------------

    @rule(
        name=NAMES,
        data=st.integers(0, 1),
        ratio=st.none() | RATIOS,
        own=st.sampled_from([(), (), ("norms",), ("biases",), ("norms", "biases")]),
        layers=st.sampled_from([(), (), (), ("conv",), ("fc",)]),
        yes=YES,
        how=HOWS,
        at=EVENTS,
    )
    def add(self, name, data, ratio, own, layers, yes, how, at):
        self.do(add(name, self.data[data], recipe=RECIPE, prune=ratio, own=own, layers=layers, yes=yes), how, at)

    @rule(ratio=RATIOS, steps=st.sampled_from([1, 1, 2]), yes=YES, how=HOWS, at=EVENTS)
    def prune(self, ratio, steps, yes, how, at):
        self.do(Prune(ratio=ratio, steps=steps, yes=yes), how, at)

    @rule(yes=YES, how=HOWS, at=EVENTS)
    def train(self, yes, how, at):
        self.do(Train(recipe={"epochs": 2}, yes=yes), how, at)

    @rule(how=HOWS, at=EVENTS)
    def resume(self, how, at):
        if self.model.left or not self.model.foreign:
            self.do(Train(), how, at)

    @rule(name=NAMES, newest=YES, yes=YES, how=HOWS, at=EVENTS)
    def drop(self, name, newest, yes, how, at):
        name = self.model.tasks[-1].name if newest and self.model.tasks else name
        self.do(Drop(task=name, yes=yes), how, at)

    @rule(how=HOWS, at=EVENTS)
    def undo(self, how, at):
        self.do(Undo(), how, at)

    @rule(how=HOWS, at=EVENTS)
    def discard(self, how, at):
        if self.model.left:
            self.do(Discard(), how, at)
            if unfinished(Paths(self.path), read_header(self.path).document).checkpoint is None:
                self.model.left = []

    @rule(command=st.sampled_from([Evaluate(), Preview(ratios=(0.3, 0.9))]), how=HOWS, at=EVENTS)
    def look(self, command, how, at):
        self.do(command, how, at)

    @rule()
    def swap(self):
        """Another file takes the file's place."""
        before = read_header(self.path).document
        shutil.copy(self.spare, self.folder / "swapped")
        (self.folder / "swapped").rename(self.path)
        document = read_header(self.path).document
        if document != before:  # else the checkpoint belongs to it
            self.model.left = []
        most = {layer.name: layer.owned[0] for layer in document.layers}
        self.model.tasks, self.model.foreign = [Known("ant", "retrained", most)], True
        self.model.dropped = None
        self.answers, self.digests = {}, {}

    @rule()
    def copy(self):
        """Work continues on a copy; the original stays as it is."""
        self.originals[self.path] = self.path.read_bytes()
        self.copies += 1
        self.path = Path(shutil.copy(self.path, self.folder / f"copy-{self.copies}.safetensors"))
        self.model.left, self.model.foreign, self.model.dropped = [], False, None

    @rule()
    def export(self):
        """Each task as a plain state dict; that of a sealed task stays the same, to the bit."""
        before = self.path.read_bytes()
        for task in read_header(self.path).document.tasks:
            out = self.folder / "out.safetensors"
            export(self.path, task.name, out)
            assert self.exported.setdefault(task.digest, out.read_bytes()) == out.read_bytes()
            out.unlink()
        assert self.path.read_bytes() == before

    def do(self, command: Command, how: str, at: int | str) -> None:
        """Do a command, to its end or to an event. The file is then in one of the states that the model expects."""
        before, document, tasks = self.path.read_bytes(), read_header(self.path).document, self.model.tasks
        task = document.open_task
        chance = bool(task and task.error and task.error.top1 >= task.chance)
        lost = unfinished(Paths(self.path), document).lost
        resumes = isinstance(command, Train) and command.resumes
        allowed = self.model.allows(command, chance) and not (resumes and lost)
        states = self.model.left if resumes and self.model.left else []
        if allowed and not states:
            states = self.model.after(command, self.zeros())
        entries = self.events(command, how, at)
        ended = bool(entries) and isinstance(entries[-1], JobFinished)
        if not allowed:
            assert how == "kill" or not ended or entries[-1].status == 2
            assert self.path.read_bytes() == before
            return
        if ended and entries[-1].outcome == "done":
            assert states == [] or self.fits(states[-1])
            if states:
                self.model.tasks, self.model.left, self.model.foreign = states[-1], [], False
        else:
            assert not ended or entries[-1].outcome == "stopped", entries[-1]
            self.cut_off(command, states, entries, before)
        if not states:
            assert self.path.read_bytes() == before
        elif self.path.read_bytes() != before:
            self.model.dropped = tasks if isinstance(command, Drop) else None

    def cut_off(self, command: Command, states: list, entries: list, before: bytes) -> None:
        """The file after a job that was stopped or killed: its states so far, and what is left of it."""
        saves = sum(isinstance(event, Saved) for event in entries)
        if self.path.read_bytes() != before and saves < len(states) and self.fits(states[saves]):
            saves += 1  # killed before the journal says so
        if saves:
            assert self.fits(states[saves - 1])
            self.model.tasks = states[saves - 1]
        else:
            assert self.path.read_bytes() == before
        left = unfinished(Paths(self.path), read_header(self.path).document)
        trained = [isinstance(event, PhaseStarted) and event.phase != "eval" for event in entries]
        saved = [isinstance(event, Saved) for event in entries]
        since = trained[len(saved) - saved[::-1].index(True) :] if any(saved) else trained
        if saves < len(states) and (any(since) or saves):
            assert left.checkpoint
        if saves == len(states) and states:
            assert left.checkpoint is None
            assert left.lost is None
        if left.checkpoint:
            if states is not self.model.left and left.checkpoint.command == command:  # else it is an older job's
                self.model.left = states
            self.model.left = self.model.left[saves:]
            assert self.model.left
        elif states:
            self.model.left = []

    def events(self, command: Command, how: str, at: int | str) -> list:
        """The events of a job that is cut off after one of them, or not; of a killed one, those in the journal."""
        journal = Paths(self.path).journal
        size = journal.stat().st_size if journal.exists() else 0
        if how == "kill":
            self.warm.do(self.path, command, "event", at)
            lines = journal.read_bytes()[size:].splitlines()
            return [entry.event for line in lines if (entry := decode(line))]
        stop, events, places = threading.Event(), [], Places()
        entries = run_job.run(self.path, command, stop)
        for entry in entries:
            events.append(entry.event)
            if at in places.of(entry.event):
                stop.set() if how == "stop" else entries.close() if how == "close" else None
        return events

    # -- what must hold -----------------------------------------------------------------------------------------

    def zeros(self) -> dict[str, int]:
        """How many of the open task's weights are exactly 0.0, by layer."""
        network, _ = storage.load(self.path)
        mine = {name: weight[network.owners[name] == network.open] for name, weight in network.weights.items()}
        return {name: int((weight == 0).sum()) for name, weight in mine.items()}

    def fits(self, tasks: list[Known]) -> bool:
        """Whether the file has these tasks, in these phases, and each owns the right number of weights."""
        document = read_header(self.path).document
        if [(t.name, t.phase) for t in document.tasks] != [(t.name, t.phase) for t in tasks]:
            return False
        for index, task in enumerate(tasks):
            owned = {layer.name: layer.owned[index] for layer in document.layers}
            if owned != task.most and (task.exact or any(owned[name] > most for name, most in task.most.items())):
                return False
            tasks[index] = replace(task, most=owned, exact=True)
        return True

    @invariant()
    def holds(self):
        document = read_header(self.path).document
        assert self.fits(self.model.tasks)
        assert all(finding.ok for finding in verify(self.path))
        network, _ = storage.load(self.path)
        assert network.counts() == {layer.name: list(layer.owned) for layer in document.layers}
        answers = {}
        for index, task in enumerate(document.tasks, 1):
            with torch.inference_mode():
                answers[task.name] = network.model_of(index)(IMAGES)
            if task.phase == "sealed" and task.name in self.answers:
                assert torch.equal(answers[task.name], self.answers[task.name])
                assert task.digest == self.digests[task.name]
        self.answers, self.digests = answers, {task.name: task.digest for task in document.tasks}
        journal = Paths(self.path).journal
        assert not journal.exists() or all(decode(line) for line in journal.read_bytes().splitlines())
        left = [path.name for path in self.folder.glob(".*")]
        assert not left


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    """Makes lives in a folder in memory where there is one: a disk would wait for every fsync."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    folder = Path(tempfile.mkdtemp(prefix="lives-", dir=memory))
    warm = Warm()
    data = [images(folder / f"{seed}.npz", train=24, test=12, seed=seed) for seed in range(2)]
    spare = pack_file(folder / "spare.safetensors")
    work(spare, add("ant", data[1], recipe=RECIPE))
    yield lambda: Lives(warm, spare, data)
    said = warm.close()
    shutil.rmtree(folder)
    assert "Traceback" not in said, said


def live(lives, count: int, steps: int) -> None:
    chosen = settings(
        max_examples=count,
        stateful_step_count=steps,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
    )
    run_state_machine_as_test(lives, settings=chosen)


def test_some_lives(lives):
    live(lives, 6, 12)


@pytest.mark.faults
@pytest.mark.timeout(3 * 3600)
def test_many_long_lives(lives):
    live(lives, 150, 30)
