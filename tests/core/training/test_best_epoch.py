"""The best epoch by validation error: which it is, and that its weights are loaded to the bit."""

import gc

import pytest
import torch
import torch.nn.functional as F
from msgspec.structs import replace

from packnet_core.data.loading import load
from packnet_core.errors import FileError
from packnet_core.files.safetensors_header import read_safetensors_header
from packnet_core.packfile import storage
from packnet_core.schema.events import Epoch, Note
from packnet_core.schema.recipes import Recipe
from packnet_core.training.best_epoch import BestEpoch, ValidatedEpoch
from packnet_core.training.run import TrainingRun
from tests.worlds import add, images, pack_file, same, work

RECIPE = Recipe(lr=0.05, momentum=0, epochs=4, decay_epoch=4, retrain_epochs=4, retrain_lr=0.05, batch_size=16)
LAST = replace(RECIPE, pick="last")


def validated(epoch, error=1.0, loss=1.0):
    return ValidatedEpoch(epoch=epoch, error=error, loss=loss)


def test_the_lower_error_wins_then_the_lower_loss_then_the_later_epoch():
    assert validated(1).better_than(None)
    assert validated(1, error=1, loss=9).better_than(validated(2, error=2, loss=0))
    assert validated(1, loss=0.5).better_than(validated(2, loss=0.6))
    assert validated(2).better_than(validated(1))
    assert not validated(1).better_than(validated(2))


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_an_epoch_whose_loss_is_not_finite_is_the_worst_and_can_be_saved(tmp_path, loss):
    best = BestEpoch({"a": torch.zeros(2)}, tmp_path / "best.safetensors")
    best.offer(validated(1, loss=loss), last=False)
    best.restore(best.found, epochs=3)
    assert best.load(3) == 1
    best.offer(validated(2, loss=9.0), last=False)
    best.offer(validated(3, loss=loss), last=True)
    assert best.load(3) == 2


@pytest.fixture
def data(tmp_path):
    return images(tmp_path / "data.npz", size=16, channels=3)


@pytest.fixture
def path(tmp_path, data):
    path = pack_file(tmp_path / "net.safetensors", "tests.networks:with_biases", size=16, channels=3)
    work(path, add("one", data))
    return path


def a_run(path, data, recipe=RECIPE, first=False, only=None, own=(), good=2, validation=True, **options) -> TrainingRun:
    """A run whose validation loss and error are lowest after epoch `good`: after it the gradient is reversed."""
    if first:
        path = pack_file(path.with_name("new.safetensors"), "tests.networks:with_biases", size=16, channels=3)
    network, document = storage.load(path)
    network.open_task(3, own=own, only=only, generator=torch.Generator().manual_seed(0))
    loaded = load(str(data), input=document.input, flip=None, crop=None, limit=None, seed=0, classes=None)

    def objective(pictures, labels):
        logits = network.model(pictures)
        return F.cross_entropy(logits, labels) * (1.0 if run.epoch <= good else -2.0), logits

    left = loaded.validation if validation else loaded.validation.sample(0, seed=0)
    run = TrainingRun(network, "x", "train", recipe, loaded.train, left, only, objective=objective, **options)
    return run


def everything(network) -> dict[str, torch.Tensor]:
    tensors = {**network.weights, **network.rest, **network.heads[-1].state_dict(prefix="head.")}
    tensors |= {f"own.{name}": tensor for name, tensor in network.own[-1].items()}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@pytest.mark.parametrize("kept", [True, False], ids=["at a path", "temporary"])
