"""What a job would do, in words; and what empty fields would mean."""

import pytest

from packnet_core.planning.forecast import forecast
from packnet_core.schema import recipes
from packnet_core.schema.document import Layer
from packnet_core.schema.recipes import Recipe
from packnet_tui.workbench.screens import recipe_fields, recipe_words
from tests.tui.made_up import task

LAYERS = (Layer(name="a", shape=(10, 60), owned=(300, 75)), Layer(name="b", shape=(400,), owned=(200, 50)))
TASKS = (task("one", 0.5, 10.0), task("two", 0.75, 10.0))


def test_a_task_from_its_first_epoch_to_the_weights_it_owns():
    assert recipe_words.adding(Recipe(), 0.75, forecast(LAYERS, TASKS, 0.75, least=0.05)) == (
        "20 epochs at 0.001, 0.0001 from epoch 11; pruned at 0.75; then 10 epochs at 0.0001. "
        "At 0.75, three more tasks: 9.4, 7.0 and 5.3 % of the weights each, this one first"
    )
    brief = recipe_words.adding(Recipe(), 0.75, forecast(LAYERS, TASKS, 0.75, least=0.05), brief=True)
    assert brief.endswith(". At 0.75, three more tasks, this one first")


def test_without_a_ratio_it_keeps_what_is_free():
    words = recipe_words.adding(Recipe(), None, forecast(LAYERS, TASKS, 0))
    assert words.endswith("; not pruned yet: owns all free weights, 37.5%")


def test_in_chosen_layers_it_takes_what_is_free_there_alone():
    layers = [Layer(name=name, shape=(100,), owned=(50,)) for name in ("a", "b")]
    chosen = forecast(layers, TASKS[:1], 0.5, least=0.1, only={"a"})
    assert "At 0.5, one more task: 12.5 % of the weights" in recipe_words.adding(Recipe(), 0.5, chosen)
    everywhere = forecast(layers, TASKS[:1], 0.5, least=0.1)
    assert "two more tasks: 25.0 and 13.0 % of the weights each" in recipe_words.adding(Recipe(), 0.5, everywhere)


def test_the_first_task_has_everything():
    empty = forecast([Layer(name="a", shape=(100,), owned=())], (), 0.5, least=0.4)
    text = recipe_words.adding(Recipe(epochs=1), 0.5, empty)
    words = "1 epoch at 0.001; pruned at 0.5; then 1 epoch at 0.0001. At 0.5, one more task: 50.0 % of the weights"
    assert text == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "not trained"),
        ({"epochs": 4, "decay_epoch": 0}, "4 epochs at 0.0001"),
        ({"epochs": 4, "decay_epoch": 4}, "4 epochs at 0.001"),
        ({"epochs": 4, "decay_epoch": 9}, "4 epochs at 0.001"),
        ({"epochs": 4, "decay_epoch": 3, "lr": 0.02}, "4 epochs at 0.02, 0.002 from epoch 4"),
        ({"epochs": 4, "schedule": "cosine"}, "4 epochs at 0.001, down to 0 along a cosine"),
        ({"epochs": 4, "schedule": "onecycle"}, "4 epochs at 0.001, up and down in one cycle"),
    ],
)
def test_the_rate_falls_where_training_has_it_fall(changes, words):
    assert recipe_words.trained(Recipe(**changes)) == words


def test_the_rate_of_retraining_falls_where_a_recipe_says_so():
    assert recipe_words.retrained(recipes.named("paper", "imagenet:/data")) == "10 epochs at 0.001, 0.0001 from epoch 6"
    assert recipe_words.retrained(Recipe(epochs=4)) == "2 epochs at 0.0001"


def test_empty_fields_say_what_they_would_be():
    values = {"epochs": "9", "lr": "0.02", "schedule": "step"}
    assert recipe_fields.hints(values) == {
        "decay_epoch": "4 (half)", "retrain_epochs": "4 (half)", "retrain_lr": "0.002 (a tenth)",
    }  # fmt: skip
    assert recipe_fields.hints(values | {"schedule": "cosine"})["decay_epoch"] == "only with step"
    assert set(recipe_fields.hints(values | {"epochs": "many"}).values()) == {""}
