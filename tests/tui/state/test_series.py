"""The curve of a task, built from its events."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packnet_core.schema.events import Epoch, Event, PhaseStarted, Pruned, TrainStep
from packnet_tui.state.series import MOST_POINTS, MOST_SAMPLES, Curve, CurveBuilder, Sample, fewer, smoothed, thinned
from tests.tui.made_up import training

losses = st.lists(st.floats(0, 10), min_size=1, max_size=60)


def started(epochs: int, epoch: int = 1, phase: str = "train", before: float | None = None) -> PhaseStarted:
    return PhaseStarted(phase=phase, task="cars", epochs=epochs, images=100, epoch=epoch, before=before)


def step(number: int, steps: int, loss: float) -> TrainStep:
    return TrainStep(
        task="cars", epoch=1, step=number, steps=steps, loss=loss, error=1, lr=1, images_per_second=1, seconds_left=1
    )


def folded(*events: Event) -> Curve:
    builder = CurveBuilder("cars")
    feed(builder, events)
    return builder.curve()


def feed(builder: CurveBuilder, events: Iterable[Event]) -> None:
    for event in events:
        match event:
            case PhaseStarted():
                builder.begin(event)
            case TrainStep():
                builder.step(event)
            case Epoch():
                builder.epoch(event)
            case Pruned():
                builder.prune(event)


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
def test_a_resumed_job_looks_as_if_it_had_never_been_stopped(epoch):
    whole = list(training("cars", 5, 5, 96.0, 17.5))
    per_epoch = 21  # steps, and the epoch's end
    began = 1 + (epoch - 1) * per_epoch
    stopped = whole[: began + 13]
    assert folded(*stopped, started(5, epoch), *whole[began:]) == folded(*whole)


def test_further_training_is_appended_to_the_curve():
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


numbers = st.floats(-100, 100)
lines = st.lists(st.tuples(numbers, numbers), max_size=300).map(
    lambda pairs: [Sample(i, min(pair), max(pair)) for i, pair in enumerate(pairs)]
)


@given(lines, st.integers(1, 60))
def test_a_line_thinned_to_columns_keeps_their_spread(line, columns):
    thin = thinned(line, max(len(line), 1), columns)
    assert [sample.x for sample in thin] == sorted({sample.x for sample in thin})
    assert all(0 <= sample.x < columns for sample in thin)
    assert min((s.low for s in thin), default=None) == min((s.low for s in line), default=None)
    assert max((s.high for s in thin), default=None) == max((s.high for s in line), default=None)


def test_nan_and_infinity_are_not_drawn():
    line = [Sample(0, 1, 2), Sample(1, float("nan"), 1), Sample(2, 1, float("inf"))]
    assert thinned(line, 3, 3) == [Sample(0, 1, 2)]
    assert smoothed(line) == [Sample(0, 1.5, 1.5)]


@given(st.lists(numbers, max_size=300), st.integers(4, 50))
def test_fewer_points_are_some_of_the_given_ones_and_keep_their_ends(values, most):
    points = list(enumerate(values))
    some = fewer(points, most)
    assert len(some) <= most
    assert [point for point in points if point in some] == some
    assert some[-1:] == points[-1:]
    assert min((value for _, value in some), default=None) == min(values, default=None)
    assert max((value for _, value in some), default=None) == max(values, default=None)


@given(st.lists(numbers, min_size=1, max_size=200))
def test_a_running_mean_stays_within_its_line(values):
    mean = smoothed([Sample(i, value, value) for i, value in enumerate(values)])
    assert [sample.x for sample in mean] == list(range(len(values)))
    assert all(min(values) - 1e-9 <= sample.low == sample.high <= max(values) + 1e-9 for sample in mean)


def test_a_running_mean_is_calmer_than_its_line():
    line = [Sample(i, i % 2, i % 2) for i in range(400)]
    assert all(0.4 < sample.low < 0.6 for sample in smoothed(line)[100:])


def test_a_very_long_training_keeps_a_bounded_number_of_points():
    epochs = 3 * MOST_POINTS
    ends = (
        Epoch(
            phase="train", task="cars", epoch=i, epochs=epochs, step=i, loss=1, error=1,
            validation_loss=1, validation_error=i % 90, seconds=1,
        )
        for i in range(1, epochs + 1)
    )  # fmt: skip
    curve = folded(started(epochs), *ends)
    assert len(curve.validation_error) <= MOST_POINTS
    assert len(curve.validation_loss) <= MOST_POINTS
    assert (min(y for _, y in curve.validation_error), max(y for _, y in curve.validation_error)) == (0, 89)


def test_a_thinner_curve_is_as_high_as_long_and_as_low():
    curve = folded(*training("cars", 200, 200, 96.0, 17.5))
    thin = curve.thinner(100)
    assert len(thin.loss) <= 100 >= len(thin.validation_error)
    assert max(s.high for s in thin.loss) == max(s.high for s in curve.loss)
    assert (thin.end, thin.validation_error[-1]) == (curve.end, curve.validation_error[-1])
    assert thin.thinner(100) is thin


def test_a_curve_is_the_same_object_until_something_happens():
    builder = CurveBuilder("cars")
    builder.begin(started(2))
    first = builder.curve()
    assert builder.curve() is first
    builder.step(step(1, 2, 1.0))
    assert builder.curve() is not first


def test_what_was_given_up_is_not_in_the_curve():
    builder, pruned = CurveBuilder("cars"), Pruned(task="cars", ratio=0.75, freed=3, kept=1, before=17.5, after=61.0)
    assert not builder.give_up()
    done = [*training("cars", 3, 3, 96.0, 17.5)]
    feed(builder, done)
    builder.save()
    kept = builder.curve()
    feed(builder, [pruned, *training("cars", 9, 4, 61.0, 17.8, retrain=True, before=17.5)])
    assert builder.curve() != kept
    assert builder.give_up()
    assert builder.curve() == kept
    again = [pruned, *training("cars", 2, 2, 61.0, 17.8, retrain=True, before=17.5)]
    feed(builder, again)
    assert builder.curve() == folded(*done, *again)
