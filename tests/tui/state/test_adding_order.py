"""The order in which to add tasks: from what was measured and what waits in the queue."""

from packnet_core.schema.commands import Add, Evaluate, Order
from packnet_core.schema.document import Error
from packnet_core.schema.events import Hardness, JobFinished, JobQueued, JobStarted, PhaseStarted, Progress
from packnet_tui.state.adding_order import order_in_words, proposed
from packnet_tui.state.story import Story
from packnet_tui.workbench.widgets.status_line import job_in_words
from tests.tui.made_up import SEALED, TINY, begun, document, entries, task

FILE = document((*SEALED, task("cars", 0.75, 18.36, "retrained")), TINY)
ORDER = Order(data={"birds": "/data/birds", "dogs": "/data/dogs"})


def hardness(name: str, error: float) -> Hardness:
    measured = Error(top1=error + 1, top5=None, images=10)
    return Hardness(name=name, data=f"/data/{name}", classes=9, validation_error=error, error=measured, chance=88.9)


DONE = JobFinished(outcome="done", message="done", seconds=1, status=0)


def picture(*events, queue=()):
    story = Story()
    story.read(entries(events))
    for number, command in enumerate(queue, 5):
        story.read(entries([JobQueued(command=command)], job=number))
    return story.picture(FILE)


def test_what_was_measured_comes_hardest_first_with_its_error_beside_chance():
    shown = picture(begun(ORDER), hardness("birds", 41.25), hardness("dogs", 62.5), hardness("cars", 9.0), DONE)
    assert order_in_words(shown) == [
        "order of new tasks, the hardest first (error of a new head, %):",
        "  1  dogs   error  62.5   chance  88.9",
        "  2  birds  error  41.2   chance  88.9",
    ]  # cars is in the file
    assert proposed(shown) == {"dogs": "/data/dogs", "birds": "/data/birds"}


def test_tasks_that_wait_to_be_added_are_offered_at_once():
    waits = [Add(task=name, data=f"/data/{name}") for name in ("birds", "flowers")]
    shown = picture(begun(ORDER), hardness("birds", 41.25), DONE, begun(Evaluate()), queue=waits)
    assert order_in_words(shown)[1:] == [
        "  1  birds    error  41.2   chance  88.9   waits in the queue",
        "  –  flowers  not measured; o measures it   waits in the queue",
    ]
    assert proposed(shown) == {"birds": "/data/birds", "flowers": "/data/flowers"}


def test_without_any_it_says_how_to_measure_one():
    assert order_in_words(picture()) == ["order of new tasks: o measures which data set is hardest; add that one first"]


def test_what_the_engine_does_about_it():
    waits = picture(begun(Evaluate()), queue=[ORDER])
    assert order_in_words(waits)[0] == "order of new tasks: measured once eval is done"
    assert order_in_words(picture(begun(ORDER)))[0] == "order of new tasks: getting ready …"
    phase = PhaseStarted(phase="order", task="birds", epochs=0, images=400)
    shown = picture(begun(ORDER), phase, Progress(task="birds", done=40, images=400))
    assert order_in_words(shown)[0] == "order of new tasks: measuring birds, step 40 of 400 …"
    assert job_in_words(shown)[0] == "● ORDER birds: step 40 of 400, ETA 00:09"
    assert (shown.curves, [row.working for row in shown.tasks]) == ({}, ["", "", ""])  # no task of the file


def test_a_job_that_starts_is_in_the_story_of_the_order():
    started = JobStarted(command=ORDER, pid=1, device="cpu")
    assert job_in_words(picture(started))[0] == "● forecast --order birds dogs: getting ready"
