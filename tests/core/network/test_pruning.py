import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packnet_core.errors import Diverged
from packnet_core.network.blockwise import BLOCK, MIN_PARALLEL
from packnet_core.network.pruning import SAMPLE, find_threshold, free_below


def prune(weight, owner, task, ratio):
    return free_below(weight, owner, task, find_threshold(weight, owner, task, ratio))


def by_sorting(weight, owner, task, ratio):
    """The positions to free, by sorting: smallest magnitude first, ties by position."""
    own = [i for i in range(len(weight)) if owner[i] == task]
    order = sorted(own, key=lambda i: (abs(weight[i]), i))
    gone = order[: round(ratio * len(own))]
    return sorted(set(gone) | {i for i in own if weight[i] == 0})


values = st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 0.5, -0.5]))


@given(st.lists(st.tuples(values, st.integers(0, 3)), min_size=1, max_size=60), st.floats(0, 1))
def test_exactly_the_smallest_weights_of_the_task_are_freed(pairs, ratio):
    numbers = [value for value, _ in pairs]
    given_owners = [task for _, task in pairs]
    weight, owner = torch.tensor(numbers), torch.tensor(given_owners, dtype=torch.uint8)
    expected = by_sorting(numbers, given_owners, 2, ratio)
    assert prune(weight, owner, 2, ratio) == len(expected)
    assert [i for i, task in enumerate(given_owners) if task == 2 and owner[i] == 0] == expected
    kept = torch.tensor([i not in expected for i in range(len(pairs))])
    assert torch.equal(weight[kept].view(torch.int32), torch.tensor(numbers)[kept].view(torch.int32))
    assert torch.equal(owner[kept], torch.tensor(given_owners, dtype=torch.uint8)[kept])
    assert all(weight[i].view(torch.int32) == 0 for i in expected)


@pytest.mark.parametrize("ratio", [0, 0.1, 0.5, 0.75, 0.999, 1])
def test_the_count_is_exact_with_ties_across_blocks(ratio):
    n = BLOCK["cpu"] * 2 + 17
    weight = torch.full((n,), -0.25)
    weight[::3] = 0.5
    owner = torch.ones(n, dtype=torch.uint8)
    owner[5] = 2
    assert prune(weight, owner, 1, ratio) == round(ratio * (n - 1))
    gone = (owner == 0).nonzero().ravel()
    small = [i for i in range(n) if i % 3 and i != 5]
    if round(ratio * (n - 1)) <= len(small):
        assert gone.tolist() == small[: len(gone)]  # ties by position


def test_more_are_freed_only_if_more_are_zero_already():
    weight, owner = torch.tensor([0.0, 0.0, 0.0, 1.0]), torch.ones(4, dtype=torch.uint8)
    assert prune(weight, owner, 1, 0.25) == 3


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinity_are_refused_and_nothing_is_pruned(bad):
    weight, owner = torch.tensor([1.0, bad, 2.0]), torch.ones(3, dtype=torch.uint8)
    with pytest.raises(Diverged, match="conv1"):
        find_threshold(weight, owner, 1, 0.5, "conv1")
    assert owner.tolist() == [1, 1, 1]


def test_another_tasks_values_do_not_matter():
    weight, owner = torch.tensor([float("nan"), 1.0, 2.0]), torch.tensor([1, 2, 2], dtype=torch.uint8)
    assert prune(weight, owner, 2, 0.5) == 1
    assert owner.tolist() == [1, 0, 2]


def by_numpy(weight, owner, task, ratio):
    """The positions to free in a large layer, by a stable sort."""
    own = np.flatnonzero(owner.numpy() == task)
    order = own[np.argsort(np.abs(weight.numpy()[own]), kind="stable")]
    return np.sort(order[: round(ratio * own.size)])


@pytest.mark.parametrize("ratio", [0.0003, 0.1, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("misleading", [False, True], ids=["", "where the sample misleads"])
def test_a_large_layer_is_pruned_exactly_as_by_sorting(ratio, misleading):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(5 * SAMPLE + 3, generator=generator).round(decimals=4)  # many ties
    if misleading:
        weight[::5] = 0.001  # all that the sample contains
    owner = torch.randint(1, 4, weight.shape, generator=generator, dtype=torch.uint8)
    expected = by_numpy(weight, owner, 2, ratio)
    before = owner.clone()
    zeros = int(((weight == 0) & (owner == 2)).sum()) if ratio else 0
    assert prune(weight, owner, 2, ratio) >= len(expected)
    gone = ((owner == 0) & (before == 2)).nonzero().ravel().numpy()
    assert set(expected) <= set(gone)
    assert len(gone) <= len(expected) + zeros


def test_the_number_of_threads_does_not_change_the_threshold():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3 * MIN_PARALLEL + 11, generator=generator)
    owner = torch.randint(1, 4, weight.shape, generator=generator, dtype=torch.uint8)
    found = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        found.append(find_threshold(weight, owner, 2, 0.75))
    torch.set_num_threads(1)
    assert found[0] == found[1] == found[2]


def test_nan_anywhere_in_a_large_layer_is_found():
    weight, owner = torch.ones(2 * SAMPLE + 1), torch.ones(2 * SAMPLE + 1, dtype=torch.uint8)
    weight[-1] = float("nan")
    with pytest.raises(Diverged, match="conv1"):
        find_threshold(weight, owner, 1, 0.5, "conv1")
