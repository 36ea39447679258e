"""Models of single tasks: right in any number of threads, within each other, and after their context."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from packnet_core.network.packed import PackedNetwork
from tests.networks import toy_with_tasks

TASKS = 3


@pytest.fixture
def network():
    return toy_with_tasks(TASKS)


@pytest.fixture
def images():
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def logits(network, task, images):
    with torch.inference_mode():
        return network.model_of(task)(images)


@pytest.mark.parametrize("budget", [0, 1 << 20])
def test_threads_get_the_answers_of_their_own_tasks(network, images, budget):
    wanted = {task: logits(network, task, images) for task in range(1, TASKS + 1)}
    network.ready_bytes = budget
    together = threading.Barrier(6)

    def ask(number):
        task, found = number % TASKS + 1, []
        together.wait()
        for _ in range(50):
            found += [torch.stack(network.answer(images, [task] * len(images))), logits(network, task, images)]
        return task, found

    with ThreadPoolExecutor(6) as pool:
        for task, found in pool.map(ask, range(6)):
            assert all(torch.equal(answer, wanted[task]) for answer in found)
    assert all(torch.equal(logits(network, task, images), wanted[task]) for task in wanted)


@pytest.mark.parametrize("budget", [0, 1 << 20])
def test_a_view_within_a_view_changes_neither(network, images, budget):
    network.ready_bytes = budget
    wanted = {task: logits(network, task, images) for task in range(1, TASKS + 1)}
    with network.viewing(1) as one, network.viewing(3) as three, network.viewing(2) as two, torch.inference_mode():
        for task, model in ((1, one), (2, two), (3, three), (1, one)):
            assert torch.equal(model(images), wanted[task])
    with torch.inference_mode():
        assert torch.equal(one(images), wanted[1])  # a view stays right after its context


def test_an_exported_view_stays_right_after_other_views(network, images):
    wanted = logits(network, 1, images)
    with network.viewing(1) as model:
        exported = torch.export.export(model, (images,))
    with network.viewing(2):
        assert torch.equal(exported.module()(images), wanted)
    network.drop_newest()
    assert torch.equal(exported.module()(images), wanted)


def test_viewing_leaves_the_model_in_training_as_it_is(network, images):
    parameters = network.train_mode()
    modes = [module.training for module in network.model.modules()]
    wanted = [parameter.requires_grad for parameter in network.model.parameters()]
    with network.viewing(1) as model:
        assert not any(module.training for module in model.modules())
        model(images)
    assert [module.training for module in network.model.modules()] == modes
    assert [parameter.requires_grad for parameter in network.model.parameters()] == wanted
    assert all(parameter.requires_grad for parameter in parameters)


class Keeping(nn.Module):
    """Counts its calls in a buffer and keeps its last activation, in evaluation mode too."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 4)
        self.output = nn.Linear(4, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.last = self.hidden(x)
        return self.output(self.last * self.calls)


def test_a_module_that_changes_its_buffers_and_keeps_activations_is_viewed_without_a_trace():
    network = PackedNetwork(Keeping(), "output")
    network.open_task(2)
    network.model(torch.ones(1, 4))  # keeps a part of the graph
    calls, x = network.rest["calls"].clone(), torch.ones(1, 4)
    first = network.model_of(1)(x)
    assert torch.equal(network.model_of(1)(x), first)
    assert torch.equal(network.rest["calls"], calls)
