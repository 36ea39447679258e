"""The values of a curve at the cursor, in words."""

from hypothesis import given
from hypothesis import strategies as st

from packnet_core.schema.events import Epoch, PhaseStarted, TrainStep
from packnet_tui.state.readout import column_at, columns_of, read_at
from packnet_tui.state.series import Curve, CurveBuilder, Sample
from tests.tui.made_up import training

CURVE = Curve(
    task="cars",
    loss=(Sample(1.0, 2.0, 2.0), Sample(3.2, 0.412, 0.412)),
    validation_loss=((3.0, 0.53),),
    validation_error=((3.0, 18.36),),
    end=10.0,
    epoch_steps=((0.0, 0.0, 150.0),),
)


def built() -> Curve:
    """A task trained for three epochs of 20 steps and retrained for two."""
    builder = CurveBuilder("cars")
    for event in (*training("cars", 3, 3, 96.0, 17.5), *training("cars", 2, 2, 61.0, 17.8, retrain=True)):
        match event:
            case PhaseStarted():
                builder.begin(event)
            case TrainStep():
                builder.step(event)
            case Epoch():
                builder.epoch(event)
    return builder.curve()


def test_the_values_are_the_newest_at_the_column_or_before_it():
    curve = built()
    readout = read_at(curve, 49, 50)
    assert (readout.x, readout.step) == (5.0, 100)
    assert (readout.error, readout.validation) == (curve.validation_error[-1][1], curve.validation_loss[-1][1])
    assert readout.train == curve.loss[-1]
    before = read_at(curve, 24, 50)  # the middle: x from 2.4 to 2.5
    assert (before.x, before.step, before.error) == (2.45, 49, curve.validation_error[1][1])


def test_words_go_one_by_one_as_there_is_less_room_and_none_is_cut():
    readout = read_at(Curve(**{**vars(CURVE), "epoch_steps": built().epoch_steps}), 4, 10)
    step = readout.step
    assert readout.words(80) == f"epoch 3.2, step {step}: train 0.412, validation 0.53, error 18.36"
    assert readout.words(60) == f"epoch 3.2, step {step}: train 0.412, val 0.53, error 18.36"
    assert readout.words(52) == f"epoch 3.2 step {step}: train 0.412 val 0.53 error 18.36"
    assert readout.words(45) == "epoch 3.2: train 0.412, val 0.53, error 18.36"
    assert readout.words(44) == "epoch 3.2 train 0.412 val 0.53 error 18.36"
    assert readout.words(40) == "epoch 3.2 train 0.412 error 18.36"
    assert readout.words(25) == "epoch 3.2 error 18.36"
    assert readout.words(12) == "epoch 3.2"
    assert readout.words(3) == ""


def test_several_steps_in_one_sample_are_read_as_their_range():
    curve = Curve(task="cars", loss=(Sample(1.0, 0.4, 0.6),), end=2.0)
    assert read_at(curve, 9, 10).words(80) == "epoch 1: train 0.4–0.6"


def test_a_curve_with_only_errors_is_read_too():
    curve = Curve(task="cars", validation_error=((0.0, 61.0), (1.0, 20.0)), end=4.0)
    assert columns_of(curve, 40) == (0, 10)
    assert read_at(curve, 10, 40).words(80) == "epoch 1: error 20.00"


def test_without_values_there_is_no_column():
    assert columns_of(Curve(task="cars"), 40) is None


@given(st.floats(-5, 50), st.integers(1, 200))
def test_every_place_leads_to_a_column_that_has_values(x, columns):
    curve = built()
    first, last = columns_of(curve, columns)
    assert first <= column_at(x, curve, columns) <= last
    assert read_at(curve, column_at(x, curve, columns), columns).train is not None
