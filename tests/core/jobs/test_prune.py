"""Pruning in steps (§4, end)."""

import pytest

from packnet_core.jobs import job
from packnet_core.jobs.ratios import step_ratio
from packnet_core.jobs.session import Session
from packnet_core.packfile.header import read_header
from packnet_core.schema.commands import Prune, Train
from packnet_core.schema.events import Epoch, PhaseStarted, Pruned
from tests.worlds import add, copied, same, stop_after, used, work


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_steps_free_exactly_what_one_step_would(path, others, steps):
    work(path, add("two", others, prune=None))
    before = read_header(path).document
    entries = work(path, Prune(ratio=0.7, layers={"hidden": 0.9}, steps=steps))
    pruned = [e.event for e in entries if isinstance(e.event, Pruned)]
    assert [event.ratio for event in pruned] == [pytest.approx(1 - 0.3 ** (k / steps)) for k in range(1, steps + 1)]
    assert [e.event.phase for e in entries if isinstance(e.event, PhaseStarted)] == ["retrain"] * steps
    after = read_header(path).document
    assert after.tasks[-1].prune_ratio == 0.7
    for old, new in zip(before.layers, after.layers, strict=True):
        assert new.owned[1] == old.owned[1] - round((0.9 if old.name == "hidden.weight" else 0.7) * old.owned[1])


def test_the_last_step_is_the_ratio_itself():
    assert step_ratio(0.75, 3, 3) == 0.75
    assert step_ratio(0.75, 1, 2) == pytest.approx(0.5)


@pytest.mark.parametrize("stop", [1, 3, 5], ids="after {} epochs".format)
def test_a_stopped_pruning_in_steps_resumes_at_its_step(path, others, stop):
    work(path, add("two", others, prune=None))
    reference = copied(path)
    before = path.read_bytes()
    command = Prune(ratio=0.8, steps=3, recipe={"retrain_epochs": 2})
    work(reference, command)
    stop_after(job.events(Session(path), command), Epoch, stop)
    assert path.read_bytes() == before
    work(path, Train())
    assert same(used(path, 2), used(reference, 2))


def test_add_prunes_in_steps_too(path, others):
    entries = work(path, add("two", others, steps=2))
    assert len([e for e in entries if isinstance(e.event, Pruned)]) == 2


def test_the_ratio_in_the_file_counts_all_prunings(path, others):
    work(path, add("two", others, prune=0.75))
    assert read_header(path).document.tasks[-1].prune_ratio == 0.75
    work(path, Prune(ratio=0.5))
    assert read_header(path).document.tasks[-1].prune_ratio == 0.875
