import pytest
from msgspec.structs import replace

from packnet_core.errors import RequestError
from packnet_core.jobs.ratios import layer_ratios
from packnet_core.jobs.rules import check, named
from packnet_core.jobs.unfinished import Unfinished
from packnet_core.packfile.checkpoint_header import Checkpoint
from packnet_core.schema.commands import Add, Discard, Drop, Evaluate, Order, Prune, Train, Undo
from packnet_core.schema.document import Step
from packnet_core.schema.recipes import Recipe
from tests.core.small_documents import document, task

ADD = Add(task="birds", data="/y")
SEALED = task("old", "sealed")
DROPPED = replace(document(SEALED), history=(Step(at=1.0, task="cars", what="drop cars"),))


def interrupted(command, left) -> Unfinished:
    """What a stopped job left that had made `left` of the file."""
    return Unfinished(Checkpoint(base="", command=command, phase="train", document=left, before=None, run={}))


INTERRUPTED = interrupted(ADD, document(SEALED, task("cars", "sealed"), task("birds", "trained")))


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
        (document(task()), Order(data={}), "name the data sets"),
        (document(task()), Order(data={"a\nb": "x.npz"}), "name"),
        (document(task()), Order(data={"a": "x.npz"}, features="boats"), "no task 'boats'"),
        (document(task()), Drop(task="cars"), "first task"),
        (document(SEALED, task()), Drop(task="old"), "newest"),
        (document(SEALED, task()), Drop(task="boats"), "boats"),
        (document(SEALED), Undo(), "was not a drop, so there is nothing to undo"),
        (document(SEALED), Discard(), "no interrupted job waits"),
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
        (document(), Order(data={"a": "x.npz"})),
        (document(task(phase="trained"), owned=20), Order(data={"a": "x.npz"}, features="cars")),
        (document(SEALED, task()), Drop(task="cars")),
        (document(SEALED, task("b", "sealed")), Drop(task="b")),
    ],
)
def test_allowed_commands_pass(given, command):
    check(given, command)


def test_an_interrupted_job_can_be_resumed_in_any_state_of_the_file():
    check(document(), Train(), INTERRUPTED)
    check(document(task()), Evaluate(), INTERRUPTED)


@pytest.mark.parametrize(
    "command", [replace(ADD, task="cats"), Prune(ratio=0.5), Train(recipe={"lr": 0.1})], ids=lambda c: type(c).__name__
)
def test_an_interrupted_job_is_not_given_up_unasked(command):
    given = document(SEALED, task())
    says = "interrupted job waits, add birds; resume it: packnet train FILE, or give it up: packnet discard FILE"
    with pytest.raises(RequestError, match=says):
        check(given, command, INTERRUPTED)
    check(given, replace(command, yes=True), INTERRUPTED)


@pytest.mark.parametrize("command", [Drop(task="cars"), Drop(task="cars", yes=True), Undo()])
def test_a_drop_never_takes_the_unfinished_next_task_with_it(command):
    given = DROPPED if isinstance(command, Undo) else document(SEALED, task())
    with pytest.raises(RequestError, match="add birds; resume it: packnet train FILE, or give it up: packnet discard"):
        check(given, command, INTERRUPTED)


def test_a_drop_gives_up_the_interrupted_job_of_the_task_that_is_dropped():
    given = document(SEALED, task())
    check(given, Drop(task="cars"), interrupted(Prune(ratio=0.5), given))


def test_discard_means_the_interrupted_job_of_one_task():
    given = document(SEALED, task())
    check(given, Discard(), INTERRUPTED)
    check(given, Discard(task="birds"), INTERRUPTED)
    check(given, Discard(), Unfinished(damaged=True))
    check(given, Discard(), Unfinished(lost=ADD))
    with pytest.raises(RequestError, match="meant for the interrupted job of task 'cats', and now that of 'birds'"):
        check(given, Discard(task="cats"), INTERRUPTED)


def test_undo_means_the_task_that_was_dropped_last():
    check(DROPPED, Undo())
    check(DROPPED, named(DROPPED, Undo()))
    assert named(DROPPED, Undo()) == Undo(task="cars")
    with pytest.raises(RequestError, match="meant for task 'cats', and 'cars' was dropped last"):
        check(DROPPED, Undo(task="cats"))


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
