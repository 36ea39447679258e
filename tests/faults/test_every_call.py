"""Every call to the system fails once, and every one that changes the disk is the last of its process.

The ordinary suite takes a few calls of each operation. `pytest -m faults tests/faults/test_every_call.py` takes all of
them, and prints a table.
"""

import os
import time
from collections.abc import Iterator
from itertools import count, cycle, islice
from zlib import crc32

import pytest
import torch

from packnet_core.jobs import rotation
from packnet_core.jobs.session import Session
from packnet_tui.state.watch import Watch
from tests.faults import engines
from tests.faults.disks import LONG_JOURNAL, World
from tests.faults.inject import Boundary, Call, Dies, Fault, deaths, faults
from tests.faults.operations import OPERATIONS, fingerprint
from tests.faults.sweep import counted, failed, killed

FEW = 4  # failures, and half as many kills, of each operation in the ordinary suite
Case = tuple[Call, Fault]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Session.__init__, "__defaults__", (None, -1.0))  # a checkpoint at every step
        patched.setattr(rotation, "LARGEST", LONG_JOURNAL // 2)
        root = tmp_path_factory.mktemp("world")
        patched.setenv("XDG_STATE_HOME", str(root / "state"))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the process forks
        world = World(root)
        world.build()
        yield world
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def table(request) -> Iterator[list[str]]:
    """Rows that are printed at the end of the module."""
    rows: list[str] = []
    yield rows
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n| operation | calls | failures | kills | lost |\n| --- | --- | --- | --- | --- |")
        print("\n".join(rows))


def one_fault_each(calls: list[Call]) -> list[Case]:
    """Each call with one of the faults that may meet it; calls of one kind on one file take turns through them."""
    turns = {}
    for call in calls:
        turn = turns.setdefault(call[:3], cycle(faults(call)))
        if call.nth == 1:  # begin somewhere, but always at the same place
            next(islice(turn, crc32(repr(call[:3]).encode()) % len(faults(call)), None), None)
    return [(call, next(turns[call[:3]])) for call in calls if faults(call)]


def first_of_each(calls: list[Call]) -> list[Call]:
    """The first call of each kind on each file."""
    return [call for call in calls if call.nth == 1]


def spread(cases: list[Case], count: int) -> list[Case]:
    """Some of the cases, evenly spread."""
    return cases[:: -(-len(cases) // count)] if cases else []


def all_kills(calls: list[Call]) -> list[Case]:
    return [(call, death) for call in calls for death in deaths(call)]


def sweep(world: World, name: str, cases: list[Case]) -> int:
    """Drive an operation through these cases. Returns how many were met; fails with what went wrong."""
    operation, met, wrong = OPERATIONS[name], 0, []
    for call, fault in cases:
        came, problem = (killed if isinstance(fault, Dies) else failed)(world, operation, call, fault)
        met += came
        if problem:
            wrong.append(f"{call}, {fault}: {problem}")
    assert not wrong, "\n".join(wrong)
    return met


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_call_that_fails_or_kills_loses_nothing(world, name):
    calls = counted(world, OPERATIONS[name])
    first = first_of_each(calls)
    cases = spread(one_fault_each(first), FEW) + spread(all_kills(first), FEW // 2)
    descriptors = len(os.listdir("/proc/self/fd"))
    assert sweep(world, name, cases) == len(cases)
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1


@pytest.mark.faults
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", OPERATIONS)
def test_no_call_that_fails_or_kills_loses_anything(world, name, table):
    calls = counted(world, OPERATIONS[name])
    once = dict.fromkeys(one_fault_each(calls))
    once |= {(call, fault): None for call in first_of_each(calls) for fault in faults(call)}
    failures, kills = sweep(world, name, list(once)), sweep(world, name, all_kills(calls))
    table.append(f"| {name} | {len(calls)} | {failures:,} | {kills:,} | 0 |")


@pytest.mark.parametrize("name", ["add --prune", "eval"])
@pytest.mark.parametrize("jump", [-1e9, 1e9, 1e13])
def test_a_clock_that_jumps_while_a_job_runs_changes_no_result(world, name, jump, monkeypatch):
    operation, now, asked = OPERATIONS[name], time.time, count()
    operation.undisturbed(world)
    world.begin(operation.stage)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now() + (jump if next(asked) > 5 else 0))
        outcome = operation.do(world)
        assert not outcome.error
        Watch(world.path).look()
    assert operation.check(world, outcome) == ""


# -- the engine ---------------------------------------------------------------------------------------------------


def engine_sweep(world: World, cases: list[Case]) -> int:
    before, met, wrong = fingerprint(world.path), 0, []
    for call, fault in cases:
        world.begin("pruned")
        life, answer = engines.live(world, call, fault)
        met += life.met
        if problem := engines.check(world, life, answer, before):
            wrong.append(f"{call}, {fault}: {problem}")
    assert not wrong, "\n".join(wrong)
    return met


def engine_calls(world: World) -> list[Call]:
    world.begin("pruned")
    life, answer = engines.live(world)
    assert (life.status, life.error, life.printed, answer) == (0, "", "", "")
    return life.calls


def test_an_engine_that_meets_a_fault_ends_and_the_next_one_works(world):
    first = first_of_each(engine_calls(world))
    engine_sweep(world, spread(one_fault_each(first), FEW) + spread(all_kills(first), FEW // 2))


@pytest.mark.faults
@pytest.mark.timeout(7200)
def test_no_fault_of_an_engine_stops_the_next_one(world, table):
    calls = engine_calls(world)
    cases = {(call, fault): None for call in first_of_each(calls) for fault in faults(call)}
    failures, kills = engine_sweep(world, list(cases)), engine_sweep(world, all_kills(calls))
    table.append(f"| engine: start, a job, leave | {len(calls)} | {failures:,} | {kills:,} | 0 |")


def test_a_client_whose_socket_fails_says_so_and_the_engine_stays(world):
    """Each call of the client's socket and folder fails once."""
    world.begin("pruned")
    with engines.running(world) as used:
        with Boundary(*world.disks) as calm:
            assert used() == ""
        for call, fault in one_fault_each([call for call in calm.calls if call.kind in ("talk", "read", "open")]):
            with Boundary(*world.disks, at=call, fault=fault) as boundary:
                answer = used()
            assert boundary.met
            assert "\n" not in answer
            assert used() == "", (call, fault)
