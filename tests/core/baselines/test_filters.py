"""Filter pruning (§5.5): how filters are ranked, what is freed and what is never free, and two tasks in one pass."""

import math

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from packnet_core.baselines import filters, first_network
from packnet_core.baselines.filter_chain import find_chain
from packnet_core.baselines.filter_file import load, save
from packnet_core.baselines.filter_network import NEVER, FilterNetwork
from packnet_core.baselines.filter_ranking import Ranking, lowest
from packnet_core.data import loading
from packnet_core.errors import Diverged, FileError, RequestError
from packnet_core.files.safetensors_header import read_safetensors_header
from packnet_core.network import architectures
from packnet_core.network.owners import bits
from packnet_core.packfile import storage
from packnet_core.packfile.header import read_header
from packnet_core.schema.document import Architecture, Input
from packnet_core.schema.events import Epoch, Evaluated, Pruned
from packnet_core.schema.recipes import Recipe
from packnet_core.training.evaluate import evaluate
from packnet_core.training.loss_scaling import LossScaling
from tests import worlds

INPUT = Input(channels=3, size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
RECIPE = Recipe(lr=0.05, epochs=1, retrain_epochs=1, batch_size=16)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two tasks, of 7 and 3 classes."""
    folder = tmp_path_factory.mktemp("data")
    made = {"old": (7, 0), "new": (3, 1)}
    return {
        name: loading.load(
            str(worlds.images(folder / f"{name}.npz", classes, 140, 35, channels=3, seed=seed)),
            INPUT,
            flip=False,
        )
        for name, (classes, seed) in made.items()
    }


def seven(name: str) -> nn.Module:
    torch.manual_seed(0)
    return architectures.build(name, classes=7)


def begin(name: str = "tests.networks:vgg_bn") -> filters.FilterExperiment:
    model = seven(name)
    head = architectures.find_head(model)
    features = model.get_submodule(head).in_features
    return filters.begin(Architecture(name=name, head=head, features=features), INPUT, model)


def every_third_freed(network: FilterNetwork) -> None:
    network.free([torch.arange(layer.filters) % 3 == 1 for layer in network.layers])


# -- ranking ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inplace", [False, True])
def test_the_rank_is_the_one_computed_by_hand(inplace):
    """Two 1×1 filters of weights 1 and -1 on images of 1×2; the loss is s·v·z, z being what ReLU lets through.

    v = (1, -1) for the first filter's two pixels, (4, 5) for the second's. Image A = (1, 3) with s = 1, B = (-2, 4)
    with s = -1; the gradient of an image's own loss is s·v.
    - first filter: A: z = (1, 3), |mean(1·1, 3·-1)| = 1; B: z = (0, 4), |mean(0·-1, 4·1)| = 2
    - second: A: z = (0, 0), 0; B: z = (2, 0), |mean(2·-4, 0)| = 4
    A batch of A and B, and then one of B alone: sums 1 + 2 + 2 = 5 and 0 + 4 + 4 = 8, divided by √(25 + 64).
    """
    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(inplace), nn.Flatten(), nn.Linear(4, 1, bias=False))
    model[0].weight.data[:] = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    model[3].weight.data[:] = torch.tensor([1.0, -1.0, 4.0, 5.0])
    a, b = torch.tensor([[1.0, 3.0], [-2.0, 4.0]]).view(2, 1, 1, 2)
    ranking = Ranking(find_chain(model, "3")[:-1])
    with ranking.collecting():
        (torch.tensor([[1.0], [-1.0]]) * model(torch.stack([a, b]))).mean().backward()
        (-model(b[None])).mean().backward()
    (-model(b[None])).mean().backward()  # not collected
    torch.testing.assert_close(ranking.ranks(), [torch.tensor([5.0, 8.0]) / math.sqrt(89)])


def test_ranks_are_those_of_the_loss_before_it_is_scaled():
    """In half precision the loss is multiplied; a step whose gradients overflow does not count."""

    def ranks(factor: float, *, overflow: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
        ranking, scaling = Ranking(find_chain(model, "2")[:-1]), LossScaling(factor)
        with ranking.collecting(scaling):
            for images in (torch.randn(6, 2), torch.randn(6, 2)):
                (model(images).mean() * scaling.factor).backward()
                if overflow:
                    (model(images).mean() * math.inf).backward()
                scaling.factor *= factor
        return ranking.ranks()

    torch.testing.assert_close(ranks(4.0, overflow=True), ranks(1.0, overflow=False))


def test_a_rank_that_is_nan_is_refused():
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    ranking = Ranking(find_chain(model, "2")[:-1])
    with ranking.collecting():
        (model(torch.full((1, 1), math.nan))).sum().backward()
    with pytest.raises(Diverged, match="gradients of 0 are NaN"):
        ranking.ranks()


def test_the_lowest_of_all_layers_are_chosen_and_one_of_each_layer_is_kept():
    ranks = [torch.tensor([0.1, 0.2]), torch.tensor([0.05, 0.3, 0.01, 0.0])]
    freed = [torch.tensor([False, False]), torch.tensor([False, False, False, True])]
    assert [c.tolist() for c in lowest(ranks, freed, 2)] == [[False, False], [True, False, True, False]]
    for count in (3, 10):
        assert [c.tolist() for c in lowest(ranks, freed, count)] == [[True, False], [True, False, True, False]]
    assert not any(bool(c.any()) for c in lowest(ranks, freed, -1))


# -- what is freed ------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("tests.networks:resnet", "ResNet .*'maxpool' goes to 2 places"),
        ("tests.networks:densenet", "DenseNet .*'features_pool0' goes to"),
        ("cifar_resnet8", "CifarResNet .*'relu' goes to 2 places"),
        ("tests.networks:mobilenet", "MobileNetV3 .*'Hardswish'"),
        ("tests.networks:vit", "VisionTransformer "),
    ],
)
def test_a_network_that_is_not_a_plain_chain_is_refused_and_the_place_is_named(name, where):
    with pytest.raises(RequestError, match=f"filters of {where}"):
        begin(name)


@pytest.mark.parametrize("name", ["vgg11", "vgg19_bn", "alexnet", "cifar_vgg", "digits_net", "tests.networks:vgg"])
def test_plain_chains_are_accepted(name):
    model = architectures.shapes(name)
    *layers, head = find_chain(model, architectures.find_head(model))
    modules = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [layer.module for layer in (*layers, head)] == modules
    assert [layer.norm for layer in layers if layer.norm] == norms


def test_vgg16_has_the_papers_number_of_filters():
    model = architectures.shapes("vgg16")
    assert sum(layer.filters for layer in find_chain(model, "classifier.6")[:-1]) == 12_416


# -- the older task -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tests.networks:vgg", "tests.networks:vgg_bn", "cifar_vgg"])
@pytest.mark.parametrize(
    "recipe", [{"weight_decay": 0.1}, {"optimizer": "adamw", "weight_decay": 0.1, "lr": 1e-2}, {"precision": "bf16"}]
)
def test_the_older_task_keeps_every_bit(name, recipe, data):
    experiment = begin(name)
    network = experiment.network
    list(filters.train(experiment, "old", data["old"], RECIPE))
    every_third_freed(network)
    digest, owners = network.digest(), dict(network.owners)
    before = {key: tensor.clone() for key, tensor in network.model.state_dict().items()}
    images, _ = next(data["old"].test.batches(30, "cpu"))
    answers = network.answers(images)[0]
    list(filters.add(experiment, "new", data["new"], RECIPE.changed(recipe)))

    after = network.model.state_dict()
    for key, owner in owners.items():
        assert torch.equal(bits(after[key])[owner != 0], bits(before[key])[owner != 0])
        assert not after[key][owner == NEVER].any()
    for layer, freed in zip(network.layers, network.freed, strict=True):
        weight = f"{layer.name}.weight"
        assert bool((after[weight][freed] != 0).any(1).all())
        if layer.norm:
            for part in ("running_mean", "running_var"):
                key = f"{layer.norm_name}.{part}"
                assert torch.equal(bits(after[key])[~freed], bits(before[key])[~freed])
                assert bool((after[key][freed] != before[key][freed]).all())
    assert network.digest() == digest
    # products with weights of 0.0 are 0.0, but the order in which they are summed is not guaranteed
    torch.testing.assert_close(network.answers(images)[0], answers, rtol=1e-6, atol=1e-6)


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


# -- both tasks at once -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def done(data):
    """A whole experiment, and its events."""
    experiment = begin("digits_net")
    events = [
        *filters.train(experiment, "old", data["old"], RECIPE.changed({"epochs": 4})),
        *filters.prune(experiment, "old", data["old"], RECIPE, share=0.3, rounds=3),
        *filters.add(experiment, "new", data["new"], RECIPE.changed({"epochs": 4}), first=data["old"].test),
    ]
    return experiment, events


def test_an_experiment_from_end_to_end(done, data):
    experiment, events = done
    counts = experiment.network.counts()
    total = sum(all_of for _, all_of in counts.values())
    prunings = [event for event in events if isinstance(event, Pruned)]
    assert [round(p.ratio * total) for p in prunings] == [round(round(0.3 * total) * n / 3) for n in (1, 2, 3)]
    assert sum(freed for freed, _ in counts.values()) == round(0.3 * total)
    assert all(freed < all_of for freed, all_of in counts.values())
    epochs = [(e.task, e.phase, e.epoch) for e in events if isinstance(e, Epoch)]
    assert epochs == [
        *(("old", "train", n) for n in (1, 2, 3, 4)),
        *(("old", "retrain", n) for n in (1, 2, 3, 4)),
        *(("new", "train", n) for n in (1, 2, 3, 4)),
    ]
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    assert [e.task for e in evaluated] == ["old", "old", "old", "new"]
    assert evaluated[1].error == evaluated[2].error  # before the second task and after
    for one in evaluated[2:]:
        assert one.error.top1 < data[one.task].chance / 2
    assert [(task.name, task.error) for task in experiment.tasks] == [(e.task, e.error) for e in evaluated[2:]]


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


def test_a_saved_experiment_is_loaded_unchanged(done, data, tmp_path):
    experiment, path = done[0], tmp_path / "filters.safetensors"
    assert save(path, experiment) == path.stat().st_size
    again = load(path)
    assert (again.tasks, again.architecture, again.input) == (experiment.tasks, experiment.architecture, INPUT)
    assert again.network.counts() == experiment.network.counts()
    assert again.network.digest() == experiment.network.digest()
    state, loaded = experiment.network.model.state_dict(), again.network.model.state_dict()
    assert list(state) == list(loaded)
    assert all(torch.equal(state[name], loaded[name]) for name in state)
    assert all(torch.equal(experiment.network.owners[n], owner) for n, owner in again.network.owners.items())
    tests = {name: one.test for name, one in data.items()}
    errors = {e.task: e.error for e in filters.evaluate_tasks(again, tests) if isinstance(e, Evaluated)}
    assert errors == {task.name: task.error for task in experiment.tasks}


def test_an_experiment_begins_with_the_first_task_of_a_pack_file(tmp_path):
    """The file is only read; before anything is freed, the first task has the same error in the experiment."""
    source = worlds.images(tmp_path / "first.npz", train=120)
    path = worlds.pack_file(tmp_path / "net.safetensors")
    entries = worlds.work(path, worlds.add("first", source, prune=None))
    given = read_header(path).document
    one = loading.load(str(source), given.input, flip=False)
    experiment = filters.begin(given.architecture, given.input, first_network(path, one.test).model)
    file = path.read_bytes()
    found = [e for e in evaluate(experiment.network, 1, "first", one.test) if isinstance(e, Evaluated)]
    assert [e.error for e in found] == [e.event.error for e in entries if isinstance(e.event, Evaluated)]
    list(filters.prune(experiment, "first", one, RECIPE, rounds=1))
    assert path.read_bytes() == file


def test_a_saved_experiment_can_be_resumed(data, tmp_path):
    """Saved after pruning and loaded again, it adds a task with the same bits as without."""
    straight = begin()
    list(filters.prune(straight, "old", data["old"], RECIPE, rounds=1))
    save(tmp_path / "half", straight)
    stopped = load(tmp_path / "half")
    for experiment in (straight, stopped):
        list(filters.add(experiment, "new", data["new"], RECIPE))
    state, other = (experiment.network.model.state_dict() for experiment in (straight, stopped))
    assert all(torch.equal(state[name], other[name]) for name in state)


def test_other_files_are_refused(done, tmp_path):
    path = tmp_path / "filters.safetensors"
    save(path, done[0])
    with pytest.raises(FileError, match="not a pack file"):
        storage.load(path)
    worlds.pack_file(tmp_path / "pack.safetensors")
    with pytest.raises(FileError, match="not a filter-pruning experiment"):
        load(tmp_path / "pack.safetensors")
    metadata, tensors = read_safetensors_header(path)[0], load_file(path)
    for change in ({"packnet.freed.conv1": None}, {"packnet.freed.conv1": torch.zeros(3)}):
        changed = {name: t for name, t in {**tensors, **change}.items() if t is not None}
        save_file(changed, tmp_path / "changed", metadata)
        with pytest.raises(FileError, match=r"changed.*(disagree|do not fit)"):
            load(tmp_path / "changed")


def test_requests_out_of_order_are_refused(done, data):
    experiment = begin()
    with pytest.raises(RequestError, match="no first task"):
        list(filters.add(experiment, "new", data["new"], RECIPE))
    with pytest.raises(RequestError, match="has 7 classes"):
        list(filters.prune(experiment, "new", data["new"], RECIPE))
    for share, rounds in ((0.0, 10), (0.99, 10), (0.3, 0)):
        with pytest.raises(RequestError, match="can't be freed"):
            list(filters.prune(experiment, "old", data["old"], RECIPE, share, rounds))
    with pytest.raises(RequestError, match="has two tasks"):
        list(filters.prune(done[0], "old", data["old"], RECIPE))
    with pytest.raises(RequestError, match="already"):
        list(filters.add(done[0], "old", data["new"], RECIPE))
