"""Real kills at random moments, each resumed to the end and compared, bit for bit, with an undisturbed run.

    python -m tests.faults.kills --count 500 --terms 100        (prints the counts; exit status 1 if one was lost)

Half of the kills come at random times (uniform, or uniform on a logarithmic scale), a quarter at random events of a
job, and a quarter at random calls of a function, which reaches the middle of a save. A command is killed up to three
times in a row.
"""

import argparse
import json
import math
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from packnet_core.jobs.unfinished import unfinished
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Command, Drop, Evaluate, Prune, Train, Undo
from tests.faults.forked import Ended, How, Warm
from tests.worlds import QUICK, add, images, pack_file

MOST = 3  # kills in a row
SHORT = QUICK.changed({"epochs": 2, "retrain_epochs": 2})


class Kills:
    """A life of a file, whose state after each command is kept; `disturb` does one command again with kills."""

    def __init__(self, folder: Path, warm: Warm, seed: int = 0):
        self.folder, self.warm, self.random, self.counts = folder, warm, random.Random(seed), Counter[str]()
        data = [images(folder / f"{number}.npz", train=40, test=20, seed=number) for number in range(2)]
        self.commands: list[Command] = [
            add("one", data[0], recipe=SHORT, steps=2),
            add("two", data[1], recipe=SHORT, own=("norms",), prune=None, yes=True),
            Prune(ratio=0.6, layers={"conv": 0.25}),
            Train(recipe={"retrain_epochs": 2}),
            Prune(ratio=0.9, max_drop=30.0, trials=3),
            Evaluate(),
            Drop(task="two", yes=True),
            Undo(),
            Drop(task="two", yes=True),
            add("three", data[1], recipe=SHORT, own=("biases",), yes=True),
        ]
        path = pack_file(folder / "life.safetensors")
        self.states, self.ends = [path.read_bytes()], []
        for command in self.commands:
            self.ends.append(warm.do(path, command, "call"))  # counted, and not killed
            assert self.ends[-1].status == 0
            self.states.append(path.read_bytes())

    def disturb(self, how: How | None = None) -> int:
        """Do a random command with one kill or more, then what is left. Returns how many kills came."""
        number, kills = self.random.randrange(len(self.commands)), 0
        path = self.folder / f"killed-{number}.safetensors"
        path.write_bytes(self.states[number])
        shutil.rmtree(Paths(path).folder, ignore_errors=True)
        todo: Command | None = self.commands[number]
        if isinstance(todo, Undo):  # as the drop before it left it
            Paths(path).make_folder()
            Paths(path).former("kept").write_bytes(self.states[number - 1])
        for _ in range(self.random.choice([1, 1, 2, MOST])):
            assert todo is not None
            kind = how or self.random.choice(["time", "time", "event", "call"])
            end = self.warm.do(path, todo, kind, self.moment(kind, self.ends[number]))
            kills += end.status < 0
            assert end.status <= 0, (todo, end)
            assert all(finding.ok for finding in verify(path))
            todo = self.left(path, number)
            if todo is None:
                break
        while todo:
            end = self.warm.do(path, todo)
            assert end.status == 0, (todo, end)
            todo = self.left(path, number)
        self.counts["equal" if same(path.read_bytes(), self.states[number + 1]) else "lost"] += 1
        self.counts["kills"] += kills
        return kills

    def moment(self, how: How, whole: Ended) -> float:
        """A random moment of a command: seconds, the number of an event, or of a call."""
        if how == "event":
            return self.random.randint(1, whole.events)
        if how == "call":
            return round(math.exp(self.random.uniform(0, math.log(whole.calls))))
        if self.random.random() < 0.5:
            return self.random.uniform(0, 1.1 * whole.seconds)
        return math.exp(self.random.uniform(math.log(0.001), math.log(1.1 * whole.seconds)))

    def left(self, path: Path, number: int) -> Command | None:
        """The command that the program tells the user to type next; None if this one is finished."""
        command = self.commands[number]
        left = unfinished(Paths(path), read_header(path).document)
        if left.checkpoint:
            self.counts["from a checkpoint"] += 1
            return Train()
        if same(path.read_bytes(), self.states[number + 1]) and not isinstance(command, Evaluate):
            return None
        if left.lost:
            self.counts["told to repeat it"] += 1
            return left.lost
        return None if isinstance(command, Evaluate) else command


def same(a: bytes, b: bytes) -> bool:
    """Whether two states of a file hold the same tensors and tasks, to the bit; times differ."""
    return _parts(a) == _parts(b)


def _parts(raw: bytes) -> tuple[object, bytes]:
    end = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:end])
    document = json.loads(header["__metadata__"].pop("packnet"))
    del document["history"]
    return (header, document), raw[end:]


def run(count: int, terms: int, seed: int = 0) -> Counter[str]:
    """At least `count` SIGKILLs and `terms` SIGTERMs. Returns what was counted."""
    warm = Warm()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk would wait for every fsync
    with tempfile.TemporaryDirectory(prefix="kills-", dir=memory) as folder:
        kills = Kills(Path(folder), warm, seed)
        while kills.counts["kills"] < count:
            kills.disturb()
        while kills.counts["terms"] < terms:
            before = kills.counts["kills"]
            kills.counts["terms"] += kills.disturb("term")
            kills.counts["kills"] = before
    said = warm.close()
    kills.counts["tracebacks"] = said.count("Traceback")
    if kills.counts["tracebacks"]:
        print(said, file=sys.stderr)
    return kills.counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--terms", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    counts = run(given.count, given.terms, given.seed)
    print(json.dumps(counts))
    return bool(counts["lost"] or counts["tracebacks"])


if __name__ == "__main__":
    sys.exit(main())
