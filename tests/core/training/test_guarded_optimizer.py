import pytest
import torch
from torch import nn

from packnet_core.network import blockwise
from packnet_core.network.owners import bits
from packnet_core.training import guarded_optimizer
from packnet_core.training.guarded_optimizer import GuardedOptimizer, kind_of_decay

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd, momentum and weight decay": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "fused sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, fused=True),
    "fused sgd, momentum alone": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "fused adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1, fused=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "asgd": lambda p: torch.optim.ASGD(p, lr=0.1, lambd=0.1),  # its other weights must be restored
}


@pytest.fixture(params=OPTIMIZERS, ids=str)
def make(request):
    return OPTIMIZERS[request.param]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """So that one layer has chunks of all four kinds: the open task owns much, little, all or nothing."""
    monkeypatch.setitem(blockwise.BLOCK, "cpu", 2)  # chunks of 8 weights


def layer():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(6, 10))
    owner = torch.full((60,), 2, dtype=torch.uint8)
    owner[0:16:3] = 1  # two chunks of which task 2 owns much
    owner[16:24] = 1  # one of which it owns nothing
    owner[25] = 0
    owner[32:48] = 1  # two of which it owns little
    owner[[33, 40, 47]] = 2
    weight.data.view(-1)[owner == 0] = 0.0
    return weight, owner.view(6, 10)


def steps(make, weight, owner, bias, count, guarded=None):
    guarded = guarded or GuardedOptimizer(make, [(weight, owner)], [bias], task=2)
    for step in range(count):
        guarded.zero_grad()
        x = torch.linspace(-1, 1, 10) * (step + 1)
        ((weight @ x + bias) ** 2).sum().backward()
        guarded.step()
    return guarded


def test_only_the_open_tasks_weights_move(make):
    weight, owner = layer()
    bias = nn.Parameter(torch.zeros(6))
    before = weight.detach().clone()
    steps(make, weight, owner, bias, 20)
    own = owner == 2
    assert torch.equal(bits(weight.data)[~own], bits(before)[~own])
    assert bool((weight.data != before)[own].all())
    assert bool((bias != 0).all())


def test_the_open_tasks_weights_move_as_with_the_plain_optimizer(make):
    weight, owner = layer()
    whole = torch.full_like(owner, 2)
    guarded_weight, plain_weight = nn.Parameter(weight.detach().clone()), nn.Parameter(weight.detach().clone())
    guarded_bias, plain_bias = nn.Parameter(torch.zeros(6)), nn.Parameter(torch.zeros(6))
    steps(make, guarded_weight, whole, guarded_bias, 5)
    plain = make([plain_weight, plain_bias])
    for step in range(5):
        plain.zero_grad()
        ((plain_weight @ (torch.linspace(-1, 1, 10) * (step + 1)) + plain_bias) ** 2).sum().backward()
        plain.step()
    assert torch.equal(guarded_weight, plain_weight)


@pytest.mark.parametrize("shared", [True, False])
def test_a_large_layer_is_stepped_within_backward_to_the_same_bits_and_its_gradient_freed(make, shared, monkeypatch):
    """Only once its gradient is complete, even if the layer is used twice."""
    late, owner = layer()
    early = nn.Parameter(late.detach().clone())
    x = torch.linspace(-1, 1, 10)
    for weight, large in ((late, 61), (early, 60)):
        monkeypatch.setattr(guarded_optimizer, "LARGE", large)
        bias = nn.Parameter(torch.zeros(6))
        guarded = GuardedOptimizer(make, [(weight, owner)], [bias], task=2)
        for _ in range(3):
            guarded.zero_grad()
            answer = weight @ x + bias
            answer = weight @ torch.tanh(weight.T @ answer) if shared else answer
            with guarded.step_in_backward():
                torch.tanh(answer).sum().backward()
            assert (weight.grad is None) == (weight is early)
            assert bias.grad is not None
            guarded.step()
    assert torch.equal(bits(early.data), bits(late.data))
    early.sum().backward()  # outside the context, nothing happens before the step
    assert early.grad is not None


def test_a_restored_state_resumes_to_the_same_bits(make):
    straight, owner = layer()
    stopped, bias, other = nn.Parameter(straight.detach().clone()), *(nn.Parameter(torch.zeros(6)) for _ in "ab")
    steps(make, straight, owner, bias, 3)
    first = steps(make, stopped, owner, other, 3)
    again = GuardedOptimizer(make, [(stopped, owner)], [other], task=2)
    again.restore({name: value.clone() for name, value in first.state().items()})
    one = steps(make, straight, owner, bias, 0)
    one.restore(first.state())
    steps(make, straight, owner, bias, 4, one)
    steps(make, stopped, owner, other, 4, again)
    assert torch.equal(straight, stopped)


