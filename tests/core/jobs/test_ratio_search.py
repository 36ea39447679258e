"""The search for the largest ratio within an allowed error."""

import pytest
from msgspec.structs import replace

from packnet_core.errors import RequestError, WorkError
from packnet_core.jobs import job
from packnet_core.jobs.ratio_search import best, next_ratio
from packnet_core.jobs.session import Session
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Prune, Train
from packnet_core.schema.events import Epoch, Evaluated, Note, TrainStep
from tests.worlds import add, copied, images, same, stop_after, used, work


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([], 0.8),
        ([(0.8, 10.0)], None),  # the largest fits
        ([(0.8, 20.0)], 0.4),
        ([(0.8, 20.0), (0.4, 10.0)], 0.6),
        ([(0.8, 20.0), (0.4, 20.0)], 0.2),
        ([(0.8, 20.0), (0.4, 10.0), (0.6, 20.0)], None),  # as many as were allowed
        ([(0.8, 20.0), (0.7999, 10.0)], None),  # nothing between
    ],
)
def test_bisection(trials, expected):
    assert next_ratio(0.8, trials, allowed=15.0, most=3) == expected


def test_the_best_is_the_largest_that_fits():
    assert best([(0.8, 20.0), (0.4, 10.0), (0.6, 15.0)], 15.0) == (0.6, 15.0)
    assert best([(0.8, 20.0)], 15.0) is None


SEARCH = Prune(ratio=0.99, max_drop=5.0, trials=4, recipe={"retrain_epochs": 1})


def test_the_largest_ratio_within_the_points_is_taken(path, others):
    work(path, add("two", others, prune=None))
    entries = work(path, SEARCH)
    notes = [e.event.text for e in entries if isinstance(e.event, Note)]
    tried = [text for text in notes if text.startswith("pruned at")]
    taken = float(next(text for text in notes if "is taken" in text).split()[0])
    task = read_header(path).document.tasks[-1]
    assert task.prune_ratio == taken
    assert 2 <= len(tried) <= 4
    fitting = [float(text.split()[2].rstrip(":")) for text in tried if text.endswith(": fits")]
    assert taken == max(fitting)
    assert sum(isinstance(e.event, Evaluated) for e in entries) == 1  # the test set is read once
    assert all(check.ok for check in verify(path))
    assert not Paths(path).best.exists()
    for old in read_header(path).document.layers:
        assert old.owned[1] > 0


def test_if_no_ratio_fits_the_file_stays(path, others):
    work(path, add("two", others, prune=None))
    before = path.read_bytes()
    hopeless = replace(SEARCH, max_drop=0.0, trials=1, recipe={"retrain_epochs": 0})
    with pytest.raises(WorkError, match="the file is as it was"):
        list(job.events(Session(path), hopeless))
    assert path.read_bytes() == before


@pytest.mark.parametrize(("kind", "count"), [(TrainStep, 2), (Epoch, 2), (Note, 2), (Note, 3), (Evaluated, 1)])
def test_a_stopped_search_resumes_and_finds_the_same_ratio(path, others, kind, count):
    work(path, add("two", others, prune=None))
    reference = copied(path)
    before = path.read_bytes()
    work(reference, SEARCH)
    stop_after(job.events(Session(path), SEARCH), kind, count)
    if kind is not Evaluated:
        assert path.read_bytes() == before
    work(path, Train())
    assert same(used(path, 2), used(reference, 2))
    assert read_header(path).document.tasks[-1].prune_ratio == read_header(reference).document.tasks[-1].prune_ratio


def test_without_validation_images_a_search_is_refused(path, tmp_path):
    few = images(tmp_path / "few.npz", train=3, size=16, channels=3)
    work(path, add("two", few, prune=None))
    with pytest.raises(RequestError, match="no validation images"):
        list(job.events(Session(path), SEARCH))
