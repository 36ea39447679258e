import pytest
import torch
from safetensors.torch import load_file, save_file

from packnet_core.errors import RequestError
from packnet_core.jobs import journal
from packnet_core.network import architectures
from packnet_core.packfile.create import new
from packnet_core.packfile.export import export
from packnet_core.packfile.header import read_header
from packnet_core.packfile.paths import Paths
from packnet_core.packfile.storage import load
from packnet_core.packfile.verify import verify
from packnet_core.schema.commands import Add, Prune
from packnet_core.schema.events import Evaluated
from tests.worlds import QUICK, add, images, pack_file, work


@pytest.fixture
def weights(tmp_path):
    """A trained-looking state dict of a digits_net with three classes."""
    torch.manual_seed(0)
    state = architectures.build("digits_net", channels=1, classes=3).state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def test_without_a_task_all_weights_are_free_and_keep_their_values(tmp_path, weights):
    path = pack_file(tmp_path / "net.safetensors", weights=str(weights))
    document = read_header(path).document
    assert document.tasks == ()
    assert document.free == document.weights
    given = load_file(weights)
    network, _ = load(path)
    assert all(torch.equal(w, given[name]) for name, w in network.weights.items())
    work(path, add("one", images(tmp_path / "data.npz"), recipe=QUICK.changed({"epochs": 0}), prune=None))
    network, _ = load(path)  # the first task started from them
    assert all(torch.equal(w, given[name]) for name, w in network.weights.items())


def test_with_a_task_the_given_head_is_kept_and_the_network_answers_as_before(tmp_path, weights):
    data = images(tmp_path / "data.npz")
    path = tmp_path / "net.safetensors"
    events = list(
        new(path, "digits_net", weights=str(weights), input_size=8, channels=1, task="first", data_source=str(data))
    )
    (task,) = read_header(path).document.tasks
    assert (task.name, task.phase, len(task.classes)) == ("first", "trained", 3)
    assert task.error == next(e.error for e in events if isinstance(e, Evaluated))
    export(path, "first", tmp_path / "out.safetensors")
    given, out = load_file(weights), load_file(tmp_path / "out.safetensors")
    assert given.keys() == out.keys()
    assert all(torch.equal(given[name], out[name]) for name in given)
    work(path, Prune(ratio=0.5, recipe={"retrain_epochs": 1, "batch_size": 16}))
    work(path, add("second", data, yes=True))
    assert all(checked.ok for checked in verify(path))


def test_a_given_head_with_other_classes_is_refused(tmp_path, weights):
    data = images(tmp_path / "data.npz", classes=4)
    with pytest.raises(RequestError, match="3 classes, and the data has 4"):
        pack_file(tmp_path / "net.safetensors", weights=str(weights), task="first", data_source=str(data))
    assert not (tmp_path / "net.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"arch": "resnet19"}, "resnet18"),
        ({"task": "x"}, "needs --weights and --data"),
        ({"data_source": "x"}, "needs --task"),
        ({"task": "a\nb", "data_source": "x", "weights": "y"}, "no control characters"),
        ({"weights": "nowhere.safetensors"}, "nowhere"),
        ({"mean": (0.5, 0.5)}, "--mean"),
        ({"std": (0.0,)}, "--std"),
        ({"size": 0}, "size 0"),
        ({"arch": "tests.networks:vgg_bn", "channels": 3, "size": 2}, "can't take images of 3×2×2"),
        ({"arch": "tests.networks:vit", "channels": 3, "size": 16}, "can't take images of 3×16×16"),
        ({"device": "nothing"}, "device 'nothing'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_left(tmp_path, options, says):
    with pytest.raises(RequestError, match=says):
        pack_file(tmp_path / "net.safetensors", **options)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_do_not_fit_are_named(tmp_path, weights):
    state = load_file(weights)
    state["conv1.weight"] = torch.zeros(2, 2)
    del state["conv2.weight"]
    save_file(state, weights)
    with pytest.raises(RequestError, match=r"conv1\.weight") as refused:
        pack_file(tmp_path / "net.safetensors", weights=str(weights))
    assert "conv2.weight" in str(refused.value)


def test_weights_with_nan_are_refused(tmp_path, weights):
    state = load_file(weights)
    state["conv1.weight"][0, 0, 0, 0] = float("nan")
    save_file(state, weights)
    with pytest.raises(RequestError, match="NaN"):
        pack_file(tmp_path / "net.safetensors", weights=str(weights))


def test_the_journal_of_a_former_file_of_this_name_is_put_aside(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    work(path, add("one", images(tmp_path / "data.npz")))
    path.unlink()
    pack_file(path)
    assert journal.read(Paths(path).journal) == []
    assert len(list(Paths(path).folder.glob("journal-*.jsonl"))) == 1


def test_a_head_without_a_bias_is_kept_with_one_of_zeros(tmp_path):
    model = architectures.build("tests.networks:maxvit").eval()
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    given = images(tmp_path / "data.npz", classes=7, size=32, channels=3)
    path = tmp_path / "net.safetensors"
    pack_file(
        path,
        "tests.networks:maxvit",
        32,
        3,
        weights=str(tmp_path / "w.safetensors"),
        task="one",
        data_source=str(given),
    )
    network, _ = load(path)
    x = torch.randn(2, 3, 32, 32)
    with network.viewing(1) as packed, torch.inference_mode():
        assert torch.equal(packed(x), model(x))


def test_add_refuses_data_the_network_cannot_take(tmp_path):
    path = pack_file(tmp_path / "net.safetensors")
    colour = images(tmp_path / "colour.npz", channels=3)
    from packnet_core.jobs import run_job

    entries = list(run_job.run(path, Add(task="x", data=str(colour))))
    assert (entries[-1].event.outcome, entries[-1].event.status) == ("failed", 2)
    assert "channel" in entries[-1].event.message
    assert read_header(path).document.tasks == ()