def test_a_state_is_restored_into_chunks_of_another_size(make, monkeypatch):
    """As on another device."""
    straight, owner = layer()
    stopped, bias, other = nn.Parameter(straight.detach().clone()), *(nn.Parameter(torch.zeros(6)) for _ in "ab")
    steps(make, straight, owner, bias, 7)
    state = steps(make, stopped, owner, other, 3).state()
    monkeypatch.setitem(blockwise.BLOCK, "cpu", 6)
    again = GuardedOptimizer(make, [(stopped, owner)], [other], task=2)
    again.restore(state)
    zeroed = torch.linspace(-1, 1, 10)
    for step in range(3, 7):
        again.zero_grad()
        ((stopped @ (zeroed * (step + 1)) + other) ** 2).sum().backward()
        again.step()
    assert torch.equal(straight, stopped)


@pytest.mark.parametrize("share", [1 / 10, 1 / 2])
def test_a_state_holds_the_open_tasks_weights_only(share):
    own = torch.arange(80) < 80 * share
    weight, owner = nn.Parameter(torch.randn(80)), own.to(torch.uint8) + 1
    guarded = GuardedOptimizer(OPTIMIZERS["adam"], [(weight, owner[torch.randperm(80)])], [], task=2)
    weight.grad = torch.ones(80)
    guarded.step()
    assert guarded.state()["0.exp_avg"].shape == (80 * share,)


def test_gathered_chunks_need_no_state_for_other_weights():
    """The optimizer's state has the size of the task's share."""
    owner = torch.ones(80, dtype=torch.uint8)
    owner[::10] = 2
    weight = nn.Parameter(torch.randn(80))
    guarded = GuardedOptimizer(OPTIMIZERS["adam"], [(weight, owner)], [], task=2)
    weight.grad = torch.ones(80)
    guarded.step()
    held = sum(t.numel() for state in guarded.optimizer.state.values() for t in state.values() if t.dim())
    assert held == 2 * 8  # two averages


def test_other_weights_gradients_that_are_not_finite_do_not_reach_the_tasks_weights(make):
    """The gradient of a sealed weight may overflow or be NaN."""
    weight, owner = layer()
    before = weight.detach().clone()
    guarded = GuardedOptimizer(make, [(weight, owner)], [], task=2)
    weight.grad = torch.where(owner == 2, 1.0, float("nan"))
    assert guarded.gradient_norm() == pytest.approx(int((owner == 2).sum()) ** 0.5)
    weight.grad = torch.where(owner == 2, 1.0, float("nan"))
    guarded.step()
    assert torch.equal(bits(weight.data)[owner != 2], bits(before)[owner != 2])
    assert bool(torch.isfinite(weight).all())


CPU = torch.device("cpu")


@pytest.mark.parametrize("decay", [0.0, 1e-12, 0.1])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(
    ("kind", "found"),
    [(torch.optim.SGD, "coupled"), (torch.optim.Adam, "coupled"), (torch.optim.AdamW, "decoupled")],
)
def test_even_slight_weight_decay_is_detected(kind, found, fused, decay):
    """Without weight decay it is enough that sealed weights get no gradient."""
    tried = kind_of_decay(lambda p: kind(p, lr=1e-5, weight_decay=decay, fused=fused), CPU)
    assert tried == (found if decay else "none")


def test_an_optimizer_with_another_kind_of_decay_is_detected():
    """Averaged SGD shrinks weights by another setting; with `maximize`, decay has the opposite sign."""
    assert kind_of_decay(lambda p: torch.optim.ASGD(p), CPU) is None
    assert kind_of_decay(lambda p: torch.optim.SGD(p, weight_decay=0.1, maximize=True), CPU) is None


def test_masking_gradients_does_not_stop_weight_decay():
    """Why GuardedOptimizer exists: with its gradient masked to zero, a sealed weight still decays."""
    weight = nn.Parameter(torch.ones(3))
    weight.grad = torch.zeros(3)
    torch.optim.SGD([weight], lr=0.1, weight_decay=0.1).step()
    assert bool((weight != 1).all())
