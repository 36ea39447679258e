"""The curve of a task, made of its events."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packnet_core.events import Epoch, Event, PhaseStarted, Pruned, TrainStep
from packnet_tui.widgets.series import MOST_SAMPLES, Course, Curve
from tests.tui.made_up import training

losses = st.lists(st.floats(0, 10), min_size=1, max_size=60)


def started(epochs: int, epoch: int = 1, phase: str = "train", before: float | None = None) -> PhaseStarted:
    return PhaseStarted(phase=phase, task="cars", epochs=epochs, images=100, epoch=epoch, before=before)


def step(number: int, steps: int, loss: float) -> TrainStep:
    return TrainStep(
        task="cars", epoch=1, step=number, steps=steps, loss=loss, error=1, lr=1, images_per_second=1, seconds_left=1
    )


def folded(*events: Event) -> Curve:
    course = Course("cars")
    for event in events:
        match event:
            case PhaseStarted():
                course.begin(event)
            case TrainStep():
                course.step(event)
            case Epoch():
                course.epoch(event)
            case Pruned():
                course.prune(event)
    return course.curve()


@given(losses, st.integers(1, 200))
def test_thinning_keeps_the_highest_and_the_lowest(losses, times):
    many = losses * times
    loss = folded(started(3), *(step(i, len(many), value) for i, value in enumerate(many, 1))).loss
    assert min(sample.low for sample in loss) == min(losses)
    assert max(sample.high for sample in loss) == max(losses)


@pytest.mark.parametrize("steps", [MOST_SAMPLES, MOST_SAMPLES + 1, 20 * MOST_SAMPLES])
def test_a_long_training_takes_no_more_room_and_stays_even(steps):
    loss = folded(started(4), *(step(i, steps, i % 7) for i in range(1, steps + 1))).loss
    assert len(loss) <= MOST_SAMPLES
    places = [sample.x for sample in loss]
    gaps = [b - a for a, b in pairwise(places)]
    assert min(gaps) > 0
    assert max(gaps) <= 4 * 4 / len(loss)


@given(losses)
def test_a_short_training_is_kept_step_by_step(losses):
    loss = folded(started(2), *(step(i, len(losses), value) for i, value in enumerate(losses, 1))).loss
    assert [sample.low for sample in loss] == [sample.high for sample in loss] == losses
    assert loss[-1].x == 2


@pytest.mark.parametrize("epoch", [1, 2, 4, 5])
def test_a_job_gone_on_with_looks_as_if_it_had_never_been_stopped(epoch):
    whole = list(training("cars", 5, 5, 96.0, 17.5))
    per_epoch = 21  # steps, and the epoch's end
    began = 1 + (epoch - 1) * per_epoch
    stopped = whole[: began + 13]
    assert folded(*stopped, started(5, epoch), *whole[began:]) == folded(*whole)


def test_training_on_after_the_end_is_appended():
    first = [started(2), *(step(i, 4, 1.0) for i in range(1, 5))]
    curve = folded(*first, *first)
    assert [sample.x for sample in curve.loss] == [0.5 * i for i in range(1, 9)]
    assert curve.end == 4


def test_pruning_leaves_a_mark_the_jump_of_the_error_and_the_level_to_get_back_to():
    pruned = Pruned(task="cars", ratio=0.75, freed=3, kept=1, before=17.5, after=61.0)
    dense, again = training("cars", 3, 3, 96.0, 17.5), training("cars", 2, 1, 61.0, 17.8, retrain=True, before=17.5)
    curve = folded(*dense, pruned, *again)
    assert curve.pruned == ((3.0, 0.75),)
    assert (3.0, 61.0) in curve.validation_error
    assert curve.before == (3.0, 17.5)
    assert curve.end == 5


def test_without_validation_images_the_loss_is_all_there_is():
    epoch = Epoch(
        phase="train", task="cars", epoch=1, epochs=1, step=1, loss=1, error=1,
        validation_loss=None, validation_error=None, seconds=1,
    )  # fmt: skip
    curve = folded(started(1), step(1, 1, 2.0), epoch)
    assert (len(curve.loss), curve.validation_loss, curve.validation_error) == (1, (), ())
