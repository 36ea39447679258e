"""The Python API: README's example, what each method does, and that importing it is cheap."""

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import packnet_core as packnet
from packnet_core.errors import RequestError
from packnet_core.jobs import journal
from packnet_core.network import architectures
from packnet_core.packfile import storage
from packnet_core.packfile.paths import Paths
from packnet_core.schema.events import Epoch, JobStarted
from tests.worlds import add, images, pack_file, work

README = Path(__file__).parents[2] / "README.md"
QUICK = {"epochs": 2, "retrain_epochs": 1, "lr": 0.05, "batch_size": 16}


@pytest.fixture
def data(tmp_path):
    return {name: images(tmp_path / f"{name}.npz", seed=seed) for seed, name in enumerate(("one", "two"))}


@pytest.fixture
def file(tmp_path):
    return packnet.open(pack_file(tmp_path / "net.safetensors"), device="cpu")


def commands(file) -> list:
    return [e.event.command for e in journal.read(Paths(file.path).journal) if isinstance(e.event, JobStarted)]


def used_network(pixels) -> dict[str, torch.Tensor]:
    """Weights whose running statistics fit the images; the few training steps of a test would not set them."""
    torch.manual_seed(0)
    model = architectures.build("cifar_resnet20").train()
    seen = torch.from_numpy(pixels[:32]).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        for _ in range(20):
            model(seen)
    return model.state_dict()


