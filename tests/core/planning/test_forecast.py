"""How many more tasks fit: compared with the paper's arithmetic and with a file that is filled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from packnet_core.errors import RequestError
from packnet_core.packfile.header import read_header
from packnet_core.planning.forecast import forecast, forecast_of, rooms
from packnet_core.schema.commands import Prune
from packnet_core.schema.document import MOST_TASKS, Layer
from tests.core.small_documents import document, task
from tests.worlds import QUICK, add, images, pack_file, work

HALF = 67_000_000


def with_layers(given, *layers):
    return replace(given, layers=tuple(layers))


def test_the_papers_arithmetic_of_vgg16():
    """§5.1: of 134 M weights 67 M are free; at 0.75 Task II uses 16.75 M and leaves 50.25 M, Task III about 13 M."""
    vgg = with_layers(document(task()), Layer(name="all", shape=(2 * HALF,), owned=(HALF,)))
    *_, total = rooms(vgg, 0.75, least=0.0)
    assert (total.free, total.owns[0], total.free - total.owns[0]) == (HALF, 16_750_000, 50_250_000)
    assert total.owns[1] == 12_562_500
    assert total.free - sum(total.owns[:2]) == pytest.approx(37e6, rel=0.02)


def test_tasks_fit_while_they_own_the_least_share():
    half = with_layers(document(task()), Layer(name="all", shape=(1000,), owned=(500,)))
    assert [count / 1000 for count in rooms(half, 0.75, least=0.05)[-1].owns] == [0.125, 0.094, 0.07, 0.053]
    assert [count / 1000 for count in rooms(half, 0.75)[-1].owns][-2:] == [0.012, 0.01]  # by default 1 %
    assert rooms(half, 0.75, least=0.1)[-1].tasks == 1
    assert rooms(half, 0.75, least=0.094)[-1].tasks == 2
    assert rooms(half, 0.75, least=0.2)[-1].tasks == 0
    assert rooms(half, 0.9, least=0.05)[-1].tasks == 1  # a tenth of the half: "5% of the total" (§5.2)
    odd = [Layer(name=str(n), shape=(n,), owned=(n - n // 2,)) for n in (403, 405, 407, 409, 411)]
    assert rooms(with_layers(document(task()), *odd), 0.9, least=0.05)[-1].tasks == 1  # short of it by rounding only


def test_the_smallest_and_largest_ratios():
    half = with_layers(document(task()), Layer(name="all", shape=(1000,), owned=(500,)))
    assert rooms(half, 0.0, least=0.0)[-1].owns == (500,)  # all of it, which leaves nothing
    assert rooms(half, 1.0, least=0.0)[-1].owns == ()  # it would own nothing
    for ratio, least in ((1.5, 0.1), (-0.1, 0.1), (float("nan"), 0.1), (0.5, 2)):
        with pytest.raises(RequestError, match="a share from 0 to 1"):
            rooms(half, ratio, least)


def test_each_layer_is_counted_separately():
    layers = Layer(name="full", shape=(10, 10), owned=(100,)), Layer(name="half", shape=(100,), owned=(50,))
    full, half, total = rooms(with_layers(document(task()), *layers), 0.5, least=0.05)
    assert (full.tasks, half.owns, total.owns) == (0, (25, 13, 6), (25, 13))  # round(12.5) is 12, as in pruning
    assert (total.weights, total.free) == (200, 50)


def test_an_open_task_that_is_not_pruned_is_pruned_first():
    layer = Layer(name="all", shape=(1000,), owned=(200, 800))
    dense = with_layers(document(task("old", "sealed"), task(phase="trained")), layer)
    assert rooms(dense, 0.5)[-1].free == 400
    assert rooms(replace(dense, tasks=(dense.tasks[0], task(phase="pruned"))), 0.5)[-1].free == 0


def test_no_more_tasks_than_there_are_owners():
    full = [task(f"t{index}", "sealed") for index in range(MOST_TASKS - 2)]
    given = with_layers(document(*full), Layer(name="all", shape=(100_000,), owned=(0,) * len(full)))
    assert rooms(given, 0.99, least=0.0)[-1].tasks == 2
    empty = with_layers(document(), Layer(name="all", shape=(100_000,), owned=()))
    assert rooms(empty, 0.5)[-1].owns[0] == 50_000


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=4), st.floats(0, 1), st.floats(0, 1))
def test_further_tasks_never_own_more_than_was_free(free, ratio, least):
    layers = [Layer(name=str(i), shape=(count + 7,), owned=(7,)) for i, count in enumerate(free)]
    for room in rooms(with_layers(document(task()), *layers), ratio, least):
        assert sum(room.owns) <= room.free
        assert all(a >= b > 0 for a, b in zip(room.owns, room.owns[1:], strict=False))


def test_a_file_fills_as_forecast(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    work(path, add("one", images(tmp_path / "one.npz"), prune=None))
    forecast = rooms(read_header(path).document, 0.6)
    work(path, Prune(ratio=0.6))
    for seed in (1, 2):
        data = images(tmp_path / f"{seed}.npz", seed=seed)
        work(path, add(f"task {seed}", data, prune=0.6, recipe=replace(QUICK, epochs=1), yes=True))
    for layer, room in zip(read_header(path).document.layers, forecast, strict=False):
        assert layer.owned[1:] == room.owns[:2]


def test_a_task_that_is_pruned_is_pruned_again_if_that_is_asked():
    layer = Layer(name="all", shape=(1000,), owned=(500, 400))
    tasks = (task("old", "sealed"), task("new", "retrained"))
    assert forecast([layer], tasks, 0.5, least=0.0).total.free == 100
    assert forecast([layer], tasks, 0.5, least=0.0, prunes=0.75).total.free == 400
    dense = (tasks[0], task("new", "trained"))
    found = forecast([layer], dense, 0.5, least=0.0, prunes=0.75)  # a job's own ratio; then further tasks at 0.5
    assert (found.total.free, found.total.owns[0]) == (400, 200)


def test_further_tasks_can_be_kept_to_some_layers():
    layers = [Layer(name=name, shape=(100,), owned=(60,)) for name in ("a", "b")]
    found = forecast(layers, (task(phase="retrained"),), 0.5, least=0.04, only={"a"})
    assert (found.total.free, found.total.owns, found.total.weights) == (40, (20, 10), 200)
    assert [room.tasks for room in found.layers] == [3, 0]


def test_the_layers_that_fill_first():
    layers = [
        Layer(name=name, shape=(100,), owned=(owned,)) for name, owned in (("a", 60), ("b", 98), ("c", 96), ("d", 97))
    ]
    tasks = (task(phase="retrained"),)
    assert [room.name for room in forecast(layers, tasks, 0.5).first_to_fill] == ["b"]
    both = forecast(layers[:3], tasks, 0.5, least=0.03).first_to_fill
    assert [room.name for room in both] == ["b", "c"]  # neither has room; the one with less free comes first
    assert forecast(layers[:1], tasks, 0.5).first_to_fill == ()  # all have room for as many


@pytest.mark.parametrize(
    ("owned", "phases", "ratio", "remedy", "other"),
    [
        ((300,), ["retrained"], 0.5, None, None),
        ((950,), ["retrained"], 0.9, "ratio", 0.75),  # a lower one leaves the next task more
        ((1000,), ["trained"], 0.0, "ratio", 0.05),  # a higher one frees some of the open task
        ((1000,), ["trained"], 1.0, "ratio", 0.95),
        ((500, 500), ["sealed", "retrained"], 0.5, "prune", None),
        ((900, 100), ["sealed", "sealed"], 0.5, "drop", None),
        ((990, 10), ["sealed", "retrained"], 0.5, "drop", None),  # to prune so small a task again is no help
        ((1000,), ["sealed"], 0.5, "new", None),
    ],
)
def test_where_no_task_fits_it_says_what_helps(owned, phases, ratio, remedy, other):
    layer = Layer(name="all", shape=(1000,), owned=owned)
    tasks = [task(str(number), phase) for number, phase in enumerate(phases)]
    found = forecast([layer], tasks, ratio, least=0.0125)
    assert (found.remedy, found.other, bool(found.tasks)) == (remedy, other, remedy is None)
    if other is not None:
        assert forecast([layer], tasks, other, least=0.0125).tasks > 0


def test_a_file_with_as_many_tasks_as_there_can_be_takes_no_more():
    many = [task(f"t{index}", "sealed") for index in range(MOST_TASKS)]
    found = forecast_of(with_layers(document(*many), Layer(name="all", shape=(100_000,), owned=(0,) * MOST_TASKS)), 0.5)
    assert (found.tasks, found.full, found.remedy, found.next) == (0, True, "new", 50_000)
