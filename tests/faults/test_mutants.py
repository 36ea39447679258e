"""A few mutants of each kind in the ordinary suite, and all that ever broke something; `-m faults` tries 50,000."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.faults.hostile_files import World
from tests.faults.mutants import KINDS, attempt, corpus, run

FEW = {"header": 40, "checkpoint": 20, "journal": 10, "address": 20, "trust": 20, "socket": 40, "call": 60, "words": 40}
MANY = 50_000


@pytest.fixture(scope="module")
def world():
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="corpus-", dir=memory) as folder, World(Path(folder)) as world:
        yield world


@pytest.mark.parametrize(("name", "raw"), corpus(), ids=[name for name, _ in corpus()])
def test_what_broke_something_breaks_nothing_now(world, name, raw):
    assert attempt(name.partition("-")[0], world, raw) is None


def test_some_mutants_of_each_kind(capsys):
    assert run(FEW, seed=0, keep=None) == {}, capsys.readouterr().out


@pytest.mark.faults
@pytest.mark.timeout(4 * 3600)
def test_many_mutants_of_each_kind(capsys):
    share = MANY / sum(kind.share for kind in KINDS.values())
    failed = run({name: round(share * kind.share) for name, kind in KINDS.items()}, seed=0, keep=None)
    assert failed == {}, capsys.readouterr().out
