import pytest
from msgspec.structs import replace

from packnet_core.errors import RequestError
from packnet_core.jobs.rules import against_chance, chance_warning, check, layer_ratios, ways_out
from packnet_core.jobs.unfinished import Unfinished
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema import recipes
from packnet_core.schema.commands import Add, Drop, Evaluate, Prune, Train
from packnet_core.schema.recipes import Recipe
from tests.core.small_documents import document, task

ADD = Add(task="birds", data="/y")
SEALED = task("old", "sealed")
INTERRUPTED = Unfinished(
    checkpoint=Checkpoint(base="", command=ADD, phase="train", document=document(task()), before=None, run={})
)


@pytest.mark.parametrize(
    ("given", "command", "says"),
    [
        (document(task()), replace(ADD, task="cars"), "already"),
        (document(), replace(ADD, task="a\nb"), "name"),
        (document(), replace(ADD, task="  "), "name"),
        (document(), replace(ADD, prune=1.5), "0 to 1"),
        (document(), replace(ADD, limit=0), "--limit"),
        (document(task(phase="trained"), owned=20), ADD, "prune it first"),
        (document(task(), owned=20), ADD, "no weight is free"),
        (document(task(top1=50.0)), ADD, "chance"),
        (document(task()), Prune(ratio=1.5, yes=True), "a share from 0 to 1"),
        (document(task()), Prune(ratio=0.5, layers={"fc": 2.0}, yes=True), "a share from 0 to 1"),
        (document(task()), Prune(ratio=0.5, task="birds"), "was meant for task 'birds', and now the newest is 'cars'"),
        (document(task()), Train(recipe={"epochs": 2}, task="birds"), "was meant for"),
        (document(*(task(f"t{i}", "sealed") for i in range(254)), owned=0), ADD, "254"),
        (document(), Prune(ratio=0.5), "no task"),
        (document(SEALED), Prune(ratio=0.5), "sealed"),
        (document(task()), Prune(ratio=-0.1), "0 to 1"),
        (document(task()), Prune(ratio=1), "frees every weight of 'cars'.* say --yes"),
        (document(task()), Prune(ratio=1, max_drop=100.0), "frees every weight of 'cars'.* say --yes"),
        (document(task()), Prune(ratio=0.95), "pruning at 0.95 frees every weight"),  # 5 in each layer
        (document(task()), Prune(ratio=0.1, layers={"all": 1.0}), "frees every weight"),
        (document(), replace(ADD, prune=1.0), "frees every weight of 'birds'.* say --yes"),
        (document(task()), replace(ADD, prune=1.0, layers=("features.*",)), "frees every weight of 'birds'"),
        (document(task()), Prune(ratio=0.5, layers={"nothing*": 0.1}), "nothing"),
        (document(task()), Prune(ratio=0.5, recipe={"retrain_epochs": -1}), "retrain_epochs"),
        (document(SEALED), Train(), "sealed"),
        (document(task()), Train(recipe={"lr": "fast"}), "lr"),
        (document(task()), Evaluate(tasks=("boats",)), "boats"),
        (document(), Evaluate(), "no task"),
        (document(task()), Evaluate(limit=0), "--limit is a number of images, 1 or more"),
        (document(SEALED, task()), Evaluate(data="/z"), "one task"),
        (document(task()), Drop(task="cars"), "first task"),
        (document(SEALED, task()), Drop(task="old"), "newest"),
        (document(SEALED, task()), Drop(task="boats"), "boats"),
    ],
)
def test_commands_that_are_not_allowed_are_refused_with_a_reason(given, command, says):
    with pytest.raises(RequestError, match=says):
        check(given, command)


@pytest.mark.parametrize(
    ("given", "command"),
    [
        (document(), ADD),
        (document(task(phase="pruned")), ADD),
        (document(task(top1=50.0)), replace(ADD, yes=True)),
        (document(SEALED), ADD),
        (document(task(phase="trained"), owned=20), Prune(ratio=1, yes=True)),
        (document(task()), Prune(ratio=1, layers={"features.*": 0.5})),
        (document(task()), Prune(ratio=0)),
        (document(SEALED, task()), Drop(task="cars")),
        (document(SEALED, task("b", "sealed")), Drop(task="b")),
    ],
)
def test_allowed_commands_pass(given, command):
    check(given, command)


