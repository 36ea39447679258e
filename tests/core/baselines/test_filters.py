"""Filter pruning (§5.5) from end to end, and the bits of the older task."""

import pytest
import torch

from packnet_core.baselines import filters, first_network
from packnet_core.baselines.filter_network import NEVER
from packnet_core.data import loading
from packnet_core.errors import RequestError
from packnet_core.network.owners import bits
from packnet_core.packfile.header import read_header
from packnet_core.schema.events import Epoch, Evaluated, Pruned
from packnet_core.training.evaluate import evaluate
from tests import worlds
from tests.core.baselines.filter_experiments import RECIPE, begin, every_third_freed


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
