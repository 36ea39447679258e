"""What fits, in words: one sentence, whole or brief."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from packnet_core.planning.forecast import forecast
from packnet_core.schema.commands import Add, Train
from packnet_core.schema.document import MOST_TASKS, Layer
from packnet_core.schema.events import JobStarted, Occupancy, Resumed
from packnet_tui.state.fits import beside, decided_ratio, fills_first, sentence, what_fits
from packnet_tui.state.story import Story
from tests.tui.made_up import SEALED, TINY, checkpoint, document, ended, entries, task


def found(owned, phase="retrained", ratio=0.5, least=0.01, tasks=2, weights=1000):
    layers = [Layer(name="a.weight", shape=(weights,), owned=(0,) * (tasks - 1) + (owned,))]
    return forecast(layers, [*(task(f"t{n}", 0.5, 1.0) for n in range(tasks - 1)), task("cars", 0.5, 1.0, phase)],
                    ratio, least)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "whole", "brief"),
    [
        (found(700, least=0.03), "three more tasks: 15.0, 7.5 and 3.7 % of the weights each", "three more tasks"),
        (found(700, least=0.1), "one more task: 15.0 % of the weights", "one more task"),
        (found(0), "six more tasks: 50.0, 25.0, 12.5, … and 1.5 % of the weights each", "six more tasks"),
        (found(500, ratio=0.9, least=0.001), "44 more tasks: 5.0, 4.5, 4.1, … and 0.1 % of the weights each",
         "44 more tasks"),
    ],
)  # fmt: skip
def test_how_many_tasks_fit_and_what_each_would_own(given, whole, brief):
    assert sentence(given) == f"at {given.ratio:g}, {whole}"
    assert sentence(given, brief=True) == f"at {given.ratio:g}, {brief}"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (found(950, ratio=0.9, least=0.0125),
         "at 0.9: it would own 0.5 % of the weights, and the least is 1.25 %; at 0.75 one fits"),
        (found(500, ratio=1), "at 1: it would own no weight; at 0.95 one fits"),
        (found(1000, "trained", ratio=0), "at 0: no weight is free; at 0.05 one fits"),
        (found(1000), "at 0.5: no weight is free; prune cars again"),
        (found(1000, "sealed"), "at 0.5: no weight is free; drop cars"),
        (found(1000, "sealed", tasks=1), "at 0.5: no weight is free; begin a new file"),
        (found(10, tasks=MOST_TASKS), "at 0.5: the file has 254 tasks, the most there can be; begin a new file"),
    ],
)  # fmt: skip
def test_why_no_task_fits_and_what_to_do(given, why):
    assert sentence(given) == f"no further task fits {why}"
    assert sentence(given, brief=True) == f"at {given.ratio:g}, no further task fits"


def test_the_layer_that_fills_first():
    def layers(*owned):
        return [Layer(name=f"{name}.weight", shape=(100,), owned=(count,)) for name, count in zip("abcd", owned)]  # noqa: B905

    def words(*owned):
        return fills_first(forecast(layers(*owned), [task("cars", 0.5, 1.0, "retrained")], 0.5))

    assert words(60, 97, 60) == "b fills first: room for three more tasks, 3.0% of it free"
    assert words(60, 97, 100) == "c fills first: no room for a further task, 0.0% of it free"
    assert words(60, 97, 97) == "b and one more layer fill first: room for three more tasks"
    assert words(60, 97, 97, 97) == "b and two more layers fill first: room for three more tasks"
    assert words(60, 60) == "all layers fill together: each has room for six more tasks"
    assert words(100, 100) == "no layer has room for a further task"


@given(st.integers(1, 120), st.integers(1, 6), st.sampled_from([found(700, least=0.03), found(1000), found(0)]))
def test_beside_a_start_the_sentence_is_whole_or_brief_and_never_wider_than_the_room(width, most, given):
    lines = beside("start", given, width, most)
    assert 1 <= len(lines) <= most
    assert lines == ["start"] or all(cell_len(line) <= width for line in lines)
    words = " ".join(" ".join(lines).split())
    assert words in {f"start {sentence(given)}", f"start {sentence(given, brief=True)}", "start"}
    if width >= 120:
        assert words == f"start {sentence(given)}"


def test_while_a_job_trains_its_task_counts_as_pruned_at_the_jobs_own_ratio():
    before = document(SEALED, TINY)
    dense = {layer.name: [*layer.owned, layer.free] for layer in before.layers}
    command = Add(task="cars", data="/d", prune=0.9)
    story = Story()
    story.read(
        entries([JobStarted(command=command, pid=1, device="cpu"),
                 Occupancy(task="cars", phase="trained", layers=dense)])
    )  # fmt: skip
    free = [round(0.9 * layer.free) for layer in before.layers]
    room = what_fits(story.picture(before), 0.5).total
    assert (room.free, room.owns[0]) == (sum(free), sum(count - round(0.5 * count) for count in free))


@pytest.mark.parametrize("resumed", [False, True])
def test_a_stopped_job_and_the_job_that_resumes_it_prune_at_the_stopped_jobs_ratio(resumed):
    before = document(SEALED, TINY)
    command = Add(task="cars", data="/d", prune=0.9)
    story = Story()
    started = JobStarted(command=command, pid=1, device="cpu")
    story.read(entries([started, ended("stopped", "stopped")]))
    if resumed:
        again = JobStarted(command=Train(), pid=1, device="cpu")
        story.read(entries([again, Resumed(command=command, task="cars")], job=2))
    picture = story.picture(before, checkpoint(before, command))
    assert picture.tasks[-1].phase == "trained"
    assert decided_ratio(picture) == 0.9
    assert what_fits(picture, 0.5).total.free == sum(round(0.9 * layer.free) for layer in before.layers)
    assert decided_ratio(picture.as_saved) is None or resumed