def test_the_readmes_example_runs_and_does_what_it_says(tmp_path, monkeypatch, capsys):
    """Word for word, on small data sets of the same names and a state dict of the same network."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("fashion", "signs")):
        images(tmp_path / f"{name}.npz", classes=2, train=96, test=20, size=32, channels=3, seed=seed)
    save_file(used_network(np.load("fashion.npz")["train_images"]), "resnet20.safetensors")
    (lines,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len([line for line in lines.splitlines() if line]) <= 12
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)
    names = {"pixels": pixels}
    exec(lines, names)
    file = names["file"]
    assert [(name, task.phase, task.prune_ratio) for name, task in file.tasks.items()] == [
        ("fashion", "sealed", 0.5), ("signs", "retrained", 0.5),
    ]  # fmt: skip
    assert "'fashion': Error(top1=" in capsys.readouterr().out
    assert torch.equal(names["answers"][0], names["logits"][0]) or torch.allclose(
        names["answers"][0], names["logits"][0], atol=1e-5
    )
    assert set(load_file("signs.safetensors")) == set(architectures.build("cifar_resnet20").state_dict())


def test_importing_it_and_opening_a_file_needs_no_torch(file):
    script = (
        "import sys, packnet_core as packnet\n"
        "assert not {'torch', 'numpy', 'msgspec'} & set(sys.modules)\n"
        f"file = packnet.open({str(file.path)!r})\n"
        "assert (file.free, file.tasks, len(file.forecast(0.5))) == (1.0, {}, len(file.document.layers) + 1)\n"
        "assert 'torch' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_methods_add_prune_train_evaluate_and_drop_a_task(file, data):
    seen = []
    file.listen = seen.append
    one = file.add("one", data["one"], **QUICK)
    assert (one.phase, one.recipe.lr, one.data.source) == ("trained", 0.05, str(data["one"]))
    assert any(isinstance(event, Epoch) for event in seen)
    assert set(file.preview(0.5, 0.9, images=20)) == {0.5, 0.9}
    assert file.prune(0.5, layers={"hidden": 0.25}, retrain_epochs=0).phase == "pruned"
    assert file.train(epochs=1).phase == "retrained"
    before = file.evaluate()
    two = file.add("two", data["two"], prune=0.5, own=["biases"], layers=["all"], steps=2, **QUICK)
    assert (two.phase, two.own, two.prune_ratio) == ("retrained", ("biases",), 0.5)
    assert file.evaluate("one") == before
    assert file.evaluate("one", limit=6)["one"].images == 6 < before["one"].images
    assert file.evaluate(data={"one": data["one"]}) == before
    assert file.verify()
    assert "one, two" in repr(file)
    assert commands(file)[-2].sources == {"one": str(data["one"])} or commands(file)[-1].sources
    file.drop("two")
    assert list(file.tasks) == ["one"]


def test_recipes_by_name_and_by_value(file, data, monkeypatch):
    from packnet_core.schema import recipes

    monkeypatch.setitem(recipes.RECIPES, "ours", {"": {"epochs": 1, "lr": 0.05, "steps": 2, "own": ("biases",)}})
    task = file.add("one", data["one"], recipe="ours", prune=0.5, seed=3)
    assert (task.recipe.epochs, task.recipe.seed, commands(file)[-1].steps) == (1, 3, 2)
    given = packnet.Recipe(epochs=1, lr=0.02)
    assert file.add("two", data["two"], recipe=given, epochs=2, yes=True).recipe == given.changed({"epochs": 2})
    assert task.own == ()  # the first task owns the shared rest
    file.prune(0.5, recipe="ours", retrain_epochs=0)
    assert (commands(file)[-1].named, commands(file)[-1].recipe) == ("ours", {"retrain_epochs": 0})


def test_answers_are_those_of_each_images_own_task(file, data):
    for name in ("one", "two"):
        file.add(name, data[name], prune=0.5, yes=True, **QUICK)
    pixels = np.load(data["one"])["test_images"]
    ready = file.prepare(pixels)
    assert ready.shape == (30, 1, 8, 8)
    with file.viewing("one") as model, torch.inference_mode():
        logits = model(ready)
    assert torch.equal(torch.stack(file.answer(ready, "one")), logits)
    wrong = 100 * float((logits.argmax(1) != torch.from_numpy(np.load(data["one"])["test_labels"])).float().mean())
    assert wrong == pytest.approx(file.evaluate("one")["one"].top1)  # `prepare` and evaluation agree
    mixed = file.answer(ready[:4], ["two", "one", "one", "two"])
    assert torch.allclose(mixed[1], logits[1], atol=1e-5)
    network, _ = storage.load(file.path)
    with network.viewing(2) as model, torch.inference_mode():
        assert torch.equal(mixed[3], model(ready[[0, 3]])[1])


def test_each_kind_of_error_has_its_exception(tmp_path, file, data):
    with pytest.raises(packnet.FileError, match="there is no file"):
        packnet.open(tmp_path / "none.safetensors")
    with pytest.raises(packnet.RequestError, match="no task to be pruned"):
        file.prune(0.5)
    with pytest.raises(packnet.RequestError, match="lr"):
        file.add("one", data["one"], lr=-1)
    with pytest.raises(TypeError, match="'epocs' is neither"):
        file.add("one", data["one"], epocs=1)
    with pytest.raises(packnet.WorkError, match="diverged"):
        file.add("one", data["one"], **{**QUICK, "lr": 1e30})
    assert file.tasks == {}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        packnet.nothing  # noqa: B018


@pytest.mark.parametrize(
    "wrong",
    [
        {"own": "norm"}, {"own": ["foo"]}, {"own": [1]}, {"flip": 1}, {"flip": "yes"}, {"prune": True}, {"limit": 60.5},
        {"steps": "2"}, {"layers": 3}, {"crop": "no"}, {"yes": "no"}, {"prune": np.nan}, {"epochs": "3"},
        {"lr": "fast"}, {"recipe": 5}, {"recipe": "papre"}, {"seed": -1},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_arguments_are_refused_and_nothing_is_lost(tmp_path, wrong):
    path, data = pack_file(tmp_path / "net.safetensors"), images(tmp_path / "data.npz")
    file = packnet.open(path)
    before = path.read_bytes()
    with pytest.raises((RequestError, TypeError)) as error:
        file.add("b", data, **wrong)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before


def test_numpy_values_and_single_names_are_accepted(tmp_path):
    path, data = pack_file(tmp_path / "net.safetensors", arch="cifar_vgg", size=16, channels=3), tmp_path / "data.npz"
    images(data, channels=3)
    file = packnet.open(path)
    file.add("a", data, epochs=np.int64(1), batch_size=16, prune=np.float32(0.5))
    task = file.add("b", data, epochs=1, batch_size=16, own="norms", limit=np.int32(30), layers="conv", yes=True)
    assert (task.own, task.data.limit, task.layers) == (("norms",), 30, ("conv",))
    assert packnet.open(path).verify()


def test_threads_are_answered_by_their_own_tasks_while_the_file_is_replaced(tmp_path):
    path, data = pack_file(tmp_path / "net.safetensors"), images(tmp_path / "data.npz")
    for name in ("one", "two"):
        work(path, add(name, data))
    file, stop = packnet.open(path), threading.Event()
    pictures = file.prepare(np.load(data)["test_images"])
    wanted = {name: torch.stack(file.answer(pictures, name)) for name in ("one", "two")}

    def replace_the_file():
        content = path.read_bytes()
        while not stop.is_set():
            (tmp_path / "copy").write_bytes(content)
            os.replace(tmp_path / "copy", path)

    replacing = threading.Thread(target=replace_the_file)
    replacing.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(
                pool.map(lambda i: (i % 2, torch.stack(file.answer(pictures, ("one", "two")[i % 2]))), range(40))
            )
    finally:
        stop.set()
        replacing.join()
    assert all(torch.equal(answer, wanted[("one", "two")[which]]) for which, answer in found)


def test_while_one_thread_adds_a_task_others_of_the_same_object_read_and_what_would_change_is_refused(file, data):
    file.add("one", data["one"], prune=0.5, **QUICK)
    pictures = file.prepare(np.load(data["one"])["test_images"])
    wanted, began, tried = torch.stack(file.answer(pictures, "one")), threading.Event(), threading.Event()

    def hold(event):
        if isinstance(event, Epoch):
            began.set()
            assert tried.wait(60)

    file.listen = hold
    with ThreadPoolExecutor(1) as pool:
        added = pool.submit(file.add, "two", data["two"], prune=0.5, yes=True, **QUICK)
        assert began.wait(60)
        try:
            for change in (
                lambda: file.add("three", data["two"], yes=True),
                lambda: file.prune(0.5),
                lambda: file.train(epochs=1),
                lambda: file.drop("one"),
                file.evaluate,
                file.preview,
            ):
                with pytest.raises(RequestError, match=r"is working on net\.safetensors|first task can't be dropped"):
                    change()
            assert torch.equal(torch.stack(file.answer(pictures, "one")), wanted)
            assert torch.equal(torch.stack(list(file.model("one")(pictures))), wanted)
            assert file.verify()
        finally:
            tried.set()
        assert added.result(60).name == "two"
    assert torch.equal(torch.stack(file.answer(pictures, "one")), wanted)
    assert list(file.tasks) == ["one", "two"]
    assert file.verify()
