import pytest
import torch
from torch import nn

from packnet_core.errors import Diverged, RequestError
from packnet_core.network.owners import bits
from packnet_core.network.packed import PackedNetwork


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.bn = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(4, 7)

    def forward(self, x):
        return self.fc(self.dropout(self.bn(self.depthwise(self.conv(x))).relu().mean((2, 3))))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return PackedNetwork(Small(), "fc")


def images():
    return torch.randn(8, 1, 6, 6, generator=torch.Generator().manual_seed(1))


def halve(network):
    freed = network.prune(dict.fromkeys(network.weights, 0.5))
    network.end_phase()
    return freed


def test_dropout_is_active_in_training_and_not_in_a_view(network):
    for _ in range(2):
        network.open_task(3)
        network.train_mode()
        assert network.model.dropout.training  # for later tasks too (§4: "the default dropout rates")
        assert network.model.dropout.p == 0.5
        with network.viewing(network.open) as model:
            assert not model.dropout.training
        halve(network)


def test_the_first_task_owns_everything_and_starts_from_the_given_values(network):
    before = network.weights["conv.weight"].detach().clone()
    assert network.open_task(3) == 1
    assert network.counts() == {"conv.weight": [36], "depthwise.weight": [36]}
    assert torch.equal(network.weights["conv.weight"], before)


def test_a_later_task_owns_what_is_free_and_starts_from_zero(network):
    network.open_task(3)
    assert halve(network) == 36
    network.open_task(2)
    assert network.counts()["conv.weight"] == [18, 18]
    weight, owner = network.weights["conv.weight"].data, network.owners["conv.weight"]
    assert bool((weight[owner == 2] == 0).all())


def test_an_older_tasks_logits_do_not_depend_on_newer_tasks(network):
    network.open_task(3)
    halve(network)
    with network.viewing(1) as model:
        before = model(images())
    network.open_task(2)
    for name, weight in network.weights.items():
        weight.data[network.owners[name] == 2] = 100.0
    with network.viewing(1) as model:
        after = model(images())
    assert torch.equal(bits(before), bits(after))
    with network.viewing(2) as model:
        assert model(images()).shape == (8, 2)


def test_viewing_changes_nothing_and_restores_the_modes(network):
    network.open_task(3)
    halve(network)
    network.open_task(2)
    network.train_mode()
    state = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    modes = [module.training for module in network.model.modules()]
    pointers = [weight.data_ptr() for weight in network.weights.values()]
    with network.viewing(1) as model:
        model(images())
    assert [module.training for module in network.model.modules()] == modes
    assert [weight.data_ptr() for weight in network.weights.values()] == pointers
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.model.state_dict().items())


def test_rest_and_statistics_are_trained_with_the_first_task_only(network):
    network.open_task(3)
    trained = network.train_mode()
    assert any(p.data_ptr() == network.rest["bn.weight"].data_ptr() for p in trained)
    network.model(images())
    assert bool((network.rest["bn.running_mean"] != 0).any())
    halve(network)
    network.open_task(2)
    trained = network.train_mode()
    assert {id(p) for p in trained} == {id(p) for p in network.heads[1].parameters()}
    before = network.rest["bn.running_mean"].clone()
    network.model(images())
    assert torch.equal(network.rest["bn.running_mean"], before)
    assert network.model.dropout.training


def test_zeros_become_free_when_a_phase_ends_and_minus_zero_becomes_zero(network):
    network.open_task(3)
    weight = network.weights["conv.weight"].data.view(-1)
    weight[0], weight[1] = -0.0, 0.0
    network.end_phase(dense=True)
    assert bits(weight)[0] == 0
    assert network.counts()["conv.weight"] == [36]
    network.end_phase()
    assert network.counts()["conv.weight"] == [34]


def test_a_nan_is_refused_at_the_end_of_a_phase(network):
    network.open_task(3)
    network.weights["conv.weight"].data[0, 0, 0, 0] = float("nan")
    with pytest.raises(Diverged, match=r"conv\.weight"):
        network.end_phase()


def test_dropping_frees_the_newest_tasks_weights(network):
    network.open_task(3)
    halve(network)
    kept = network.weights["conv.weight"].detach().clone()
    network.open_task(2)
    for name, weight in network.weights.items():
        weight.data[network.owners[name] == 2] = 1.0
    network.drop_newest()
    assert network.counts() == {"conv.weight": [18], "depthwise.weight": [18]}
    assert torch.equal(network.weights["conv.weight"], kept)
    assert (network.tasks, network.open) == (1, 0)


def test_the_255th_task_is_refused(network):
    network.heads = [network.heads] * 254
    with pytest.raises(RequestError, match="254"):
        network.open_task(2)


def test_a_digest_depends_on_all_that_a_task_uses_and_nothing_else(network):
    def digest(task):
        return network.task_digest(task, [network.weights_digest(i) for i in range(1, task + 1)])

    network.open_task(3)
    halve(network)
    first = digest(1)
    network.open_task(2)
    network.weights["conv.weight"].data[network.owners["conv.weight"] == 2] = 1.0
    assert digest(1) == first
    second = digest(2)
    own = network.owners["conv.weight"] == 1
    network.weights["conv.weight"].data[own] *= 1.0000001
    assert digest(1) != first
    assert digest(2) != second


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.b.weight = self.a.weight


def test_tied_weights_are_one_weight():
    assert list(PackedNetwork(Tied(), "fc").weights) == ["a.weight"]


def bilinear():
    return nn.Sequential(nn.Bilinear(4, 4, 4), nn.Linear(4, 2))


def weight_norm():
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 2))


def old_spectral_norm():
    return nn.Sequential(nn.utils.spectral_norm(nn.Linear(4, 4)), nn.Linear(4, 2))


def recurrent():
    return nn.Sequential(nn.LSTM(4, 4), nn.Linear(4, 2))


@pytest.mark.parametrize("make", [bilinear, weight_norm, old_spectral_norm, recurrent])
def test_what_cannot_be_packed_is_refused_by_layer_name(make):
    with pytest.raises(RequestError, match="layer '0'"):
        PackedNetwork(make(), "1")


def test_a_layer_without_any_of_the_open_tasks_weights_gets_no_gradient(network):
    network.open_task(3)
    network.prune({"conv.weight": 0.0, "depthwise.weight": 0.5})
    network.end_phase()
    network.open_task(2)
    network.train_mode()
    network.model(images()).sum().backward()
    assert network.weights["conv.weight"].grad is None
    assert network.weights["depthwise.weight"].grad is not None
