"""The baselines: their losses against figures computed by hand, and what each trains and leaves unchanged."""

import math

import pytest
import torch
from torch import nn

from packnet_core import baselines
from packnet_core.baselines import MultiHeadNetwork, NewTask, first_network
from packnet_core.baselines.ewc import ewc_objective, fisher_diagonal
from packnet_core.baselines.joint import JointImages, JointTrainingRun
from packnet_core.baselines.lwf import add_task, distillation, lwf_objective
from packnet_core.data.images import Images
from packnet_core.data.loading import load
from packnet_core.packfile.header import read_header
from packnet_core.schema.document import Input
from packnet_core.schema.events import Epoch, Evaluated, TrainStep
from packnet_core.schema.recipes import Recipe
from tests.worlds import add, images, pack_file, work

RECIPE = Recipe(lr=0.05, epochs=3, batch_size=15)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A pack file whose first task is trained, its data, and two more tasks' data."""
    folder = tmp_path_factory.mktemp("baselines")
    data = [images(folder / f"{name}.npz", classes=classes, seed=seed)
            for seed, (name, classes) in enumerate([("first", 3), ("second", 4), ("third", 2)])]  # fmt: skip
    path = pack_file(folder / "net.safetensors")
    work(path, add("first", data[0], prune=None))
    return path, [load(str(d), read_header(path).document.input, flip=False) for d in data]


@pytest.fixture
def start(world) -> MultiHeadNetwork:
    path, data = world
    return first_network(path, data[0].test)


@pytest.fixture
def tasks(world) -> list[NewTask]:
    return [NewTask(name, data, RECIPE) for name, data in zip(("second", "third"), world[1][1:], strict=True)]


def state(network: MultiHeadNetwork) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.model.state_dict().items()}


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def record_copies(patch: pytest.MonkeyPatch) -> list[MultiHeadNetwork]:
    """The copies that a baseline makes of its network."""
    copies, copy = [], MultiHeadNetwork.copy
    patch.setattr(MultiHeadNetwork, "copy", lambda network: copies.append(copy(network)) or copies[-1])
    return copies


def results(events) -> list[tuple[str, float]]:
    return [(event.task, event.error.top1) for event in events if isinstance(event, Evaluated)]


