"""Schedules, warm-up, smoothing, clipping, precision, memory format: what each does; none changes an old task."""

import itertools

import pytest
import torch
from msgspec.structs import replace
from torch import nn

from packnet_core.jobs import job
from packnet_core.jobs.session import Session
from packnet_core.packfile import storage, trust
from packnet_core.packfile.header import read_header
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Train
from packnet_core.schema.events import TrainStep
from packnet_core.schema.recipes import Recipe
from packnet_core.training import guarded_optimizer
from packnet_core.training.guarded_optimizer import GuardedOptimizer
from packnet_core.training.learning_rate import rate
from packnet_core.training.loss_scaling import GROWTH_INTERVAL, INITIAL_FACTOR, LossScaling
from tests.worlds import QUICK, add, images, pack_file, same, stop_after, used, work

STEPS = 7  # per epoch


def rates(recipe: Recipe, phase: str = "train") -> list[float]:
    epochs = recipe.epochs if phase == "train" else recipe.retraining_epochs
    return [rate(recipe, phase, step, STEPS) for step in range(epochs * STEPS)]


def by_torch(make, lr: float, count: int) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler, found = make(optimizer), []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_by_default_the_rate_is_the_papers():
    assert rates(Recipe(epochs=4)) == [1e-3] * 2 * STEPS + [1e-3 / 10] * 2 * STEPS
    assert rates(Recipe(epochs=4), "retrain") == [1e-4] * 2 * STEPS


@pytest.mark.parametrize("phase", ["train", "retrain"])
def test_cosine_and_one_cycle_are_torchs(phase):
    recipe = Recipe(epochs=6, lr=0.02, retrain_epochs=4, retrain_lr=0.01)
    lr, steps = (0.02, 6 * STEPS) if phase == "train" else (0.01, 4 * STEPS)
    cosine = by_torch(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps), lr, steps)
    assert rates(replace(recipe, schedule="cosine"), phase) == pytest.approx(cosine)
    cycle = by_torch(lambda o: torch.optim.lr_scheduler.OneCycleLR(o, lr, total_steps=steps), lr, steps)
    assert rates(replace(recipe, schedule="onecycle"), phase) == pytest.approx(cycle)


def test_warming_up_is_torchs_linear_rise():
    recipe = Recipe(epochs=6, lr=0.02, warmup_epochs=2)
    linear = by_torch(lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.1, total_iters=2 * STEPS), 0.02, 3 * STEPS)
    assert rates(recipe)[: 3 * STEPS] == pytest.approx(linear)


@pytest.mark.parametrize("schedule", ["step", "cosine", "onecycle"])
@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (2, 1), (3, 1)])
def test_the_shortest_runs_have_a_rate(schedule, epochs, steps):
    recipe = Recipe(epochs=epochs, schedule=schedule)
    assert all(0 < rate(recipe, "train", step, steps) <= recipe.lr for step in range(epochs * steps))


def test_loss_scaling_doubles_after_many_good_steps_and_is_halved_at_once():
    scaling = LossScaling(INITIAL_FACTOR)
    for _ in range(GROWTH_INTERVAL):
        scaling.grow()
    assert (scaling.factor, scaling.good_steps) == (2 * INITIAL_FACTOR, 0)
    scaling.grow()
    scaling.back_off()
    assert (scaling.factor, scaling.good_steps) == (INITIAL_FACTOR, 0)
    plain = LossScaling()
    for _ in range(GROWTH_INTERVAL + 1):
        plain.grow()
    assert plain.factor == 1


def test_the_norm_counts_only_what_is_trained():
    torch.manual_seed(0)
    mixed, own, sealed = (nn.Parameter(torch.randn(40, 30)) for _ in range(3))
    other = nn.Parameter(torch.randn(9))
    mine = torch.randint(1, 3, mixed.shape).to(torch.uint8)
    pairs = [(mixed, mine), (own, torch.full_like(mine, 2)), (sealed, torch.ones_like(mine))]
    guarded = GuardedOptimizer(lambda p: torch.optim.SGD(p, lr=1.0), pairs, [other], task=2)
    for parameter in (mixed, own, sealed, other):
        parameter.grad = torch.randn_like(parameter)
    trained = [mixed.grad[mine == 2], own.grad.reshape(-1), other.grad]
    norm = torch.cat(trained).norm()
    assert guarded.gradient_norm() == pytest.approx(float(norm))
    before = [p.detach().clone() for p in (mixed, own, sealed, other)]
    expected = [0.5 * g for g in (mixed.grad * (mine == 2), own.grad, torch.zeros_like(sealed), other.grad)]
    guarded.step(0.5)
    for parameter, old, moved in zip((mixed, own, sealed, other), before, expected, strict=True):
        assert torch.allclose(old - parameter.detach(), moved, atol=1e-6)
    assert torch.equal(sealed, before[2])


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz", size=16, channels=3, train=40)


@pytest.fixture
def path(tmp_path, data):
    path = pack_file(tmp_path / "net.safetensors", "tests.networks:with_biases", size=16, channels=3)
    work(path, add("one", data))
    return path


