"""Recipes by name: what §4 says, by data, in every command that takes one; and that other options change it."""

import pytest
from msgspec.structs import replace

from packnet_core.errors import RequestError
from packnet_core.jobs.phases import changed_recipe
from packnet_core.jobs.rules import check
from packnet_core.schema import recipes
from packnet_core.schema.commands import Prune, Train
from packnet_core.schema.events import PhaseStarted, TrainStep
from packnet_core.schema.recipes import Recipe
from packnet_core.training.learning_rate import rate
from tests.core.small_documents import document, task
from tests.worlds import add, images, pack_file, work

CUBS, PLACES, IMAGENET = "cub200:/data/cub", "places365:/data/places", "imagenet:/data/imagenet"


def rates(recipe: Recipe, phase: str) -> list[float]:
    """Of each epoch."""
    epochs = recipe.epochs if phase == "train" else recipe.retraining_epochs
    return [pytest.approx(rate(recipe, phase, epoch * 3, 3)) for epoch in range(epochs)]


@pytest.mark.parametrize(
    ("data", "train", "retrain"),
    [
        (CUBS, [1e-3] * 10 + [1e-4] * 10, [1e-4] * 10),
        ("cars:/data/cars", [1e-3] * 10 + [1e-4] * 10, [1e-4] * 10),
        ("flowers102:/data/flowers", [1e-3] * 10 + [1e-4] * 10, [1e-4] * 10),
        ("/data/birds", [1e-3] * 10 + [1e-4] * 10, [1e-4] * 10),
        (PLACES, [1e-3] * 5 + [1e-4] * 5, [1e-4] * 10),
        (IMAGENET, [1e-3] * 5 + [1e-4] * 5, [1e-3] * 5 + [1e-4] * 5),
    ],
)
def test_the_papers_recipe_is_section_4(data, train, retrain):
    recipe = recipes.named("paper", data)
    assert recipe.batch_size == 32
    assert rates(recipe, "train") == train
    assert rates(recipe, "retrain") == retrain


def test_every_recipe_has_something_for_any_data_and_is_valid():
    for name, by_data in recipes.RECIPES.items():
        assert "" in by_data
        for start in by_data:
            assert isinstance(recipes.named(name, start), Recipe)
            add("x", "data.npz", **recipes.additions(name, start))


def test_no_name_is_no_change_and_another_is_an_error():
    assert recipes.named("", CUBS) == Recipe()
    with pytest.raises(RequestError, match="there is no recipe 'papre'; the recipes are paper"):
        recipes.named("papre", CUBS)


def test_a_named_recipe_may_give_a_task_its_own_tensors(monkeypatch):
    table = {"": {"lr": 0.02, "own": ("norms",), "steps": 2}}
    monkeypatch.setitem(recipes.RECIPES, "ours", table)
    assert recipes.named("ours", CUBS) == Recipe(lr=0.02)
    assert recipes.additions("ours", CUBS) == {"own": ("norms",), "steps": 2}
    assert recipes.additions("ours", CUBS, first=True) == {"steps": 2}  # which is refused where it was asked for


def test_pruning_and_training_on_take_it_by_the_tasks_data_or_by_what_is_given():
    old = replace(task(), recipe=Recipe(optimizer="adamw", schedule="cosine", epochs=3, lr=0.1, seed=7))
    imagenet = replace(old, data=replace(old.data, source=IMAGENET))
    paper = replace(recipes.named("paper", IMAGENET), seed=7)
    assert changed_recipe(imagenet, Prune(ratio=0.5, named="paper")) == paper
    assert changed_recipe(imagenet, Train(named="paper")) == paper
    few = Prune(ratio=0.5, named="paper", recipe={"retrain_epochs": 2})
    assert changed_recipe(imagenet, few) == replace(paper, retrain_epochs=2)
    given = Prune(ratio=0.5, named="paper", data=CUBS)
    assert changed_recipe(imagenet, given) == replace(recipes.named("paper", CUBS), seed=7)
    longer = Train(named="paper", recipe={"epochs": 2, "lr": 0.5, "decay_epoch": 1})
    assert rates(changed_recipe(imagenet, longer), "retrain") == [0.5, 0.05]
    assert not Train(named="paper").resumes


def test_a_wrong_name_is_refused_before_any_work():
    for command in (Prune(ratio=0.5, named="papre"), Train(named="papre")):
        with pytest.raises(RequestError, match="no recipe 'papre'"):
            check(document(task()), command)


def test_a_pruning_by_name_retrains_as_it_says(tmp_path, monkeypatch):
    monkeypatch.setitem(
        recipes.RECIPES, "paper", {"": {"retrain_epochs": 4, "retrain_lr": 0.03, "retrain_decay_epoch": 3}}
    )
    path, data = pack_file(tmp_path / "net.safetensors"), images(tmp_path / "data.npz")
    work(path, add("one", data, prune=None))
    events = [entry.event for entry in work(path, Prune(ratio=0.5, named="paper"))]
    assert [e.epochs for e in events if isinstance(e, PhaseStarted)] == [4]
    steps = [e.lr for e in events if isinstance(e, TrainStep)]
    assert steps == [pytest.approx(0.03)] * 12 + [pytest.approx(0.003)] * 4
