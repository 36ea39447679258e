"""The cache of earlier tasks' weights, within a budget of memory."""

import pytest
import torch

from tests.networks import add_task, toy_with_tasks

TASKS = 4


@pytest.fixture
def network():
    return toy_with_tasks(TASKS)


def size(network):
    return sum(weight.nbytes for weight in network.weights.values())


def weights_of(network, task):
    """The address and the values of a task's weights in the first layer."""
    weight = network.model_of(task).get_parameter(next(iter(network.weights))).data
    return weight.data_ptr(), weight.clone()


def test_a_cached_task_is_not_masked_again_and_is_the_same(network):
    plain = weights_of(network, 2)[1]
    network.ready_bytes = size(network)
    pointer, values = weights_of(network, 2)
    spare = [torch.empty_like(values) for _ in range(8)]  # so that the allocator gives other memory
    again, same = weights_of(network, 2)
    assert again == pointer
    assert torch.equal(values, plain)
    assert torch.equal(same, plain)
    del spare


def test_the_cache_stays_within_its_budget_and_evicts_the_least_recently_used(network):
    network.ready_bytes = 2 * size(network) + 1
    for task in (1, 2, 1, 3):
        weights_of(network, task)
    assert list(network._views._cached) == [1, 3]
    network.ready_bytes = size(network) - 1
    weights_of(network, 1)
    assert list(network._views._cached) == []


def test_a_dropped_tasks_copies_are_not_used_for_its_successor(network):
    """Tasks 3 and 4 are dropped and replaced; the new task 3 is then sealed."""
    network.ready_bytes = TASKS * size(network)
    before = weights_of(network, 3)[1]
    for _ in range(2):
        network.drop_newest()
    for _ in range(2):
        add_task(network)
    shown = weights_of(network, 3)[1]
    assert not torch.equal(shown, before)
    network.ready_bytes = 0
    assert torch.equal(shown, weights_of(network, 3)[1])


def test_logits_of_mixed_images_are_the_same_with_the_cache(network):
    images, tasks = torch.randn(12, 3, 8, 8), [1, 2, 3, 4] * 3
    plain = network.answer(images, tasks)
    network.ready_bytes = 2 * size(network)
    for _ in range(2):
        assert all(torch.equal(a, b) for a, b in zip(network.answer(images, tasks), plain, strict=True))


def test_copies_cached_in_inference_mode_can_be_used_with_gradients(network):
    network.ready_bytes = TASKS * size(network)
    images = torch.randn(2, 3, 8, 8, requires_grad=True)
    network.answer(images.detach(), [1, 1])
    with network.viewing(1) as model:
        model(images).sum().backward()
    assert images.grad is not None
