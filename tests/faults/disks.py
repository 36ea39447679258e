"""Two small disks for the fault tests, and the stages of a pack file's life that their operations begin with."""

import shutil
import time
from pathlib import Path
from typing import Any

import msgspec

from packnet_core.jobs import run_job
from packnet_core.packfile import create, trust
from packnet_core.packfile.paths import Paths
from packnet_core.schema.commands import Command, Drop, Prune
from packnet_core.schema.events import Entry, Epoch, TrainStep
from packnet_core.schema.recipes import Recipe
from tests.worlds import add, images

RECIPE = Recipe(lr=0.05, epochs=2, retrain_epochs=1, batch_size=64)
STEP = TrainStep(task="one", epoch=1, step=1, steps=9, loss=1, error=5, lr=0.1, images_per_second=9, seconds_left=9)
LONG_JOURNAL = 200_000  # bytes
CODE = "tests.networks:toy"


class World:
    """A folder with two disks, that of a pack file and that of the user's state folder, and data beside them."""

    def __init__(self, root: Path):
        self.root, self.disk, self.state = root, root / "disk", root / "state"
        self.path, self.data = self.disk / "net.safetensors", root / "data.npz"
        self._stages = root / "stages"
        for folder in (self.disk, self.state, self._stages):
            folder.mkdir(parents=True)
        images(self.data, train=60, test=24, classes=3)

    @property
    def disks(self) -> tuple[Path, Path]:
        return self.disk, self.state

    def keep(self, stage: str) -> None:
        for disk in self.disks:
            shutil.copytree(disk, self._stages / stage / disk.name)

    def begin(self, stage: str) -> None:
        """Put the disks back to a stage."""
        for disk in self.disks:
            shutil.rmtree(disk)
            shutil.copytree(self._stages / stage / disk.name, disk)

    def leftovers(self) -> list[str]:
        """Unfinished files, and sockets."""
        found = [p for disk in self.disks for p in disk.rglob("*") if p.is_socket() or p.match(".*.????????")]
        return [str(p.relative_to(self.root)) for p in found]

    def build(self) -> None:
        """Build the stages that operations begin with."""
        self.keep("empty")
        trust.allow(self.disk / "another.safetensors", CODE)
        self.keep("trusted")
        self.begin("empty")
        new_file(self, "digits_net")
        self._do(add("one", self.data, recipe=RECIPE), "one")
        self._do(add("two", self.data, recipe=RECIPE, prune=None, yes=True), "two")
        self._do(Prune(ratio=0.5), "pruned")
        self._do(Drop(task="two", yes=True), "dropped")
        self.begin("pruned")
        step = msgspec.json.encode(Entry(at=time.time(), job=1, event=STEP)) + b"\n"
        with open(Paths(self.path).journal, "ab") as journal:
            journal.write(step * (LONG_JOURNAL // len(step)))
        self.keep("long")
        self.begin("one")
        entries = run_job.run(self.path, add("two", self.data, recipe=RECIPE, yes=True))
        next(entry for entry in entries if isinstance(entry.event, Epoch))
        entries.close()
        self.keep("stopped")

    def _do(self, command: Command, stage: str) -> None:
        *_, end = run_job.run(self.path, command)
        assert end.event.outcome == "done", end.event.message
        self.keep(stage)


def new_file(world: World, arch: str) -> list[Any]:
    """Make the pack file. Returns the events."""
    size, channels = (8, 1) if arch == "digits_net" else (8, 3)
    return list(create.new(world.path, arch, input_size=size, channels=channels))
