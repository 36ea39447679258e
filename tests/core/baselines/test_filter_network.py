"""What freeing filters sets free and what is never free, and two tasks in one pass (§5.5)."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from packnet_core.baselines import filters
from packnet_core.baselines.filter_network import NEVER, FilterNetwork
from packnet_core.errors import RequestError
from tests.core.baselines.filter_experiments import RECIPE, begin, every_third_freed, seven


def toy() -> FilterNetwork:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
    return FilterNetwork(model, "4")


def test_freed_and_never_free():
    """Three layers: the second neuron of the first layer and the first neuron of the second are freed."""
    network = toy()
    assert network.free([torch.tensor([False, True, False]), torch.tensor([True, False])]) == 2 + 1 + 3 + 1

    def owners(newer: int) -> dict[str, list]:
        return {
            "0.weight": [[1, 1], [newer, newer], [1, 1]],
            "0.bias": [1, newer, 1],
            "2.weight": [[newer] * 3, [1, NEVER, 1]],
            "2.bias": [newer, 1],
            "4.0.weight": [[NEVER, 1], [NEVER, 1]],
            "4.0.bias": [1, 1],
        }

    assert {name: owner.tolist() for name, owner in network.owners.items()} == owners(0)
    for name, weight in network.weights.items():
        assert torch.equal(weight == 0, network.owners[name] != 1)
    assert network.counts() == {"0": (1, 3), "2": (1, 2)}
    assert network.available() == 5 / 12
    network.add_task(4)
    head = {"4.1.weight": [[2, 2]] * 4, "4.1.bias": [2] * 4}
    assert {name: owner.tolist() for name, owner in network.owners.items()} == owners(2) | head
    assert network.available() == 5 / 12


def test_a_flattened_map_has_one_column_per_pixel():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 1))
    network = FilterNetwork(model, "5")
    network.free([torch.tensor([True, False]), torch.tensor([False, False])])
    assert network.owners["3.weight"].tolist() == [[NEVER] * 4 + [1] * 4] * 2


def test_a_second_task_needs_free_filters_and_is_the_last():
    network = toy()
    with pytest.raises(RequestError, match="no filter is free"):
        network.add_task(2)
    every_third_freed(network)
    network.add_task(2)
    with pytest.raises(RequestError, match="two already"):
        network.add_task(2)


def test_newer_filters_are_trained_and_normalised_by_the_batch(data):
    """In a training pass of the newer task, only older channels are normalised by running statistics."""
    experiment = begin("tests.networks:vgg_bn")
    network = experiment.network
    every_third_freed(network)
    network.add_task(3, torch.Generator().manual_seed(0))
    network.train_mode()
    (layer, *_), (freed, *_) = network.layers, network.freed
    caught = []
    layer.norm.register_forward_hook(lambda module, given, out: caught.append((given[0].clone(), out.clone())))
    images, _ = next(data["new"].train.batches(16, "cpu"))
    network.model(images)
    ((given, out),) = caught
    mean, deviation = out.mean((0, 2, 3)), out.std((0, 2, 3))
    torch.testing.assert_close(mean[freed], torch.zeros(int(freed.sum())), atol=1e-5, rtol=0)
    torch.testing.assert_close(deviation[freed], torch.ones(int(freed.sum())), atol=1e-2, rtol=0)
    norm = layer.norm
    older = F.batch_norm(given, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    torch.testing.assert_close(out[:, ~freed], older[:, ~freed])
    torch.testing.assert_close(layer.norm.running_mean[freed], 0.1 * given.mean((0, 2, 3))[freed])


def test_one_pass_gives_both_tasks_answers(data):
    experiment = begin("digits_net")
    network = experiment.network
    list(filters.train(experiment, "old", data["old"], RECIPE))
    every_third_freed(network)
    list(filters.add(experiment, "new", data["new"], RECIPE))
    images, _ = next(data["new"].test.batches(30, "cpu"))
    passes = []
    hook = network.layers[0].module.register_forward_hook(lambda *_: passes.append(1))
    both = network.answers(images)
    assert passes == [1]
    hook.remove()
    assert [logits.shape for logits in both] == [(30, 7), (30, 3)]
    for task, logits in enumerate(both, 1):
        with network.viewing(task) as answer, torch.inference_mode():
            assert torch.equal(answer(images), logits)
    # the first task's answers, by a network without the newer filters
    torch.testing.assert_close(without_newer(network)(images), both[0], rtol=1e-4, atol=1e-5)


def without_newer(network: FilterNetwork) -> nn.Module:
    """The first task's network without the freed filters."""
    model = seven("digits_net").eval()
    state = network.model.state_dict()

    def cut(name: str, rows: torch.Tensor | slice, columns: torch.Tensor | slice | None = None, of: str = "") -> None:
        tensor = state[of or name][rows]
        module, _, part = name.rpartition(".")
        getattr(model.get_submodule(module), part).data = tensor if columns is None else tensor[:, columns]

    columns = everything = slice(None)
    for layer, freed in zip(network.layers, network.freed, strict=True):
        if isinstance(columns, torch.Tensor):
            columns = columns.repeat_interleave(layer.columns_per_filter)
        cut(f"{layer.name}.weight", ~freed, columns)
        if layer.module.bias is not None:
            cut(f"{layer.name}.bias", ~freed)
        for part in ("weight", "bias", "running_mean", "running_var") if layer.norm else ():
            cut(f"{layer.norm_name}.{part}", ~freed)
        columns = ~freed
    cut("output.weight", everything, columns, of="output.0.weight")
    cut("output.bias", everything, of="output.0.bias")
    return model
