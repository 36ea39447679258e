"""A soak: an engine with screens that works for an hour, watched for growth and for the smallest loss.

    python -m tests.faults.soak --minutes 60 --out soak.json     (and soak.svg; --draw soak.json draws it while it runs)

One engine does job after job on a small network, some stopped and resumed. Clients come and go, two at once; another
file takes the file's place, also in the middle of a job. A workbench on a terminal and a plain reader follow. After
each job every count and digest is recomputed, and no sealed digest may be another one.
"""

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

import psutil

from packnet_core.engine import client
from packnet_core.engine.protocol import address_decoder
from packnet_core.errors import RequestError
from packnet_core.jobs.journal import Reader
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Add, Command, Compare, Drop, Evaluate, Preview, Prune, Train
from packnet_core.schema.events import EngineLeft, JobFinished, TrainStep
from tests.faults.soak_curves import PLOTS, measured, report, write
from tests.tui.cli.terminal import Terminal
from tests.worlds import QUICK, add, images, pack_file, work

EVERY = 5.0  # seconds between two samples
PATIENCE = 120.0  # seconds that a job may take
MOST_TASKS = 5  # then tasks are dropped
KEYS = "12345gGjkz"  # for the workbench: they look, and start nothing
LONG = QUICK.changed({"epochs": 300})  # seconds
FOLLOW = """
import sys, time
from pathlib import Path
from packnet_tui.state.watch import Watch
watch = Watch(Path(sys.argv[1]))
while True:
    watch.look()
    time.sleep(0.1)
"""