@pytest.mark.parametrize(
    ("error", "chance", "words"),
    [
        (90.0, 90.0, "no better"), (91.0, 90.0, "no better"), (50.0, 50.0, "no better"), (0.0, 0.0, "no better"),
        (78.02, 88.65, "little better"), (71.0, 90.0, "little better"), (31.0, 50.0, "little better"),
        (91.0, 99.0, "little better"), (4.5, 5.0, "little better"), (67.0, 90.0, ""), (3.25, 88.65, ""),
        (25.0, 50.0, ""), (85.0, 99.0, ""), (2.0, 5.0, ""),
        (50.0, float("nan"), ""), (50.0, 1e9, ""), (-5.0, 50.0, ""),
    ],
)  # fmt: skip
def test_an_error_close_to_chance_is_told_by_the_number_of_classes(error, chance, words):
    given = replace(task(top1=error), chance=chance)
    assert against_chance(given) == (f"{words} than chance" if words else "")
    assert against_chance(replace(given, error=None)) == ""


def test_what_helps_a_hopeless_task_is_what_can_be_done():
    bad, best = task(top1=49.0), Recipe().changed(recipes.changes("best", "/x"))
    ways = ways_out(document(SEALED, bad))
    assert list(ways.values()) == ["train it with --recipe best", "drop it"]
    assert list(ways_out(document(bad))) == ["train"]  # the first can't be dropped
    assert ways_out(document(SEALED, replace(bad, recipe=best)))["train"] == "train it further"
    assert chance_warning(document(SEALED, bad)) == (
        "cars: test error 49.00 %, little better than chance (50.00 %, always the largest class); "
        "train it with --recipe best, or drop it"
    )
    assert chance_warning(document(SEALED, task())) == chance_warning(document(SEALED)) == ""


def test_an_interrupted_job_can_be_resumed_in_any_state_of_the_file():
    check(document(), Train(), INTERRUPTED)
    check(document(task()), Evaluate(), INTERRUPTED)


@pytest.mark.parametrize(
    "command", [ADD, Prune(ratio=0.5), Train(recipe={"lr": 0.1}), Drop(task="cars")], ids=lambda c: type(c).__name__
)
def test_an_interrupted_job_is_not_given_up_unasked(command):
    given = document(SEALED, task())
    with pytest.raises(RequestError, match="interrupted"):
        check(given, command, INTERRUPTED)
    check(given, replace(command, yes=True), INTERRUPTED)


def test_ratios_by_layer_and_pattern_later_ones_win():
    prune = Prune(ratio=0.5, layers={"features.*": 0.1, "classifier.0": 0.9})
    assert layer_ratios(document(task()), prune) == {"features.0.weight": 0.1, "classifier.0.weight": 0.9}


def test_recipe_defaults_are_the_papers():
    recipe = Recipe()
    assert (recipe.optimizer, recipe.lr, recipe.momentum, recipe.weight_decay) == ("sgd", 1e-3, 0.9, 0.0)
    assert (recipe.batch_size, recipe.epochs, recipe.decays_after) == (32, 20, 10)
    assert (recipe.retraining_epochs, recipe.retraining_lr) == (10, pytest.approx(1e-4))


def test_after_a_lost_job_training_names_the_command_to_repeat():
    lost = Unfinished(lost=Add(task="my birds", data="/data/birds", prune=0.75, recipe=Recipe(lr=0.02)))
    again = "packnet add FILE 'my birds' --data /data/birds --prune 0.75 --lr 0.02"
    with pytest.raises(RequestError, match=f"add my birds --prune 0.75 left nothing to resume; do it again: {again}"):
        check(document(task()), Train(), lost)
    check(document(task()), Train(recipe={"epochs": 3}), lost)  # asks for more training of the open task
    check(document(task()), lost.lost, lost)