class Tiny(nn.Module):
    """Two inputs, two hidden values, two answers; no biases but the head's."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(2, 2, bias=False)
        self.head = nn.Linear(2, 2)
        with torch.no_grad():
            self.body.weight.zero_()
            self.head.weight.copy_(torch.eye(2))
            self.head.bias.zero_()

    def forward(self, x):
        return self.head(self.body(x.flatten(1)))


def tiny() -> tuple[MultiHeadNetwork, Images]:
    """The network above, and two images of two channels of one pixel: (1, 0) and (1, 0.5), up to rounding to bytes."""
    pixels = torch.tensor([[255, 0], [255, 128]], dtype=torch.uint8).view(2, 2, 1, 1)
    given = Input(channels=2, size=1, mean=(0.0, 0.0), std=(1.0, 1.0))
    found = Images(pixels, torch.arange(2), torch.tensor([0, 1]), given)
    model = Tiny()
    return MultiHeadNetwork(model, "head", ["first"], [model.head], [found]), found


# -- alone --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [baselines.classifier_only, baselines.individual])
def test_a_baseline_learns_its_task_and_leaves_the_start_unchanged(start, tasks, method):
    before = state(start)
    ((name, error),) = results(method(start, tasks[0]))
    assert name == "second"
    assert error < tasks[0].data.chance
    assert same(state(start), before)
    assert start.names == ["first"]


def test_classifier_only_changes_the_head_alone(start, tasks, monkeypatch):
    copies = record_copies(monkeypatch)
    list(baselines.classifier_only(start, tasks[0]))
    inside = start.head + "."
    (after,) = copies
    assert len(after.heads[-1].weight) == 4
    assert same({n: t for n, t in state(after).items() if not n.startswith(inside)},
                {n: t for n, t in state(start).items() if not n.startswith(inside)})  # fmt: skip


def test_classifier_only_keeps_its_rate(start, tasks):
    rates = {event.lr for event in baselines.classifier_only(start, tasks[0]) if isinstance(event, TrainStep)}
    assert rates == {RECIPE.lr}
    assert len({e.lr for e in baselines.individual(start, tasks[0]) if isinstance(e, TrainStep)}) == 2


# -- Learning without Forgetting ----------------------------------------------------------------------------------


def test_the_distillation_loss_by_hand():
    """Targets (ln 9, 0) are 0.9 and 0.1; at temperature 2 their square roots, 3 : 1, give 0.75 and 0.25.

    New logits (0, 0) are one half each, so the cross entropy is ln 2. New logits (ln 81, 0) give 9 : 1 at temperature
    2, so it is -(0.75 ln 0.9 + 0.25 ln 0.1).
    """
    wanted = torch.tensor([[math.log(9), 0.0]])
    assert distillation(torch.zeros(1, 2), wanted, 2.0).item() == pytest.approx(math.log(2))
    far = torch.tensor([[math.log(81), 0.0]])
    by_hand = -(0.75 * math.log(0.9) + 0.25 * math.log(0.1))
    assert distillation(far, wanted, 2.0).item() == pytest.approx(by_hand)
    both = distillation(torch.cat([torch.zeros(1, 2), far]), wanted.expand(2, 2), 2.0)
    assert both.item() == pytest.approx((math.log(2) + by_hand) / 2)


def test_lwf_adds_the_distillation_of_every_older_head_to_the_new_loss():
    network, found = tiny()
    with torch.no_grad():
        network.heads[0].bias.copy_(torch.tensor([math.log(9), 0.0]))  # it answers 0.9 and 0.1 for every image
    before = network.copy()
    network.heads.append(nn.Linear(2, 3))
    with torch.no_grad():
        network.heads[1].weight.zero_()
        network.heads[1].bias.zero_()  # one third each: the new task's loss is ln 3
        network.heads[0].bias.zero_()  # and the old head has drifted to one half each: its distillation is ln 2
    ((batch, labels),) = found.batches(2, "cpu")
    loss, logits = lwf_objective(network, before, balance=0.5, temperature=2.0)(batch, labels)
    assert loss.item() == pytest.approx(math.log(3) + 0.5 * math.log(2))
    assert logits.shape == (2, 3)


def test_lwf_measures_every_task_after_each_addition(start, tasks):
    before = state(start)
    found = results(baselines.lwf(start, tasks, head_epochs=1))
    assert [name for name, _ in found] == ["first", "second", "first", "second", "third"]
    assert same(state(start), before)


def test_lwf_keeps_the_answers_for_older_tasks(start, tasks):
    """Older answers to the new task's images change far less than without the distillation."""

    batch, _ = next(tasks[0].data.train.batches(60, "cpu"))

    def answers(network: MultiHeadNetwork) -> torch.Tensor:
        network.model.eval()
        return network.heads[0](network.features(batch)).detach().softmax(1)

    def moved(balance: float) -> float:
        network = start.copy()
        task = NewTask("second", tasks[0].data, RECIPE.changed({"epochs": 8}))
        for _ in add_task(network, task, balance, 2.0, 1):
            pass
        return float((answers(network) - answers(start)).abs().mean())

    assert moved(5.0) < 0.5 * moved(0.0)


def test_lwf_trains_the_new_head_alone_at_first(start, tasks):
    network = start.copy()
    body = {name: tensor.clone() for name, tensor in network.model.state_dict().items() if "conv" in name}
    epochs = 0
    for event in add_task(network, tasks[0], 1.0, 2.0, 2):
        if isinstance(event, Epoch):
            epochs += 1
            unmoved = all(torch.equal(network.model.state_dict()[name], tensor) for name, tensor in body.items())
            assert unmoved == (epochs <= 2)
    assert epochs == 3