@pytest.mark.parametrize(
    "how",
    [{"first": True}, {}, {"own": ("biases", "norms")}, {"only": frozenset({"conv.weight"})}, {"only": frozenset()}],
    ids=str,
)
def test_a_run_ends_with_the_weights_of_its_best_epoch(tmp_path, path, data, how, kept):
    run = a_run(path, data, keep=tmp_path / "best.safetensors" if kept else None, **how)
    after = {}
    for event in run.events():
        if isinstance(event, Epoch):
            after[event.epoch] = everything(run.network), (event.validation_error, event.validation_loss)
        last = event
    assert min(after, key=lambda epoch: after[epoch][1]) == 2
    assert run.picked == 2
    assert isinstance(last, Note)
    assert "epoch 2 of 4 is taken" in last.text
    assert not same(after[2][0], after[4][0])
    assert same(everything(run.network), after[2][0])
    assert (tmp_path / "best.safetensors").exists() == kept
    folder = run.best.path.parent
    run = None
    gc.collect()
    assert folder.exists() == kept  # a temporary file is deleted with its run


def test_other_heads_that_a_run_trains_are_loaded_too(path, data):
    extra = torch.nn.Parameter(torch.zeros(3))
    run = a_run(path, data, extra=[extra])
    cross_entropy = run.objective

    def objective(pictures, labels):
        loss, logits = cross_entropy(pictures, labels)
        return loss + extra.sum(), logits

    run.objective = objective
    then = {e.epoch: extra.detach().clone() for e in run.events() if isinstance(e, Epoch)}
    assert not torch.equal(then[2], then[4])
    assert torch.equal(extra, then[2])


@pytest.mark.parametrize(
    "how",
    [{"recipe": LAST}, {"validation": False}, {"good": 4}, {"recipe": replace(RECIPE, epochs=1)}],
    ids=["asked for", "no validation", "the best", "the only one"],
)
def test_the_last_epoch_is_taken_if_asked_for_or_best_or_alone(path, data, how):
    run = a_run(path, data, **how)
    events = list(run.events())
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert run.picked == run.epochs == len(epochs)
    assert not any(isinstance(event, Note) for event in events)


def test_the_last_epoch_is_not_saved(tmp_path, path, data):
    keep = tmp_path / "best.safetensors"
    list(a_run(path, data, recipe=replace(RECIPE, epochs=1), keep=keep).events())
    assert not keep.exists()
    run = a_run(path, data, good=4, keep=keep)
    for event in run.events():
        if isinstance(event, Epoch) and event.epoch == 3:
            written = keep.stat().st_mtime_ns
    assert run.picked == 4
    assert keep.stat().st_mtime_ns == written


def test_without_epochs_nothing_happens(path, data):
    run = a_run(path, data, recipe=replace(RECIPE, epochs=0))
    before = everything(run.network)
    assert list(run.events()) == []
    assert run.picked == 0
    assert same(before, everything(run.network))


def test_only_what_is_trained_is_saved(tmp_path, path, data):
    keep = tmp_path / "best.safetensors"
    list(a_run(path, data, only=frozenset({"conv.weight"}), own=("norms",), keep=keep).events())
    tensors = read_safetensors_header(keep).tensors
    heads = {"packnet.head.weight", "packnet.head.bias"}
    norms = {f"bn.{part}" for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
    assert set(tensors) == {"conv.weight", *norms, *heads}


def test_a_file_that_holds_another_epoch_is_refused(tmp_path):
    tensors = {"a": torch.zeros(2)}
    best = BestEpoch(tensors, tmp_path / "best.safetensors")
    best.offer(validated(1), last=False)
    best.restore(validated(2, error=9), epochs=5)
    assert best.found == validated(1)  # saved after that checkpoint
    with pytest.raises(FileError, match="epoch 3, the best so far, is gone"):
        best.restore(validated(3, error=0), epochs=5)
    (tmp_path / "best.safetensors").unlink()
    best.restore(validated(5), epochs=5)  # the last needs no file
    with pytest.raises(FileError):
        best.restore(validated(3), epochs=5)


def test_a_single_epoch_is_not_trained_at_a_tenth_of_the_rate_and_is_retrained():
    one = Recipe(epochs=1)
    assert (one.decays_after, one.retraining_epochs) == (1, 1)
    assert (Recipe(epochs=0).retraining_epochs, Recipe().retraining_epochs) == (0, 10)
