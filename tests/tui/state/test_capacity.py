import torch
from hypothesis import given
from hypothesis import strategies as st

from packnet_core.network import pruning
from packnet_core.schema.document import Layer
from packnet_tui.state.capacity import after_pruning, total

ratios = st.one_of(st.floats(0, 1), st.integers(0, 100).map(lambda n: n / 100))
layers = st.lists(
    st.tuples(st.integers(1, 5000), st.lists(st.integers(0, 1000), min_size=2, max_size=2)).map(
        lambda given: Layer(name="x", shape=(given[0] + sum(given[1]),), owned=tuple(given[1]))
    ),
    min_size=1,
    max_size=6,
)


@given(st.integers(0, 3000), ratios)
def test_the_counts_are_those_of_a_real_pruning(own, ratio):
    weight = torch.arange(1, own + 6, dtype=torch.float32)
    owner = torch.tensor([2] * own + [1] * 5, dtype=torch.uint8)
    freed = pruning.free_below(weight, owner, 2, pruning.find_threshold(weight, owner, 2, ratio))
    (pruned,) = after_pruning([Layer(name="x", shape=(own + 5,), owned=(5, own))], ratio)
    assert (pruned.freed, pruned.kept, pruned.sealed) == (freed, own - freed, (5,))


def test_halves_are_rounded_as_python_rounds_them():
    freed = [after_pruning([Layer(name="x", shape=(n,), owned=(n,))], 0.5)[0].freed for n in (1, 3, 5, 7)]
    assert freed == [0, 2, 2, 4]


@given(layers, ratios)
def test_the_counts_of_a_layer_add_up_to_its_weights(layers, ratio):
    for layer, after in zip(layers, after_pruning(layers, ratio), strict=True):
        assert sum(after.sealed) + after.kept + after.freed + after.free == after.weights == layer.weights
        assert (after.name, after.free) == (layer.name, layer.free)


@given(layers, ratios)
def test_the_total_adds_up(layers, ratio):
    pruned = after_pruning(layers, ratio)
    whole = total(pruned)
    assert whole.weights == sum(layer.weights for layer in layers)
    assert whole.freed + whole.kept == sum(layer.owned[-1] for layer in layers)
    assert sum(whole.sealed) + whole.kept + whole.freed + whole.free == whole.weights