# -- Elastic Weight Consolidation ---------------------------------------------------------------------------------


def test_the_fisher_diagonal_by_hand():
    """Both answers are one half, so d log p(y) / d z is ±1/2, a weight's derivative ±x/2, and its square x²/4."""
    network, found = tiny()
    half = (128 / 255) ** 2 / 2  # the mean of the squares of 0 and 128/255
    fisher = fisher_diagonal(network, found)
    assert fisher.keys() == {"body.weight"}
    torch.testing.assert_close(fisher["body.weight"], torch.tensor([[0.25, half / 4], [0.25, half / 4]]))


def test_the_ewc_penalty_by_hand():
    """A loss of ln 2 plus strength / 2 · Σ F d²: 10 / 2 · (3 · 0.2² + 1 · 0.1²); other weights have not moved."""
    network, found = tiny()
    fisher = {"body.weight": torch.tensor([[3.0, 1.0], [5.0, 7.0]])}
    anchor = {"body.weight": torch.tensor([[0.2, -0.1], [0.0, 0.0]])}
    ((batch, labels),) = found.batches(2, "cpu")
    loss, _ = ewc_objective(network, [(fisher, anchor)], strength=10.0)(batch, labels)
    assert loss.item() == pytest.approx(math.log(2) + 5 * (3 * 0.04 + 0.01))


def test_a_stronger_ewc_penalty_moves_weights_less(start, tasks, world):
    def moved(strength: float) -> float:
        with pytest.MonkeyPatch.context() as patch:
            copies = record_copies(patch)
            found = results(baselines.ewc(start, tasks[:1], world[1][0].train, strength=strength, images=20))
        assert [name for name, _ in found] == ["first", "second"]
        now, then = copies[0].model.state_dict(), start.model.state_dict()
        return sum(float((now[n] - then[n]).square().sum()) for n in then if n.startswith("conv"))

    assert moved(1e4) < 0.5 * moved(0.0)


# -- Joint Training -----------------------------------------------------------------------------------------------


def test_joint_batches_have_the_same_number_of_images_of_each_task(world):
    data = world[1]
    mixed = JointImages([d.train for d in data], [0, 3, 7])
    for batch, labels in mixed.batches(15, "cpu", generator=torch.Generator().manual_seed(0)):
        assert len(batch) == 15
        assert [int(((labels >= low) & (labels < high)).sum()) for low, high in ((0, 3), (3, 7), (7, 9))] == [5, 5, 5]


def test_joint_compares_only_classes_of_the_same_task(start, tasks, world):
    network = start.copy()
    for task in tasks:
        network.open_task(task)
    run = JointTrainingRun(network, world[1], RECIPE)
    batch, _ = next(world[1][1].train.batches(4, "cpu"))
    loss, logits = run.answer(batch, torch.tensor([3, 4, 5, 6]))
    assert torch.isinf(logits[:, :3]).all()
    assert torch.isinf(logits[:, 7:]).all()
    alone = network.with_head(2).model.train()(batch)
    torch.testing.assert_close(logits[:, 3:7], alone)
    torch.testing.assert_close(loss, nn.functional.cross_entropy(alone, torch.arange(4)))


def test_joint_training_learns_all_tasks_and_leaves_the_start_unchanged(start, tasks, world):
    before = state(start)
    found = results(baselines.joint(start, world[1][0], tasks, RECIPE.changed({"epochs": 4})))
    assert [name for name, _ in found] == ["first", "second", "third"]
    for (_, error), data in zip(found, world[1], strict=True):
        assert error < data.chance
    assert same(state(start), before)


def test_no_baseline_touches_the_pack_file(world, start, tasks):
    path, data = world
    before = path.read_bytes()
    for events in (
        baselines.individual(start, tasks[0]),
        baselines.lwf(start, tasks[:1], head_epochs=1),
        baselines.joint(start, data[0], tasks[:1], RECIPE),
    ):
        list(events)
    assert path.read_bytes() == before