def trained(path, data, recipe: Recipe, **choices) -> dict[str, torch.Tensor]:
    """All tensors of a second task, trained by a recipe on a copy of a file."""
    copy = path.with_name("copy.safetensors")
    copy.write_bytes(path.read_bytes())
    trust.allow(copy, read_header(path).document.architecture.name)
    work(copy, add("two", data, recipe=recipe, **choices))
    return used(copy, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": "cosine"}, {"schedule": "onecycle"}, {"warmup_epochs": 1}, {"label_smoothing": 0.2},
        {"clip": 0.01}, {"precision": "bf16"}, {"precision": "fp16"}, {"optimizer": "adamw"}, {"momentum": 0.5},
        {"weight_decay": 0.1}, {"lr": 0.02}, {"epochs": 3}, {"decay_epoch": 0}, {"batch_size": 8}, {"seed": 1},
        {"retrain_lr": 0.02}, {"retrain_epochs": 2}, {"retrain_decay_epoch": 0},
    ],
    ids=str,
)  # fmt: skip
def test_each_option_has_an_effect(path, data, changes):
    assert not same(trained(path, data, QUICK), trained(path, data, replace(QUICK, **changes)))


@pytest.mark.parametrize("choice", [{"flip": False}, {"crop": True}, {"limit": 20}, {"prune": 0.4}], ids=str)
def test_each_choice_of_data_and_ratio_has_an_effect(path, data, choice):
    assert not same(trained(path, data, QUICK), trained(path, data, QUICK, **choice))


@pytest.mark.parametrize("last", [True, False])
def test_images_reach_the_network_in_the_recipes_memory_format(path, data, last):
    session = Session(path)
    formats, conv = [], session.network.model.conv
    conv.register_forward_pre_hook(
        lambda module, given: formats.append(given[0].is_contiguous(memory_format=torch.channels_last))
        if module.weight.requires_grad and torch.is_grad_enabled() else None
    )  # fmt: skip
    list(job.events(session, add("two", data, recipe=replace(QUICK, channels_last=last))))
    assert formats
    assert set(formats) == {last}


def test_the_memory_format_changes_no_more_than_rounding(path, data):
    plain, last = trained(path, data, QUICK), trained(path, data, replace(QUICK, channels_last=True))
    network, _ = storage.load(path)
    for name in network.weights:
        assert torch.allclose(plain[name], last[name], atol=1e-2)


OPTIONS = [
    Recipe(lr=0.02, epochs=2, retrain_epochs=1, batch_size=16, optimizer=optimizer, clip=clip,
           weight_decay=0.0 if schedule == "cosine" else 0.01,  # without it the optimizer steps in another way
           schedule=schedule, precision=precision, channels_last=bool(clip), label_smoothing=0.1, warmup_epochs=1)
    for optimizer, schedule, precision, clip in itertools.product(
        ("sgd", "adamw"), ("step", "cosine", "onecycle"), ("float32", "bf16", "fp16"), (None, 1.0)
    )
]  # fmt: skip


@pytest.mark.parametrize("changes", [{}, {"clip": 0.01}, {"precision": "fp16"}, {"optimizer": "adamw"}], ids=str)
def test_large_layers_get_the_same_weights_as_if_they_were_small(path, data, changes, monkeypatch):
    """They are stepped within backward, unless a step depends on the norm of all gradients, which rounds otherwise."""
    recipe = replace(QUICK, weight_decay=0.01, **changes)
    small = trained(path, data, recipe)
    monkeypatch.setattr(guarded_optimizer, "LARGE", 1)
    large = trained(path, data, recipe)
    if "clip" in changes:
        assert all(torch.allclose(small[name], large[name], rtol=1e-4, atol=1e-6) for name in small)
    else:
        assert same(small, large)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_job_frees_the_gradients_of_large_layers_within_backward(path, data, clip, monkeypatch):
    """Except with clipping, which needs all gradients for their norm."""
    monkeypatch.setattr(guarded_optimizer, "LARGE", 1)
    session = Session(path)
    left = [
        any(weight.grad is not None for weight in session.network.weights.values())
        for entry in job.events(session, add("two", data, recipe=replace(QUICK, clip=clip)))
        if isinstance(entry, TrainStep)
    ]
    assert left
    assert set(left) == {clip is not None}


@pytest.mark.parametrize(
    "recipe", OPTIONS, ids=lambda r: f"{r.optimizer}-{r.schedule}-{r.precision}-{'clip' if r.clip else ''}"
)
def test_no_option_changes_an_old_task_and_a_stopped_job_resumes_to_the_same_bits(path, data, recipe):
    one = used(path, 1)
    whole = trained(path, data, recipe)
    stop_after(job.events(Session(path), add("two", data, recipe=recipe)), TrainStep, 4)
    work(path, Train())
    assert same(whole, used(path, 2))
    assert same(one, used(path, 1))
    assert all(check.ok for check in verify(path))