class Soak:
    """The file, its engine and its screens; what was done, and what went wrong."""

    def __init__(self, folder: Path, minutes: float):
        self.minutes, self.random, self.counts = minutes, random.Random(0), Counter[str]()
        self.faults: list[str] = []
        self.samples: dict[str, list[float]] = {name: [] for name in ("minutes", *sum(PLOTS.values(), ()))}
        self.data = [images(folder / f"{seed}.npz", seed=seed) for seed in range(4)]
        self.path, self.spares = pack_file(folder / "net.safetensors"), []
        for number in (1, 2):
            spare = pack_file(folder / f"spare-{number}.safetensors", seed=number)
            for task in range(number):
                work(spare, add(f"s{task}", self.data[task]))
            self.spares.append(spare)
        self.paths, self.names, self.sealed = Paths(self.path), 0, {}
        self.reader, self.entries = Reader(self.paths.journal), []
        self.connect()
        self.terminal = Terminal(Path(sys.executable).with_name("packnet-tui"), "open", self.path, cwd=folder)
        threading.Thread(target=self._drain, daemon=True).start()
        self.watcher = subprocess.Popen([sys.executable, "-c", FOLLOW, self.path])
        self.begun, self.sampled = time.monotonic(), 0.0

    def connect(self) -> None:
        self.engine = client.start(self.path)
        self.process = psutil.Process(self.engine.status().pid)

    def _drain(self) -> None:
        while self.terminal._read():
            self.terminal.output = b""

    # -- work ---------------------------------------------------------------------------------------------------

    def run(self, out: Path) -> None:
        """Do random things until the time is over; write what was found now and then."""
        doings = [*[self.job] * 12, self.stop_and_resume, self.two_clients, self.reconnect, self.swap, self.swap_within]
        while time.monotonic() - self.begun < 60 * self.minutes and len(self.faults) < 20:
            doing: Callable[[], object] = self.random.choice(doings)
            self.counts[doing.__name__] += 1
            try:
                doing()
                self.terminal.type(self.random.choice(KEYS))
            except Exception as error:
                self.faults.append(f"{doing.__name__}: {type(error).__name__}: {error}")
                self.engine.close()
                self.connect()
            if len(self.samples["jobs"]) % 12 == 0:
                write(out, self.samples, counts=dict(self.counts), faults=self.faults)
        with self.engine:
            self.engine.leave()
        self.faults += ["a traceback in the engine's log"] * ("Traceback" in self.paths.log.read_text())
        for who, pid in (("workbench", self.terminal.pid), ("reader", self.watcher.pid)):
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                self.faults.append(f"the {who} ended")
        self.watcher.kill()
        self.terminal.type("q")
        write(out, self.samples, counts=dict(self.counts), faults=self.faults)

    def job(self) -> None:
        """One command to its end; a refused one changes nothing."""
        before = self.path.read_bytes()
        try:
            job = self.engine.submit(self.command())
        except RequestError:
            self.counts["refused"] += 1
            self.expect(self.path.read_bytes() == before, "a refused command changed the file")
            return
        self.ended(job, "done", "failed")

    def command(self) -> Command:
        """A command that the file's state may allow."""
        tasks = read_header(self.path).document.tasks
        yes, ratio = self.random.random() < 0.7, round(self.random.uniform(0.2, 0.9), 2)
        newest = tasks[-1].name if tasks else "none"
        full = len(tasks) >= MOST_TASKS
        make: list[Callable[[], Command]] = [
            *[lambda: self.addition(ratio, yes)] * (0 if full else 3),
            *[lambda: Drop(task=newest, yes=yes)] * (4 if full else 1),
            lambda: Prune(ratio=ratio, steps=self.random.choice([1, 2]), yes=yes),
            lambda: Train(recipe={"epochs": 2}, yes=yes),
            lambda: Train(),
            lambda: Evaluate(tasks=(newest,) if self.random.random() < 0.5 else ()),
            lambda: Preview(ratios=(0.3, ratio), images=20),
            lambda: Compare(baseline="classifier", recipe={"epochs": 1}),
        ]
        return self.random.choice(make)()

    def addition(self, ratio: float | None = None, yes: bool = True) -> Add:
        self.names += 1
        own = self.random.choice([(), ("norms",), ("biases", "norms")])
        if not read_header(self.path).document.tasks:
            own = ()
        recipe = QUICK.changed({"epochs": self.random.choice([1, 3])})
        prune = ratio if self.random.random() < 0.6 else None
        return add(f"t{self.names}", self.random.choice(self.data), prune=prune, own=own, yes=yes, recipe=recipe)

    def stop_and_resume(self) -> None:
        """Stop a job in the middle; sometimes cancel another that waits; resume it or leave it interrupted."""
        tasks = read_header(self.path).document.tasks
        open_task = tasks and tasks[-1].phase != "sealed"
        command = Train(recipe={"epochs": 300}, yes=True)
        if not open_task:
            self.names += 1
            command = add(f"long{self.names}", self.data[0], recipe=LONG, yes=True)
        job = self.engine.submit(command)
        waiting = self.engine.submit(Evaluate())
        self.until(lambda e: e.job == job and isinstance(e.event, TrainStep | JobFinished))
        self.engine.stop(waiting)
        self.ended(waiting, "cancelled")
        self.engine.stop(job)
        if self.ended(job, "stopped", "failed").outcome == "stopped" and self.random.random() < 0.5:
            job = self.engine.submit(Train())
            self.until(lambda e: e.job == job and isinstance(e.event, TrainStep | JobFinished))
            self.engine.stop(job)
            self.ended(job, "stopped")

    def two_clients(self) -> None:
        """Two clients submit jobs at the same moment."""
        jobs: list[int] = []

        def submit() -> None:
            engine = client.connect(self.path)
            assert engine is not None
            with engine:
                for _ in range(3):
                    try:
                        jobs.append(engine.submit(Evaluate()))
                    except RequestError:
                        self.counts["refused"] += 1

        both = [threading.Thread(target=submit) for _ in range(2)]
        deque(map(threading.Thread.start, both), 0)
        deque(map(threading.Thread.join, both), 0)
        for job in sorted(jobs):
            self.ended(job, "done", "failed")

    def reconnect(self) -> None:
        """Connections that end in the middle of a line, many at once; and this client's own, made anew."""
        address = address_decoder.decode(self.paths.address.read_bytes()).socket
        rude = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        for each in rude:
            each.connect(address)
            each.sendall(self.random.choice([b"", b'{"type":"hel', b"\xff\n", b'{"type":"status"}\n' * 50]))
        for each in rude:
            each.close()
        self.engine.close()
        before = self.process.pid
        self.connect()
        self.expect(self.process.pid == before, "another engine answered")

    def swap(self) -> None:
        """Another file takes the file's place between two jobs."""
        self.swapped()
        self.ended(self.engine.submit(Evaluate()), "done")

    def swap_within(self) -> None:
        """Another file takes the file's place while a job trains: the job fails, and leaves that file alone."""
        recipe = QUICK.changed({"epochs": 60, "lr": 1e-4})  # it never diverges
        try:
            job = self.engine.submit(add(f"w{self.counts['swap_within']}", self.data[1], recipe=recipe, yes=True))
        except RequestError:
            self.counts["refused"] += 1
            return
        self.until(lambda e: e.job == job and isinstance(e.event, TrainStep | JobFinished))
        there = self.swapped()
        end = self.ended(job, "failed")
        self.expect("changed by something else" in end.message, end.message)
        self.expect(self.path.read_bytes() == there, "the job wrote over another file")

    # -- what must hold ------------------------------------------------------------------------------------------

    def until(self, wanted: Callable) -> object:
        """Wait for an entry of the journal; take samples meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if time.monotonic() - self.sampled > EVERY:
                self.sample()
            while self.entries:
                entry = self.entries.pop(0)
                if isinstance(entry.event, EngineLeft):
                    raise AssertionError(f"the engine left: {entry.event.reason}")
                if wanted(entry):
                    return entry
            self.entries = self.reader.poll()
            if not self.entries:
                time.sleep(0.01)
        raise AssertionError(f"no such event within {PATIENCE:.0f} s")

    def ended(self, job: int, *outcomes: str) -> JobFinished:
        """Wait for a job's end, and check the file as it is then."""
        end = self.until(lambda e: e.job == job and isinstance(e.event, JobFinished)).event
        self.counts[f"job {end.outcome}"] += 1
        self.expect(end.outcome in outcomes and "defect" not in end.message, f"{end.outcome}: {end.message}")
        refused = end.status == 2 or "diverged" in end.message or "changed by something else" in end.message
        self.expect(end.outcome != "failed" or refused, end.message)
        findings = [finding for finding in verify(self.path) if not finding.ok]
        self.expect(not findings, f"verify: {findings}")
        tasks = read_header(self.path).document.tasks
        now = {task.name: task.digest for task in tasks}
        if end.outcome == "done" and end.message.startswith("drop "):
            self.sealed.pop(end.message.removeprefix("drop ").removesuffix(": done"), None)
        self.expect(self.sealed.items() <= now.items(), f"of {self.sealed}, some changed: {now}")
        self.sealed = {task.name: task.digest for task in tasks if task.phase == "sealed"}
        self.counts["verified"] += 1
        return end

    def swapped(self) -> bytes:
        """Put another file in the file's place. Returns its bytes."""
        new = self.path.with_name("new")
        shutil.copy(self.random.choice(self.spares), new)
        new.rename(self.path)
        self.sealed = {}
        return self.path.read_bytes()

    def expect(self, true: bool, otherwise: str) -> None:
        assert true, otherwise

    def sample(self) -> None:
        """One sample of everything."""
        self.sampled = time.monotonic()
        now = measured(self.paths, self.process, self.terminal.pid, self.watcher.pid)
        for name, value in {
            **now,
            "minutes": (self.sampled - self.begun) / 60,
            "jobs": self.counts["verified"],
        }.items():
            self.samples[name].append(round(value, 3))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path("soak.json"))
    parser.add_argument("--draw", type=Path, help="a soak's JSON, to draw and print alone")
    given = parser.parse_args()
    if given.draw:
        return report(given.draw)
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        os.environ["XDG_STATE_HOME"] = folder
        Soak(Path(folder), given.minutes).run(given.out.absolute())
    return report(given.out)


if __name__ == "__main__":
    sys.exit(main())
